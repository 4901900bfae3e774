// SPDX-License-Identifier: Apache-2.0
#include "watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "../mount-point.h"
#include "process.h"

namespace concierge::guardian {
namespace {

// After the deadline, in which the guardian thaws if it runs; then once more, for one that was continued.
constexpr int64_t kGraceMs = 1000;
constexpr int64_t kPatienceMs = 5000;
// Targets that there is room for at the least.
constexpr int kRoom = 64;
// SCM_MAX_FD of the kernel is 253.
constexpr size_t kMostDescriptors = 128;

// What the guardian says: a word, and descriptors. In `kSwitchAndTargets` the first is the switch.
enum Word : int64_t { kTargets, kSwitchAndTargets, kRest };

struct Watched {
  pid_t guardian;
  int capacity;
  Progress* progress;
  int* directories;
};

void Arm(int timer, int64_t ms) {
  itimerspec when{};
  when.it_value.tv_sec = ms / 1000;
  when.it_value.tv_nsec = ms % 1000 * 1'000'000;
  timerfd_settime(timer, 0, &when, nullptr);
}

// The process itself.
class Watcher {
 public:
  Watcher(const Watched& watched, const Descriptor& life, const Descriptor& timer) : watched_(watched), life_(life), timer_(timer) {}

  [[noreturn]] void Run() {
    for (;;) {
      pollfd polled[] = {{life_.get(), POLLIN, 0}, {timer_.get(), POLLIN, 0}};
      if (poll(polled, 2, -1) < 0) continue;
      // What was said goes first: it may be that nothing has to be watched any more.
      if (polled[0].revents != 0) {
        Hear();
        continue;
      }
      uint64_t times;
      if (read(timer_.get(), &times, sizeof times) == sizeof times) OnLate();
    }
  }

 private:
  void Hear() {
    int64_t word;
    iovec part{&word, sizeof word};
    alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))];
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(life_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // The guardian is gone, and each of its calls has come back out of the kernel.
    if (got != sizeof word) End();
    const cmsghdr* found = CMSG_FIRSTHDR(&header);
    const auto* descriptors = found == nullptr ? nullptr : reinterpret_cast<const int*>(CMSG_DATA(found));
    const size_t count = found == nullptr ? 0 : (found->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (word == kRest) return Rest();
    ListAs(Role::kWatch);
    for (size_t i = 0; i < count; ++i) {
      if (i == 0 && word == kSwitchAndTargets) {
        grace_periods_.Take(Descriptor(descriptors[i]));
      } else if (count_ < watched_.capacity) {
        watched_.directories[count_++] = descriptors[i];
      }
    }
  }

  void Rest() {
    for (; count_ > 0; --count_) close(watched_.directories[count_ - 1]);
    grace_periods_.Take(Descriptor());
    continued_ = false;
    ListAs(Role::kSpare);
  }

  [[noreturn]] void End() {
    if (watched_.progress->expedited) grace_periods_.End();
    if (!watched_.progress->over) ThawAll();
    _exit(0);
  }

  // Backing stores first, as the guardian does: the targets are in the order of freezing.
  void ThawAll() {
    for (int i = count_ - 1; i >= 0; --i) {
      if (watched_.progress->frozen[i]) ThawOnce(watched_.directories[i]);
    }
  }

  // The deadline has passed some time ago.
  void OnLate() {
    Signal(SIGCONT);
    if (continued_ && !watched_.progress->thawing) Signal(SIGKILL);
    if (!continued_) Arm(timer_.get(), kPatienceMs);
    continued_ = true;
  }

  // Its number is its own only as long as it is the parent.
  void Signal(int signal) {
    if (getppid() == watched_.guardian) kill(watched_.guardian, signal);
  }

  const Watched watched_;
  const Descriptor& life_;
  const Descriptor& timer_;
  ExpeditedGracePeriods grace_periods_;
  int count_ = 0;
  bool continued_ = false;
};

}  // namespace

bool Watch::Reserve(int count) {
  const int capacity = std::max(count, kRoom);
  const size_t bytes = sizeof(Progress) + static_cast<size_t>(capacity) * sizeof(std::atomic<bool>);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int* directories = static_cast<int*>(calloc(static_cast<size_t>(capacity), sizeof(int)));
  if (memory == MAP_FAILED || directories == nullptr) {
    if (memory != MAP_FAILED) munmap(memory, bytes);
    free(directories);
    return false;
  }
  if (progress != nullptr) munmap(static_cast<void*>(progress), bytes_);
  free(directories_);
  progress = new (memory) Progress();
  progress->frozen = new (static_cast<char*>(memory) + sizeof(Progress)) std::atomic<bool>[static_cast<size_t>(capacity)]();
  directories_ = directories;
  capacity_ = capacity;
  bytes_ = bytes;
  return true;
}

int Watch::Start(int count, const int* close, int close_count) {
  if (pid_ > 0 && count <= capacity_) {
    for (int i = 0; i < count; ++i) progress->frozen[i] = false;
    progress->expedited = progress->thawing = false;
    // Last: from now on it watches again.
    progress->over = false;
    // One that somebody has killed meanwhile is made anew.
    if (waitpid(pid_, nullptr, WNOHANG) == 0) return 0;
    pid_ = 0;
  }
  Stop();
  if (!Reserve(count)) return ENOMEM;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  life_ = Descriptor(ends[0]);
  Descriptor theirs(ends[1]);
  timer_ = Descriptor(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer_) return errno;
  const Watched watched{getpid(), capacity_, progress, directories_};
  const pid_t pid = fork();
  if (pid < 0) return errno;
  if (pid == 0) {
    life_.Reset();
    for (int i = 0; i < close_count; ++i) {
      if (close[i] >= 0) ::close(close[i]);
    }
    // Two processes of one name would be taken for two guardians.
    ListAs(Role::kWatch);
    Watcher watcher(watched, theirs, timer_);
    LockMemory();
    watcher.Run();
  }
  pid_ = pid;
  return 0;
}

int Watch::Take(const Target* targets, int count, const ExpeditedGracePeriods& grace_periods) {
  int descriptors[kMostDescriptors];
  size_t size = 0;
  const bool has_switch = grace_periods.get() >= 0;
  if (has_switch) descriptors[size++] = grace_periods.get();
  Word word = has_switch ? kSwitchAndTargets : kTargets;
  for (int i = 0; i < count; ++i) {
    descriptors[size++] = targets[i].directory.get();
    if (size < kMostDescriptors && i + 1 < count) continue;
    if (!Say(word, descriptors, size)) return errno;
    word = kTargets;
    size = 0;
  }
  return 0;
}

bool Watch::Say(int64_t word, const int* descriptors, size_t count) {
  iovec part{&word, sizeof word};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (count > 0) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* const head = CMSG_FIRSTHDR(&header);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(head), descriptors, count * sizeof(int));
  }
  return sendmsg(life_.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof word;
}

void Watch::BeginDeadline(int64_t ms) {
  if (pid_ > 0 && ms > 0) Arm(timer_.get(), ms + kGraceMs);
}

void Watch::Rest() {
  if (!watches()) return;
  progress->over = true;
  Arm(timer_.get(), 0);
  // One that does not listen is of no use.
  if (!Say(kRest)) Stop();
}

void Watch::Stop() {
  if (pid_ <= 0) return;
  progress->over = true;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

}  // namespace concierge::guardian
