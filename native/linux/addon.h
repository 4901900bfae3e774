// SPDX-License-Identifier: Apache-2.0
// What every part of the addon shares.
//
// A part is a .cc file with one `static const concierge::Part part(Init);`: it needs no entry in a list.
#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io-threads.h"
#include "loop-handles.h"
#include "system-error.h"

namespace concierge {

// Adds functions to `exports` when an environment loads the addon.
class Part {
 public:
  using Init = void (*)(Napi::Env env, Napi::Object exports);
  explicit Part(Init init);
  static void InitAll(Napi::Env env, Napi::Object exports);

 private:
  const Init init_;
  const Part* const next_;
};

// Belongs to one environment (the main thread or one worker) and goes with it.
class AddonData {
 public:
  explicit AddonData(Napi::Env env);
  ~AddonData();
  AddonData(const AddonData&) = delete;
  AddonData& operator=(const AddonData&) = delete;

  static AddonData& Of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }

  // Per-environment data of a part, created when first asked for.
  template <class T>
  T& PartData() {
    static const char key = 0;
    std::shared_ptr<void>& slot = part_data_[&key];
    if (slot == nullptr) slot = std::make_shared<T>();
    return *static_cast<T*>(slot.get());
  }

  const std::shared_ptr<LoopHandles> handles;
  const std::shared_ptr<IoThreads> io;
  // `(errno, syscall, path?) => Error`, set from JavaScript.
  Napi::FunctionReference error_factory;

 private:
  std::map<const void*, std::shared_ptr<void>> part_data_;
};

template <class Work, class Finish>
std::unique_ptr<Job> MakeJob(Napi::Env env, Work work, Finish finish) {
  using Result = decltype(work());
  class LambdaJob final : public Job {
   public:
    LambdaJob(Napi::Env env, Work&& work, Finish&& finish) : Job(env), work_(std::move(work)), finish_(std::move(finish)) {}
    void Run() override { result_ = std::make_unique<Result>(work_()); }
    Napi::Value Finish_(Napi::Env env) override { return finish_(env, *result_); }

   private:
    Work work_;
    Finish finish_;
    std::unique_ptr<Result> result_;
  };
  return std::make_unique<LambdaJob>(env, std::move(work), std::move(finish));
}

// Runs `work()` on a thread of its own where it may block as long as it likes, then `finish(env, result)` on the
// JavaScript thread; its value settles the promise. `work` reports failure by throwing SystemError and touches no
// JavaScript value.
template <class Work, class Finish>
Napi::Promise OnIoThread(Napi::Env env, Work work, Finish finish, IoThreads::Urgency urgency = IoThreads::Urgency::kOrdinary) {
  return IoThreads::Submit(env, MakeJob(env, std::move(work), std::move(finish)), urgency);
}

// The same for work without a result; resolves to undefined.
template <class Work>
Napi::Promise OnIoThread(Napi::Env env, Work work) {
  return OnIoThread(
      env,
      [work = std::move(work)]() mutable {
        work();
        return true;
      },
      [](Napi::Env env, bool) { return env.Undefined(); });
}

// A path or argument for the kernel, from a string or, for a name that is no UTF-8, from bytes. Throws EINVAL for a NUL, which would silently cut it.
std::string SystemString(const Napi::Value& value);

// A two's complement 64-bit integer from a BigInt; throws EINVAL where it does not fit.
int64_t Int64(const Napi::Value& value);
uint64_t Uint64(const Napi::Value& value);

// Calls a function of JavaScript from the event loop, which no exception may enter. Within a HandleScope.
void CallBack(Napi::Env env, const Napi::FunctionReference& function, const std::vector<napi_value>& arguments);

}  // namespace concierge
