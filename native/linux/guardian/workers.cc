// SPDX-License-Identifier: Apache-2.0
#include "workers.h"

#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "../mount-point.h"

namespace concierge::guardian {
namespace {

// One for each file system up to this: FIFREEZE mostly waits (for the disk, for RCU grace periods), and waits side by side.
constexpr int kMostFreezers = 64;
constexpr int kReserved = 2;
// Locked as a whole by MCL_FUTURE; the calls need a few hundred bytes.
constexpr size_t kStackBytes = 32 * 1024;

// The kernel does not use the third argument.
int FreezeOnce(int directory) {
  for (;;) {
    if (ioctl(directory, FIFREEZE, 0) == 0) return 0;
    if (errno != EINTR) return errno;
  }
}

}  // namespace

bool Workers::Queue::Reserve(int wanted) {
  if (wanted <= capacity) return true;
  int* const grown = static_cast<int*>(calloc(static_cast<size_t>(wanted), sizeof(int)));
  if (grown == nullptr) return false;
  // Nothing is in it.
  free(entries);
  entries = grown;
  capacity = wanted;
  head = 0;
  return true;
}

void Workers::Queue::Push(int entry) {
  entries[(head + size) % capacity] = entry;
  size += 1;
}

int Workers::Queue::Pop() {
  const int entry = entries[head];
  head = (head + 1) % capacity;
  size -= 1;
  return entry;
}

bool Workers::Start(Target* targets, int count) {
  if (!event_) event_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event_) return false;
  {
    Lock lock(mutex_);
    targets_ = targets;
    aborting_ = false;
    // A target has at most one flush, one freeze and one thaw under way.
    if (!slow_.Reserve(2 * count + 1) || !thaws_.Reserve(count + 1)) return false;
  }
  const int wanted = std::clamp(count, 1, kMostFreezers) + kReserved;
  if (wanted <= threads_) return true;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, std::max<size_t>(kStackBytes, static_cast<size_t>(PTHREAD_STACK_MIN)));
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  int failure = 0;
  for (; failure == 0 && threads_ < wanted; threads_ += failure == 0) {
    pthread_t thread;
    failure = pthread_create(&thread, &attributes, Enter, this);
  }
  pthread_attr_destroy(&attributes);
  errno = failure;
  // Fewer than wanted freeze one after the other; it is slower, not wrong.
  Lock lock(mutex_);
  slow_limit_ = threads_ - kReserved;
  pthread_cond_broadcast(&wake_);
  return slow_limit_ > 0;
}

void Workers::Drain() {
  uint64_t ignored;
  while (read(event_.get(), &ignored, sizeof ignored) > 0) {
  }
}

void Workers::Submit(Job job, int index) {
  outstanding_[static_cast<int>(job)] += 1;
  switch (job) {
    case Job::kFlush:
      targets_[index].flushing = true;
      slow_.Push(index * 2);
      break;
    case Job::kFreeze:
      targets_[index].freeze_tried = true;
      slow_.Push(index * 2 + 1);
      break;
    case Job::kThaw:
      targets_[index].thawing = true;
      thaws_.Push(index);
      break;
  }
  pthread_cond_signal(&wake_);
}

void* Workers::Enter(void* self) {
  static_cast<Workers*>(self)->Loop();
  return nullptr;
}

void Workers::Loop() {
  Lock lock(mutex_);
  for (;;) {
    if (thaws_.size > 0) {
      Thaw(targets_[thaws_.Pop()]);
      Finish(Job::kThaw);
    } else if (slow_.size > 0 && slow_busy_ < slow_limit_) {
      const int entry = slow_.Pop();
      Target& target = targets_[entry / 2];
      const Job job = entry % 2 == 0 ? Job::kFlush : Job::kFreeze;
      slow_busy_ += 1;
      if (job == Job::kFlush) {
        Flush(target);
      } else {
        Freeze(target);
      }
      slow_busy_ -= 1;
      Finish(job);
    } else {
      pthread_cond_wait(&wake_, &mutex_);
    }
  }
}

void Workers::Finish(Job job) {
  outstanding_[static_cast<int>(job)] -= 1;
  // Work may lie there that no signal will be given for any more: one that came while all threads were busy.
  if (slow_.size > 0 || thaws_.size > 0) pthread_cond_signal(&wake_);
  const uint64_t one = 1;
  // Fails only if the counter is full, and then it is readable anyway.
  [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
}

void Workers::Flush(Target& target) {
  pthread_mutex_unlock(&mutex_);
  const int64_t start = Nanoseconds(CLOCK_MONOTONIC);
  const int error = syncfs(target.directory.get()) == 0 ? 0 : errno;
  const int64_t took = Nanoseconds(CLOCK_MONOTONIC) - start;
  pthread_mutex_lock(&mutex_);
  target.flushing = false;
  target.flush_error = error;
  target.flush_ns += took;
}

void Workers::Freeze(Target& target) {
  if (aborting_) {
    target.freeze_error = ECANCELED;
    return;
  }
  target.stage = Stage::kFreezing;
  pthread_mutex_unlock(&mutex_);
  const int64_t start = Nanoseconds(CLOCK_MONOTONIC);
  *target.frozen = true;
  const int error = FreezeOnce(target.directory.get());
  if (error != 0) *target.frozen = false;
  const int64_t frozen_at = Nanoseconds(CLOCK_REALTIME);
  const int64_t took = Nanoseconds(CLOCK_MONOTONIC) - start;
  pthread_mutex_lock(&mutex_);
  target.freeze_ns = took;
  target.freeze_error = error;
  target.stage = error == 0 ? Stage::kFrozen : Stage::kThawed;
  if (error != 0) return;
  target.frozen_at = frozen_at;
  if (aborting_) Thaw(target);
}

void Workers::Thaw(Target& target) {
  target.thawing = true;
  pthread_mutex_unlock(&mutex_);
  const int error = ThawOnce(target.directory.get());
  if (error == 0 || error == EINVAL) *target.frozen = false;
  const int64_t thawed_at = Nanoseconds(CLOCK_REALTIME);
  pthread_mutex_lock(&mutex_);
  target.thawing = false;
  // EINVAL: somebody else has thawed it meanwhile.
  target.thawed = error == 0;
  target.thaw_error = error == EINVAL ? 0 : error;
  target.thawed_at = error == 0 ? thawed_at : 0;
  if (error == 0 || error == EINVAL) target.stage = Stage::kThawed;
}

}  // namespace concierge::guardian
