// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>

#include "target.h"

namespace concierge::guardian {

enum class Job : uint8_t { kFlush, kFreeze, kThaw };

// Holds the lock of the workers for a scope.
class Lock {
 public:
  explicit Lock(pthread_mutex_t& mutex) : mutex_(mutex) { pthread_mutex_lock(&mutex_); }
  ~Lock() { pthread_mutex_unlock(&mutex_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  pthread_mutex_t& mutex_;
};

// Threads that make the calls which may block. All exist, with their stacks in locked memory, before anything is frozen.
// Two of them never flush or freeze, so that a thaw finds a thread even while every other one hangs in the kernel.
class Workers {
 public:
  // For these, with the threads of the freeze before where there was one, whose jobs have all ended. False: memory or threads are
  // short; errno says which.
  bool Start(Target* targets, int count);

  pthread_mutex_t& mutex() { return mutex_; }
  // Readable whenever a job has ended since the last Drain.
  int event() const { return event_.get(); }
  void Drain();

  // These want the lock.
  void Submit(Job job, int index);
  int outstanding(Job job) const { return outstanding_[static_cast<int>(job)]; }
  bool idle() const { return outstanding_[0] + outstanding_[1] + outstanding_[2] == 0; }
  // From now on no freeze begins, and one that still succeeds is undone by its own thread.
  void Abort() { aborting_ = true; }

 private:
  struct Queue {
    int* entries = nullptr;
    int capacity = 0, head = 0, size = 0;

    bool Reserve(int wanted);
    void Push(int entry);
    int Pop();
  };

  static void* Enter(void* self);
  void Loop();
  void Flush(Target& target);
  void Freeze(Target& target);
  void Thaw(Target& target);
  void Finish(Job job);

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t wake_ = PTHREAD_COND_INITIALIZER;
  Descriptor event_;
  Target* targets_ = nullptr;
  Queue slow_, thaws_;
  int threads_ = 0;
  int slow_busy_ = 0, slow_limit_ = 0;
  int outstanding_[3] = {};
  bool aborting_ = false;
};

}  // namespace concierge::guardian
