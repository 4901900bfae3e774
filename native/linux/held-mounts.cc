// SPDX-License-Identifier: Apache-2.0
// What the agent holds of a freeze, so that it can thaw without its guardian when there are neither descriptors nor
// processes nor threads left: the mount points, opened, a thread that waits to thaw them, and the kernel's switch that the
// guardian changes while it freezes.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include <signal.h>

#include "addon.h"
#include "descriptor.h"
#include "mount-point.h"

namespace concierge {

namespace {

class HeldMounts : public std::enable_shared_from_this<HeldMounts> {
 public:
  // False: no thread can be had.
  bool Start() {
    // Signals are Node's business: none may interrupt a system call here.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = true;
    try {
      std::thread([self = shared_from_this()] { self->Loop(); }).detach();
    } catch (const std::system_error&) {
      started = false;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
  }

  bool Do(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    work_.push_back(std::move(work));
    wake_.notify_one();
    return true;
  }

  // Descriptors go once the thread has come back from what it is at.
  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    wake_.notify_one();
  }

  // Lets go of everything here and now, where the thread is at nothing. False: it is at something.
  bool ReleaseNow() {
    const std::lock_guard lock(mutex_);
    if (busy_ || !work_.empty()) return false;
    directories.clear();
    grace_periods.Reset();
    closed_ = true;
    wake_.notify_one();
    return true;
  }

  std::vector<Descriptor> directories;
  Descriptor grace_periods;

 private:
  void Loop() {
    pthread_setname_np(pthread_self(), "concierge-thaw");
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return closed_ || !work_.empty(); });
      if (work_.empty()) return;
      const std::function<void()> work = std::move(work_.front());
      work_.pop_front();
      busy_ = true;
      lock.unlock();
      work();
      lock.lock();
      busy_ = false;
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> work_;
  bool closed_ = false;
  bool busy_ = false;
};

using Held = std::shared_ptr<HeldMounts>;

struct Place {
  int64_t mount_id;
  std::string path;
};

struct Thawed {
  uint32_t index;
  int error;
  int64_t at;
};

const Held& HeldOf(const Napi::Value& value) { return *value.As<Napi::External<Held>>().Data(); }

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// (mountIds, paths, expedited) → what is held. Rejects with `path` where a mount point can't be opened.
Napi::Value Hold(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto ids = info[0].As<Napi::Array>();
  const auto paths = info[1].As<Napi::Array>();
  std::vector<Place> places;
  for (uint32_t i = 0; i < ids.Length(); ++i) places.push_back({ids.Get(i).As<Napi::Number>().Int64Value(), SystemString(paths.Get(i))});
  const bool expedited = info[2].As<Napi::Boolean>().Value();
  const auto held = std::make_shared<HeldMounts>();
  const bool started = held->Start();
  auto job = MakeJob(
      env,
      [held, places = std::move(places), expedited] {
        for (const Place& place : places) {
          Descriptor directory;
          if (const int error = OpenMountPoint(place.path.c_str(), place.mount_id, directory); error != 0) {
            held->directories.clear();
            held->Close();
            throw SystemError(error, "open", place.path);
          }
          held->directories.push_back(std::move(directory));
        }
        if (expedited) held->grace_periods = Descriptor(open("/sys/kernel/rcu_expedited", O_RDWR | O_CLOEXEC));
        return true;
      },
      [held](Napi::Env env, bool) -> Napi::Value {
        return Napi::External<Held>::New(env, new Held(held), [](Napi::Env, Held* its) {
          (*its)->Close();
          delete its;
        });
      });
  return IoThreads::RunElsewhere(env, std::move(job), [&](std::function<void()> run) { return started && held->Do(std::move(run)); });
}

// (held, indices) → [index, errno, nanoseconds since 1970 or 0n], in their order, flat. EINVAL, nothing was frozen, is 0.
Napi::Value Thaw(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Held held = HeldOf(info[0]);
  const auto wanted = info[1].As<Napi::Array>();
  std::vector<uint32_t> indices;
  for (uint32_t i = 0; i < wanted.Length(); ++i) indices.push_back(wanted.Get(i).As<Napi::Number>().Uint32Value());
  auto job = MakeJob(
      env,
      [held, indices = std::move(indices)] {
        std::vector<Thawed> outcomes;
        for (const uint32_t index : indices) {
          const int error = index < held->directories.size() ? ThawOnce(held->directories[index].get()) : EBADF;
          outcomes.push_back({index, error == EINVAL ? 0 : error, error == 0 ? Now() : 0});
        }
        return outcomes;
      },
      [](Napi::Env env, std::vector<Thawed>& outcomes) -> Napi::Value {
        Napi::Array result = Napi::Array::New(env, outcomes.size() * 3);
        uint32_t at = 0;
        for (const Thawed& outcome : outcomes) {
          result.Set(at++, Napi::Number::New(env, outcome.index));
          result.Set(at++, Napi::Number::New(env, outcome.error));
          result.Set(at++, Napi::BigInt::New(env, outcome.at));
        }
        return result;
      });
  return IoThreads::RunElsewhere(env, std::move(job), [&](std::function<void()> run) { return held->Do(std::move(run)); });
}

// (held): puts the switch back, where a guardian that was lost left it on. Waits for nothing.
Napi::Value Restore(const Napi::CallbackInfo& info) {
  Descriptor& file = HeldOf(info[0])->grace_periods;
  if (file) [[maybe_unused]] const ssize_t written = pwrite(file.get(), "0\n", 2, 0);
  file.Reset();
  return info.Env().Undefined();
}

// (held): lets go of all of it, mostly before it returns.
Napi::Value Release(const Napi::CallbackInfo& info) {
  const Held held = HeldOf(info[0]);
  if (held->ReleaseNow()) return info.Env().Undefined();
  held->Do([held] {
    held->directories.clear();
    held->grace_periods.Reset();
  });
  held->Close();
  return info.Env().Undefined();
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("holdMounts", Napi::Function::New(env, Guarded<Hold>));
  exports.Set("thawHeld", Napi::Function::New(env, Guarded<Thaw>));
  exports.Set("restoreHeld", Napi::Function::New(env, Guarded<Restore>));
  exports.Set("releaseHeld", Napi::Function::New(env, Guarded<Release>));
});

}  // namespace

}  // namespace concierge
