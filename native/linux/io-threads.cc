// SPDX-License-Identifier: Apache-2.0
#include "io-threads.h"

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <new>

#include "addon.h"

namespace concierge {

namespace {

constexpr std::chrono::seconds kIdleTime(10);
constexpr size_t kStackSize = 256 * 1024;

}  // namespace

std::shared_ptr<IoThreads> IoThreads::Create(Napi::Env env, std::shared_ptr<LoopHandles> handles) {
  auto pool = std::make_shared<IoThreads>();
  pool->env_ = env;
  pool->context_ = std::make_unique<Napi::AsyncContext>(env, "concierge");
  auto* async = new uv_async_t;
  uv_async_init(handles->loop(), async, [](uv_async_t* handle) { static_cast<IoThreads*>(handle->data)->Settle(); });
  async->data = pool.get();
  uv_unref(reinterpret_cast<uv_handle_t*>(async));
  pool->async_ = OwnedHandle<uv_async_t>(handles, async);
  handles->OnEnd([weak = std::weak_ptr<IoThreads>(pool)] {
    const std::shared_ptr<IoThreads> pool = weak.lock();
    if (pool == nullptr) return;
    std::deque<Task> unstarted;
    {
      const std::lock_guard lock(pool->mutex_);
      pool->closed_ = true;
      unstarted.swap(pool->queue_);
      pool->wake_.notify_all();
    }
    pool->context_.reset();
    pool->async_.Close();
  });
  return pool;
}

Napi::Promise IoThreads::Submit(Napi::Env env, std::unique_ptr<Job> job, Urgency urgency) {
  const std::shared_ptr<IoThreads>& pool = AddonData::Of(env).io;
  const Napi::Promise::Deferred deferred = job->deferred;
  Task task{std::move(job), {}};
  if (!pool->Enqueue(task, urgency)) {
    deferred.Reject(SystemError(EAGAIN, "io-threads").ToJavaScript(env).Value());
    return deferred.Promise();
  }
  pool->Pend();
  return deferred.Promise();
}

Napi::Promise IoThreads::RunElsewhere(Napi::Env env, std::unique_ptr<Job> job, const std::function<bool(std::function<void()>)>& start) {
  const std::shared_ptr<IoThreads> pool = AddonData::Of(env).io;
  const Napi::Promise::Deferred deferred = job->deferred;
  // What is copied around as a function can't own its job alone.
  const auto handed = std::make_shared<std::unique_ptr<Job>>(std::move(job));
  if (!start([pool, handed] { pool->RunJob(std::move(*handed)); })) {
    deferred.Reject(SystemError(EAGAIN, "pthread_create").ToJavaScript(env).Value());
    return deferred.Promise();
  }
  pool->Pend();
  return deferred.Promise();
}

// On the JavaScript thread: the loop goes on until the job is settled.
void IoThreads::Pend() {
  if (pending_++ == 0) uv_ref(reinterpret_cast<uv_handle_t*>(async_.get()));
}

void IoThreads::RunJob(std::unique_ptr<Job> job) {
  try {
    job->Run();
  } catch (const SystemError& error) {
    job->error = error;
  } catch (const std::bad_alloc&) {
    job->error = SystemError(ENOMEM, "malloc");
  }
  Complete(std::move(job));
}

void IoThreads::Detach(std::function<void()> work) {
  Task task{nullptr, std::move(work)};
  if (!Enqueue(task, Urgency::kOrdinary)) task.detached();
}

bool IoThreads::Enqueue(Task& task, Urgency urgency) {
  const bool urgent = urgency == Urgency::kUrgent;
  std::unique_lock lock(mutex_);
  if (closed_ || (!urgent && queue_.size() >= kMaximumQueued)) return false;
  const bool covered = idle_ > queue_.size();
  const size_t most = urgent ? kMaximumThreads + kReservedThreads : kMaximumThreads;
  if (!covered && threads_ < most && !StartThread() && threads_ == 0) return false;
  if (urgent) {
    queue_.push_front(std::move(task));
  } else {
    queue_.push_back(std::move(task));
  }
  // Whoever wakes up wants the lock at once.
  lock.unlock();
  if (covered) wake_.notify_one();
  return true;
}

bool IoThreads::StartThread() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackSize);
  // Signals are Node's business: none may interrupt a system call here.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  auto* self = new std::shared_ptr<IoThreads>(shared_from_this());
  pthread_t thread;
  const int failure = pthread_create(
      &thread, &attributes,
      [](void* argument) -> void* {
        const std::unique_ptr<std::shared_ptr<IoThreads>> pool(static_cast<std::shared_ptr<IoThreads>*>(argument));
        pthread_setname_np(pthread_self(), "concierge-io");
        (*pool)->ThreadMain();
        return nullptr;
      },
      self);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (failure != 0) {
    delete self;
    return false;
  }
  threads_++;
  return true;
}

void IoThreads::ThreadMain() {
  std::unique_lock lock(mutex_);
  for (;;) {
    idle_++;
    const bool woken = wake_.wait_for(lock, kIdleTime, [this] { return closed_ || !queue_.empty(); });
    idle_--;
    if (closed_ || !woken) break;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    if (task.job == nullptr) {
      task.detached();
      task.detached = nullptr;
    } else {
      RunJob(std::move(task.job));
    }
    lock.lock();
    // One of the reserved threads, or another in its place: it takes nothing that might get stuck.
    if (threads_ > kMaximumThreads) break;
  }
  threads_--;
}

void IoThreads::Complete(std::unique_ptr<Job> job) {
  const std::lock_guard lock(mutex_);
  if (closed_) {
    // The environment is gone, and with it the only thread that may free what belongs to JavaScript.
    (void)job.release();
    return;
  }
  done_.push_back(std::move(job));
  // Within the lock: the handle is closed only by a thread that has taken it.
  if (done_.size() == 1) uv_async_send(async_.get());
}

void IoThreads::Settle() {
  const std::shared_ptr<IoThreads> alive = shared_from_this();
  std::vector<std::unique_ptr<Job>> done;
  {
    const std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  for (std::unique_ptr<Job>& job : done) {
    if (--pending_ == 0) uv_unref(reinterpret_cast<uv_handle_t*>(async_.get()));
    try {
      SettleOne(*job);
    } catch (const Napi::Error&) {
      // The environment is being terminated: nobody is left to hear of it.
    }
    job.reset();
    // What followed from this one ended the environment.
    if (!async_) break;
  }
}

void IoThreads::SettleOne(Job& job) {
  const Napi::Env env(env_);
  // One scope each: what follows a settled promise runs when its scope closes, before the next is settled.
  const Napi::HandleScope scope(env);
  const Napi::CallbackScope callback(env, *context_);
  try {
    if (job.error.has_value()) throw *job.error;
    job.deferred.Resolve(job.Finish_(env));
  } catch (const SystemError& error) {
    job.deferred.Reject(error.ToJavaScript(env).Value());
  } catch (const Napi::Error& error) {
    job.deferred.Reject(error.Value());
  }
}

}  // namespace concierge
