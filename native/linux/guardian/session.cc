// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

#include "../mount-point.h"
#include "process.h"
#include "thaw_completely.h"
#include "uncovered.h"

namespace concierge::guardian {
namespace {

// A round of flushing that took less has nothing worth another one left behind.
constexpr int64_t kShortRoundNs = 100'000'000;
constexpr int kMostRounds = 5;
// After this a level that hangs in FITHAW holds up no other.
constexpr int64_t kThawLevelMs = 2000;
// How long after the end an agent may still have something to be thawed, before this process goes.
constexpr int64_t kLingerMs = 1000;
// Room for what is said beside the report.
constexpr size_t kOutputBytes = 4096;
// Bytes of report about one target at most: a line each of flush, freeze and thaw.
constexpr size_t kReportBytes = 3 * 96;

// 0 disarms. The argument is in milliseconds from now.
void Arm(const Descriptor& timer, int64_t ms) {
  itimerspec when{};
  when.it_value.tv_sec = ms / 1000;
  when.it_value.tv_nsec = ms % 1000 * 1'000'000;
  timerfd_settime(timer.get(), 0, &when, nullptr);
}

// Whether it fired since it was armed.
bool Fired(const Descriptor& timer) {
  uint64_t times;
  return read(timer.get(), &times, sizeof times) == sizeof times;
}

int DigitValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

// Decodes in place. False where it is not hexadecimal or holds a NUL.
bool DecodeHex(char* text) {
  char* out = text;
  for (const char* in = text; *in != '\0'; in += 2) {
    const int high = DigitValue(in[0]);
    const int low = high < 0 ? -1 : DigitValue(in[1]);
    if (low < 0 || (high == 0 && low == 0)) return false;
    *out++ = static_cast<char>(high * 16 + low);
  }
  *out = '\0';
  return true;
}

char* NextWord(char** rest) {
  char* word = strsep(rest, " ");
  return word == nullptr ? const_cast<char*>("") : word;
}

// ETIMEDOUT: still in the kernel. ECANCELED: was still waiting for a thread when the freeze was called off.
int FreezeError(const Target& target) {
  if (target.stage == Stage::kFreezing) return ETIMEDOUT;
  if (target.freeze_error == 0 && target.frozen_at == 0) return ECANCELED;
  return target.freeze_error;
}

bool IsOwnUser(int socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return false;
  return who.uid == 0 || who.uid == geteuid();
}

}  // namespace

Session::Session(Descriptor control, Hardened hardened)
    : endings_(std::move(hardened.endings)),
      deadline_(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)),
      step_limit_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      spared_(hardened.spared) {
  control_.Attach(std::move(control), output_capacity_);
}

int Session::Run() {
  while (!finished_) {
    pollfd polled[6 + kMostClients];
    int count = 0;
    const auto watch = [&](int fd, short events) { polled[count++] = {fd, events, 0}; };
    // poll(2) passes over negative descriptors.
    watch(control_.fd(), control_.wants_to_write() ? POLLIN | POLLOUT : POLLIN);
    watch(endings_.get(), POLLIN);
    watch(deadline_.get(), POLLIN);
    watch(step_limit_.get(), POLLIN);
    watch(workers_.event(), POLLIN);
    watch(listener_.get(), POLLIN);
    for (Peer& client : clients_) watch(client.fd(), client.wants_to_write() ? POLLIN | POLLOUT : POLLIN);
    if (poll(polled, static_cast<nfds_t>(count), -1) < 0) continue;

    // The deadline goes before everything else: no amount of talk delays it.
    if (polled[2].revents != 0) OnDeadline();
    if (polled[3].revents != 0) OnStepLimit();
    if (polled[4].revents != 0) workers_.Drain();
    Advance();
    if (polled[0].revents != 0) OnControl();
    if (polled[1].revents != 0) OnEndings();
    if (polled[5].revents != 0) Accept();
    for (int i = 0; i < kMostClients; ++i) {
      if (polled[6 + i].revents != 0) OnClient(clients_[i]);
    }
    Advance();
    control_.Write();
    for (Peer& client : clients_) client.Write();
    // What it watches for can't happen any more. After the answers, which nobody should wait for.
    if (phase_ == Phase::kOver && watch_.watches() && IsIdle()) watch_.Rest();
  }
  LeaveSocket();
  watch_.Stop();
  return 0;
}

void Session::OnControl() {
  if (control_.Read()) {
    for (char* line = control_.NextLine(); line != nullptr && !finished_; line = control_.NextLine()) Obey(line);
    return;
  }
  control_.Close();
  orphaned_ = true;
  switch (phase_) {
    case Phase::kGathering:
    case Phase::kReady:
    case Phase::kFlushing:
      finished_ = true;
      break;
    case Phase::kFreezing:
      // Nobody was told that anything is frozen, so nobody relies on it.
      BeginThaw("agent-lost");
      break;
    case Phase::kFrozen:
      if (!held_) BeginThaw("agent-lost");
      break;
    case Phase::kThawing:
    case Phase::kOver:
      break;
  }
}

void Session::OnClient(Peer& client) {
  if (!client.Read()) {
    client.Close();
    return;
  }
  for (const char* line = client.NextLine(); line != nullptr; line = client.NextLine()) {
    if (strcmp(line, "thaw") == 0) BeginThaw("elsewhere");
  }
}

// While the agent lives, ending is its business: it thaws and tells so. Without it this is a system going down.
void Session::OnEndings() {
  char ignored[1024];
  while (read(endings_.get(), ignored, sizeof ignored) > 0) {
  }
  if (!orphaned_) return;
  if (phase_ == Phase::kFreezing || phase_ == Phase::kFrozen) BeginThaw("signal");
}

void Session::OnDeadline() {
  if (Fired(deadline_)) BeginThaw("deadline");
}

void Session::OnStepLimit() {
  if (!Fired(step_limit_)) return;
  if (phase_ == Phase::kFlushing) {
    EndFlush();
  } else if (phase_ == Phase::kFreezing) {
    freeze_failed_ = true;
    ReportFreezes("late");
    BeginThaw("failure");
  } else if (phase_ == Phase::kThawing) {
    level_ -= 1;
    SubmitThawLevel();
  } else if (phase_ == Phase::kOver) {
    dismissed_ = true;
  }
}

void Session::Obey(char* line) {
  char* rest = line;
  const char* verb = NextWord(&rest);
  if (rest == nullptr) rest = line + strlen(line);
  if (strcmp(verb, "thaw") == 0) {
    BeginThaw("thaw");
  } else if (phase_ == Phase::kGathering && strcmp(verb, "target") == 0) {
    AddTarget(rest);
  } else if (phase_ == Phase::kGathering && strcmp(verb, "prepare") == 0) {
    Prepare(rest);
  } else if ((phase_ == Phase::kGathering || phase_ == Phase::kOver) && strcmp(verb, "sweep") == 0) {
    Sweep(rest);
  } else if ((phase_ == Phase::kGathering || phase_ == Phase::kOver) && strcmp(verb, "uncover") == 0) {
    Uncover(rest);
  } else if ((phase_ == Phase::kGathering || phase_ == Phase::kOver) && strcmp(verb, "unclaimed") == 0) {
    Unclaimed(rest);
  } else if (phase_ == Phase::kGathering && strcmp(verb, "dismiss") == 0) {
    finished_ = true;
  } else if (phase_ == Phase::kOver && strcmp(verb, "dismiss") == 0) {
    dismissed_ = true;
  } else if (phase_ == Phase::kOver && strcmp(verb, "again") == 0) {
    Again();
  } else if (phase_ == Phase::kReady && strcmp(verb, "flush") == 0) {
    BeginFlush();
  } else if (phase_ == Phase::kReady && strcmp(verb, "freeze") == 0) {
    BeginFreeze();
  } else if (phase_ == Phase::kFrozen && strcmp(verb, "hold") == 0) {
    held_ = true;
  }
}

// target LEVEL MOUNT-ID HEXPATH
void Session::AddTarget(char* arguments) {
  if (count_ == capacity_) {
    const int grown = capacity_ == 0 ? 64 : capacity_ * 2;
    void* memory = realloc(static_cast<void*>(targets_), static_cast<size_t>(grown) * sizeof(Target));
    if (memory == nullptr) return Refuse(count_, ENOMEM);
    targets_ = static_cast<Target*>(memory);
    capacity_ = grown;
  }
  Target& target = *new (&targets_[count_]) Target();
  target.level = atoi(NextWord(&arguments));
  target.mount_id = strtoll(NextWord(&arguments), nullptr, 10);
  char* path = NextWord(&arguments);
  if (!DecodeHex(path)) return Refuse(count_, EINVAL);
  target.path = strdup(path);
  if (target.path == nullptr) return Refuse(count_, ENOMEM);
  if (target.level < 0 || target.level < levels_ - 1) return Refuse(count_, EINVAL);
  levels_ = target.level + 1;
  count_ += 1;
}

// prepare DEADLINE-MS WITHIN-MS FLUSH-MS EXPEDITE COOKIE HEX-STATE-DIRECTORY
void Session::Prepare(char* arguments) {
  deadline_ms_ = strtoll(NextWord(&arguments), nullptr, 10);
  within_ms_ = strtoll(NextWord(&arguments), nullptr, 10);
  flush_ms_ = strtoll(NextWord(&arguments), nullptr, 10);
  const bool expedite = strcmp(NextWord(&arguments), "1") == 0;
  snprintf(cookie_, sizeof cookie_, "%s", NextWord(&arguments));
  char* directory = NextWord(&arguments);
  if (!DecodeHex(directory)) return Refuse(-1, EINVAL);

  // Before anything else is opened, and the first time before there are threads and locked memory, which a fork would copy.
  const int own[] = {control_.fd(), endings_.get(), deadline_.get(), step_limit_.get(), workers_.event()};
  if (const int error = watch_.Start(count_, own, std::size(own)); error != 0) return Refuse(-1, error);
  ListAs(Role::kGuardian);
  for (int i = 0; i < count_; ++i) {
    Target& target = targets_[i];
    target.frozen = &watch_.progress->frozen[i];
    if (const int error = OpenMountPoint(target.path, target.mount_id, target.directory); error != 0) return Refuse(i, error);
  }
  if (expedite) grace_periods_.Open();
  // One that was killed a moment ago can be done without, as one that is killed later.
  if (const int error = watch_.Take(targets_, count_, grace_periods_); error != 0 && error != EPIPE && error != ECONNRESET) return Refuse(-1, error);
  Listen(directory);
  output_capacity_ = kOutputBytes + static_cast<size_t>(count_) * kReportBytes;
  if (!control_.Attach(Descriptor(), output_capacity_)) return Refuse(-1, ENOMEM);
  for (Peer& client : clients_) {
    if (!client.Attach(Descriptor(), output_capacity_)) return Refuse(-1, ENOMEM);
  }
  // Room for a whole report although nobody reads: a stopped agent finds it when it goes on.
  const int bytes = static_cast<int>(std::min<size_t>(output_capacity_ * 2, 8 << 20));
  setsockopt(control_.fd(), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
  // What comes later is locked as it comes.
  if (!locked_) locked_ = LockMemory();
  if (!workers_.Start(targets_, count_)) return Refuse(-1, errno);
  phase_ = Phase::kReady;
  control_.Say("ready %d %d %d %d\n", static_cast<int>(getpid()), locked_ ? 1 : 0, listener_ ? 1 : 0, spared_ ? 1 : 0);
}

void Session::Refuse(int index, int error) {
  control_.Say("refused %d %d\n", index, error);
  control_.Write();
  finished_ = true;
}

// again: another freeze by the same process, with its threads, its memory and its watch. Of the last one nothing stays open.
void Session::Again() {
  if (!MayRest()) return Refuse(-1, EBUSY);
  watch_.Rest();
  for (Peer& client : clients_) client.Close();
  LeaveSocket();
  state_directory_.Reset();
  for (int i = 0; i < count_; ++i) {
    free(const_cast<char*>(targets_[i].path));
    targets_[i].~Target();
  }
  count_ = levels_ = 0;
  Arm(step_limit_, 0);
  freeze_failed_ = held_ = dismissed_ = false;
  cookie_[0] = '\0';
  reason_ = "";
  phase_ = Phase::kGathering;
  ListAs(Role::kSpare);
}

// sweep MOUNT-ID HEXPATH: thaws what is none of the session's, by whomever it was frozen. Waits for the kernel, and for an
// agent that does not read its answers: nothing else is left to do then.
void Session::Sweep(char* arguments) {
  const int64_t mount_id = strtoll(NextWord(&arguments), nullptr, 10);
  char* path = NextWord(&arguments);
  Descriptor directory;
  int64_t thawed_at = 0;
  int error = DecodeHex(path) ? OpenMountPoint(path, mount_id, directory) : EINVAL;
  if (error == 0) error = ThawCompletely(directory.get(), thawed_at);
  SaySwept(error, thawed_at);
}

// uncover DEVICE HEXPATH: the same for one that other mounts cover.
void Session::Uncover(char* arguments) {
  const char* device = NextWord(&arguments);
  char* path = NextWord(&arguments);
  int64_t thawed_at = 0;
  const int error = DecodeHex(path) ? ThawUncovered(path, device, thawed_at) : EINVAL;
  SaySwept(error, thawed_at);
}

// unclaimed HEXNODE: whether a block device is nobody's. A file system that was unmounted while it was frozen stays so,
// and keeps its device claimed (open(2), O_EXCL for block devices); one that is gone needs no thaw.
void Session::Unclaimed(char* arguments) {
  char* node = NextWord(&arguments);
  int error = EINVAL;
  if (DecodeHex(node)) error = Descriptor(open(node, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC)) ? 0 : errno;
  SaySwept(error == EBUSY ? EBUSY : 0, 0);
}

void Session::SaySwept(int error, int64_t thawed_at) {
  control_.Say("swept %d %" PRId64 "\n", error, thawed_at);
  control_.MakeRoom();
}

void Session::BeginFlush() {
  phase_ = Phase::kFlushing;
  flush_round_ = 0;
  flush_started_ = Nanoseconds(CLOCK_MONOTONIC);
  flush_round_started_ = flush_started_;
  Arm(step_limit_, flush_ms_);
  Lock lock(workers_.mutex());
  for (int i = 0; i < count_; ++i) workers_.Submit(Job::kFlush, i);
}

void Session::Advance() {
  for (bool moved = true; moved && !finished_;) {
    switch (phase_) {
      case Phase::kFlushing: moved = AdvanceFlush(); break;
      case Phase::kFreezing: moved = AdvanceFreeze(); break;
      case Phase::kThawing: moved = AdvanceThaw(); break;
      case Phase::kOver: EndIfIdle(); moved = false; break;
      default: moved = false;
    }
  }
}

bool Session::AdvanceFlush() {
  const int64_t now = Nanoseconds(CLOCK_MONOTONIC);
  {
    Lock lock(workers_.mutex());
    if (workers_.outstanding(Job::kFlush) > 0) return false;
    flush_round_ += 1;
    const bool short_round = now - flush_round_started_ < kShortRoundNs;
    const bool time_left = flush_ms_ == 0 || now - flush_started_ < flush_ms_ * 1'000'000 / 2;
    if (!short_round && time_left && flush_round_ < kMostRounds) {
      flush_round_started_ = now;
      for (int i = 0; i < count_; ++i) workers_.Submit(Job::kFlush, i);
      return false;
    }
  }
  EndFlush();
  return true;
}

void Session::EndFlush() {
  Arm(step_limit_, 0);
  {
    Lock lock(workers_.mutex());
    for (int i = 0; i < count_; ++i) {
      const Target& target = targets_[i];
      control_.Say("flushed %d %d %" PRId64 "\n", i, target.flushing ? ETIMEDOUT : target.flush_error, target.flush_ns);
    }
  }
  control_.Say("flush-done\n");
  phase_ = Phase::kReady;
}

void Session::BeginFreeze() {
  level_ = 0;
  {
    Lock lock(workers_.mutex());
    // A flush that hangs means a freeze that will: better said before anything is frozen.
    for (int i = 0; i < count_; ++i) {
      if (!targets_[i].flushing) continue;
      targets_[i].freeze_tried = true;
      targets_[i].freeze_error = ETIMEDOUT;
      freeze_failed_ = true;
    }
  }
  phase_ = Phase::kFreezing;
  if (freeze_failed_) {
    ReportFreezes("late");
    return BeginThaw("failure");
  }
  watch_.BeginDeadline(deadline_ms_);
  watch_.progress->expedited = true;
  grace_periods_.Begin();
  Arm(deadline_, deadline_ms_);
  Arm(step_limit_, within_ms_);
  SubmitFreezeLevel();
}

void Session::SubmitFreezeLevel() {
  Lock lock(workers_.mutex());
  for (int i = 0; i < count_; ++i) {
    if (targets_[i].level == level_) workers_.Submit(Job::kFreeze, i);
  }
}

bool Session::AdvanceFreeze() {
  {
    Lock lock(workers_.mutex());
    if (workers_.outstanding(Job::kFreeze) > 0) return false;
    for (int i = 0; i < count_; ++i) {
      const Target& target = targets_[i];
      // Cannot freeze, or frozen by somebody else already: passed over, as in qemu-ga 11.1.
      const bool harmless = target.freeze_error == 0 || target.freeze_error == EOPNOTSUPP || target.freeze_error == EBUSY;
      if (target.freeze_tried && !harmless) freeze_failed_ = true;
    }
  }
  if (freeze_failed_) {
    ReportFreezes("failed");
    BeginThaw("failure");
    return true;
  }
  level_ += 1;
  if (level_ < levels_) {
    SubmitFreezeLevel();
    return true;
  }
  EndExpedited();
  Arm(step_limit_, 0);
  phase_ = Phase::kFrozen;
  ReportFreezes("frozen");
  return true;
}

void Session::EndExpedited() {
  if (watch_.progress->expedited) grace_periods_.End();
  watch_.progress->expedited = false;
}

void Session::ReportFreezes(const char* verdict) {
  {
    Lock lock(workers_.mutex());
    for (int i = 0; i < count_; ++i) {
      const Target& target = targets_[i];
      if (!target.freeze_tried) continue;
      control_.Say("frozen %d %d %" PRId64 " %" PRId64 "\n", i, FreezeError(target), target.frozen_at, target.freeze_ns);
    }
  }
  control_.Say("freeze-done %s\n", verdict);
}

void Session::BeginThaw(const char* reason) {
  switch (phase_) {
    case Phase::kGathering:
    case Phase::kThawing:
    case Phase::kOver:
      return;
    case Phase::kFreezing:
      // The agent waits for its answer, unless it got it with the failure that led here.
      if (!freeze_failed_) ReportFreezes(reason);
      break;
    case Phase::kFlushing:
      EndFlush();
      break;
    case Phase::kReady:
    case Phase::kFrozen:
      break;
  }
  EndExpedited();
  watch_.progress->thawing = true;
  reason_ = reason;
  phase_ = Phase::kThawing;
  Arm(deadline_, 0);
  {
    Lock lock(workers_.mutex());
    workers_.Abort();
  }
  level_ = levels_ - 1;
  SubmitThawLevel();
}

// Backing stores first: a thaw writes its superblock, and that must not wait for a disk that is still frozen.
void Session::SubmitThawLevel() {
  Arm(step_limit_, kThawLevelMs);
  Lock lock(workers_.mutex());
  for (int i = 0; i < count_; ++i) {
    if (targets_[i].level == level_ && targets_[i].stage == Stage::kFrozen && !targets_[i].thawing) {
      workers_.Submit(Job::kThaw, i);
    }
  }
}

bool Session::AdvanceThaw() {
  if (level_ >= 0) {
    {
      Lock lock(workers_.mutex());
      for (int i = 0; i < count_; ++i) {
        if (targets_[i].level == level_ && targets_[i].thawing) return false;
      }
    }
    level_ -= 1;
    SubmitThawLevel();
    return true;
  }
  // After the last level the step limit counts once more, for those that were left hanging.
  if (level_ == -1) {
    Lock lock(workers_.mutex());
    if (workers_.outstanding(Job::kThaw) > 0) return false;
  }
  EndThaw();
  return true;
}

void Session::EndThaw() {
  Arm(step_limit_, 0);
  {
    Lock lock(workers_.mutex());
    for (int i = 0; i < count_; ++i) {
      const Target& target = targets_[i];
      if (target.stage == Stage::kThawed && target.frozen_at == 0) continue;
      // One that still freezes is thawed by its own thread as soon as it comes back, and this process stays until then.
      const int error = target.stage == Stage::kFreezing ? EINPROGRESS : target.thawing ? ETIMEDOUT : target.thaw_error;
      Tell("thawed %d %d %" PRId64 "\n", i, error, target.thawed_at);
    }
  }
  Tell("ended %s %" PRId64 "\n", reason_, Nanoseconds(CLOCK_REALTIME));
  phase_ = Phase::kOver;
  Arm(step_limit_, kLingerMs);
}

bool Session::IsIdle() {
  Lock lock(workers_.mutex());
  for (int i = 0; i < count_; ++i) {
    if (targets_[i].thawing || targets_[i].stage == Stage::kFreezing) return false;
  }
  return true;
}

// Every thread has come back from the kernel, and nothing is frozen.
bool Session::MayRest() {
  Lock lock(workers_.mutex());
  return workers_.idle() && std::all_of(targets_, targets_ + count_, [](const Target& target) { return target.stage == Stage::kThawed; });
}

// The process is needed until the last call has come back out of the kernel, however long that takes.
void Session::EndIfIdle() {
  if ((control_ && !dismissed_) || !IsIdle()) return;
  finished_ = true;
  control_.Write();
  for (Peer& client : clients_) client.Write();
}

void Session::Listen(const char* directory) {
  state_directory_ = Descriptor(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!state_directory_) return;
  // Through /proc, because the path of a socket ends at 107 bytes (unix(7)).
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", state_directory_.get(), kSocketName);
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // What lies there is of a guardian that was killed, or of one that only waits for a call to return.
  unlink(address.sun_path);
  if (!socket || bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
  struct stat status{};
  if (fstatat(state_directory_.get(), kSocketName, &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  socket_inode_ = status.st_ino;
  if (listen(socket.get(), kMostClients) == 0) listener_ = std::move(socket);
}

void Session::Unlink() {
  struct stat status{};
  if (!listener_ || fstatat(state_directory_.get(), kSocketName, &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  // A later guardian may have put its own there.
  if (status.st_ino == socket_inode_) unlinkat(state_directory_.get(), kSocketName, 0);
}

// Whoever has come in the meantime is told that it is over, and finds no broken word.
void Session::LeaveSocket() {
  Unlink();
  while (listener_) {
    Descriptor late(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!late) break;
    if (!IsOwnUser(late.get())) continue;
    char line[kGreetingBytes];
    const size_t size = Greeting(line);
    [[maybe_unused]] const ssize_t sent = send(late.get(), line, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  listener_.Reset();
}

void Session::Accept() {
  Descriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket || !IsOwnUser(socket.get())) return;
  for (Peer& client : clients_) {
    if (client) continue;
    client.Attach(std::move(socket), output_capacity_);
    Greet(client);
    return;
  }
}

size_t Session::Greeting(char (&line)[kGreetingBytes]) const {
  static constexpr const char* kNames[] = {"gathering", "ready", "flushing", "freezing", "frozen", "thawing", "over"};
  return static_cast<size_t>(snprintf(line, sizeof line, "session %s %s %d\n", cookie_, kNames[static_cast<int>(phase_)], static_cast<int>(getpid())));
}

void Session::Greet(Peer& client) {
  char line[kGreetingBytes];
  Greeting(line);
  client.Say("%s", line);
}

void Session::Tell(const char* format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  control_.Say("%s", line);
  for (Peer& client : clients_) client.Say("%s", line);
}

}  // namespace concierge::guardian
