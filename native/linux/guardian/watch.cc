// SPDX-License-Identifier: Apache-2.0
#include "watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <utility>

#include "../mount-point.h"
#include "process.h"

namespace concierge::guardian {
namespace {

// After the deadline, in which the guardian thaws if it runs; then once more, for one that was continued.
constexpr int64_t kGraceMs = 1000;
constexpr int64_t kPatienceMs = 5000;

struct Watched {
  pid_t guardian;
  Target* targets;
  int count;
  Progress* progress;
  ExpeditedGracePeriods* grace_periods;
};

void Arm(int timer, int64_t ms) {
  itimerspec when{};
  when.it_value.tv_sec = ms / 1000;
  when.it_value.tv_nsec = ms % 1000 * 1'000'000;
  timerfd_settime(timer, 0, &when, nullptr);
}

// Its number is its own only as long as it is the parent.
void Signal(const Watched& watched, int signal) {
  if (getppid() == watched.guardian) kill(watched.guardian, signal);
}

// Backing stores first, as the guardian does: the targets are in the order of freezing.
void ThawAll(const Watched& watched) {
  for (int i = watched.count - 1; i >= 0; --i) {
    if (watched.progress->frozen[i]) ThawOnce(watched.targets[i].directory.get());
  }
}

[[noreturn]] void Run(const Watched& watched, const Descriptor& life) {
  const Descriptor timer(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  LockMemory();
  // Two processes of one name would be taken for two guardians.
  prctl(PR_SET_NAME, "concierge-watch");
  bool continued = false;
  for (;;) {
    pollfd polled[] = {{life.get(), POLLIN, 0}, {timer.get(), POLLIN, 0}};
    if (poll(polled, 2, -1) < 0) continue;
    if (polled[0].revents != 0) {
      int64_t deadline_ms;
      if (recv(life.get(), &deadline_ms, sizeof deadline_ms, MSG_DONTWAIT) == sizeof deadline_ms) {
        Arm(timer.get(), deadline_ms + kGraceMs);
        continue;
      }
      // The guardian is gone, and each of its calls has come back out of the kernel.
      if (watched.progress->expedited) watched.grace_periods->End();
      if (!watched.progress->over) ThawAll(watched);
      _exit(0);
    }
    uint64_t times;
    if (read(timer.get(), &times, sizeof times) != sizeof times) continue;
    Signal(watched, SIGCONT);
    if (continued && !watched.progress->thawing) Signal(watched, SIGKILL);
    if (!continued) Arm(timer.get(), kPatienceMs);
    continued = true;
  }
}

}  // namespace

bool Watch::Reserve(int count) {
  const size_t bytes = sizeof(Progress) + static_cast<size_t>(count) * sizeof(std::atomic<bool>);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  progress = new (memory) Progress();
  progress->frozen = new (static_cast<char*>(memory) + sizeof(Progress)) std::atomic<bool>[static_cast<size_t>(count)]();
  return true;
}

int Watch::Start(Target* targets, int count, ExpeditedGracePeriods& grace_periods, const int* close, int close_count) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  life_ = Descriptor(ends[0]);
  Descriptor theirs(ends[1]);
  const Watched watched{getpid(), targets, count, progress, &grace_periods};
  const pid_t pid = fork();
  if (pid < 0) return errno;
  if (pid == 0) {
    life_.Reset();
    for (int i = 0; i < close_count; ++i) {
      if (close[i] >= 0) ::close(close[i]);
    }
    Run(watched, theirs);
  }
  pid_ = pid;
  return 0;
}

void Watch::BeginDeadline(int64_t ms) {
  if (running() && ms > 0) send(life_.get(), &ms, sizeof ms, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Watch::Stop() {
  if (!running()) return;
  progress->over = true;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

}  // namespace concierge::guardian
