// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>
#include <uv.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "loop-handles.h"
#include "system-error.h"

namespace concierge {

// One blocking operation and the promise that it settles.
class Job {
 public:
  explicit Job(Napi::Env env) : deferred(Napi::Promise::Deferred::New(env)) {}
  virtual ~Job() = default;
  // On an I/O thread. Throws SystemError.
  virtual void Run() = 0;
  // On the JavaScript thread, after success.
  virtual Napi::Value Finish_(Napi::Env env) = 0;

  const Napi::Promise::Deferred deferred;
  std::optional<SystemError> error;
};

// Threads for operations that can wait for a frozen or hung disk.
//
// libuv's pool has four threads for the whole process, and four stuck operations in it stop every other one and even
// the exit of the process. These grow while all are busy, go after ten idle seconds, and are detached: nobody waits
// for a stuck one.
class IoThreads : public std::enable_shared_from_this<IoThreads> {
 public:
  static constexpr size_t kMaximumThreads = 64;
  static constexpr size_t kMaximumQueued = 1024;
  // Beyond these, for what must not wait behind operations that are stuck: the way out of a freeze.
  static constexpr size_t kReservedThreads = 8;

  enum class Urgency { kOrdinary, kUrgent };

  static std::shared_ptr<IoThreads> Create(Napi::Env env, std::shared_ptr<LoopHandles> handles);
  // Rejects with EAGAIN when all threads are busy and the queue is full.
  static Napi::Promise Submit(Napi::Env env, std::unique_ptr<Job> job, Urgency urgency = Urgency::kOrdinary);
  // For a thread of the caller's own: `start` hands it what it has to call. False, which rejects with EAGAIN: there is none.
  static Napi::Promise RunElsewhere(Napi::Env env, std::unique_ptr<Job> job, const std::function<bool(std::function<void()>)>& start);
  // Runs something whose result nobody wants. Where no thread can be had it runs here and now.
  void Detach(std::function<void()> work);

 private:
  struct Task {
    std::unique_ptr<Job> job;
    std::function<void()> detached;
  };

  void Pend();
  void RunJob(std::unique_ptr<Job> job);
  bool Enqueue(Task& task, Urgency urgency);
  bool StartThread();
  void ThreadMain();
  void Complete(std::unique_ptr<Job> job);
  void Settle();
  void SettleOne(Job& job);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> queue_;
  std::vector<std::unique_ptr<Job>> done_;
  size_t threads_ = 0;
  size_t idle_ = 0;
  bool closed_ = false;

  // On the JavaScript thread only.
  napi_env env_ = nullptr;
  std::unique_ptr<Napi::AsyncContext> context_;
  OwnedHandle<uv_async_t> async_;
  size_t pending_ = 0;
};

}  // namespace concierge
