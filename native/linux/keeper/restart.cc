// SPDX-License-Identifier: Apache-2.0
// The service is stopped, or started anew: programs go on, whose parent can be no other process than this one. So it stays
// behind, as no process of the service any more, and tells the keeper of the next start what becomes of them (docs/keeper.md).

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "agent_process.h"
#include "front_process.h"
#include "keeper.h"

#ifndef CONCIERGE_VERSION
#define CONCIERGE_VERSION "unknown"
#endif

namespace concierge::keeper {
namespace {

// As the service manager knows the socket between the two (sd_notify(3), FDSTORE=1).
constexpr char kStoreName[] = "concierge-keeper";
// sd_listen_fds(3).
constexpr int kFirstGiven = 3;
// For one packet of a keeper that has left everything in its socket before it stopped being one.
constexpr int kTellingMs = 5000;

// A service manager that does not let go of this process for so long has not taken another one for it.
constexpr int64_t kLeavingMs = 20'000;

// As which an agent has what stands for the process of a program held.
constexpr char kProcessName[] = "program-%llu-4";

// struct pidfd_info of linux/pidfd.h, newer than the oldest headers that this is built with; the first 64 bytes are for ever.
struct ProcessInfo {
  uint64_t mask;
  uint64_t others[6];
  uint32_t other;
  int32_t exit_code;  // as of waitpid(2)
};
static_assert(sizeof(ProcessInfo) == 64);
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, ProcessInfo);  // PIDFD_GET_INFO
constexpr uint64_t kInfoOfEnd = 1 << 3;                             // PIDFD_INFO_EXIT, of Linux 6.15: once it has been reaped

bool Is(const char* text, const char* from, const char* to) {
  return strlen(text) == static_cast<size_t>(to - from) && strncmp(text, from, static_cast<size_t>(to - from)) == 0;
}

// What the service manager has kept is given with the sockets of activation, behind them, and is none of those.
Descriptor TakeStored() {
  const char* pid = getenv("LISTEN_PID");
  const char* fds = getenv("LISTEN_FDS");
  const char* names = getenv("LISTEN_FDNAMES");
  if (pid == nullptr || fds == nullptr || names == nullptr || atoi(pid) != getpid()) return Descriptor();
  const int count = atoi(fds);
  int number = 0;
  const char* name = names;
  for (; number < count; number++) {
    const char* end = strchrnul(name, ':');
    if (Is(kStoreName, name, end)) break;
    if (*end == '\0') return Descriptor();
    name = end + 1;
  }
  if (number != count - 1) return Descriptor();
  Descriptor stored(kFirstGiven + number);
  fcntl(stored.get(), F_SETFD, FD_CLOEXEC);
  if (number == 0) {
    for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(variable);
    return stored;
  }
  char text[16];
  snprintf(text, sizeof text, "%d", number);
  setenv("LISTEN_FDS", text, 1);
  // `names` is the environment's own and goes with it.
  if (char* rest = strndup(names, static_cast<size_t>(name - names) - 1); rest != nullptr) {
    setenv("LISTEN_FDNAMES", rest, 1);
    free(rest);
  }
  return stored;
}

}  // namespace

// -- the one that stays behind ----------------------------------------------------------------------------

// True: from now on another process counts as the service, and has ended.
bool Keeper::Leave() {
  if (programs_.end() == 0 || !manager_.exists() || !manager_.stores() || !IsOfServiceManager()) return false;
  for (size_t index = 0; index < holdings_.end(); index++) {
    Held& held = holdings_.at(index);
    if (held.used() && held.kind != Kind::kKeeper && !IsOfProgram(held.name)) holdings_.Drop(held);
  }
  Descriptor theirs, go;
  agent_.Reset();
  if (!MakePair(agent_, theirs)) return false;
  const pid_t front = StartFront(go, status_);
  if (front < 0) return false;
  char text[128];
  int size = snprintf(text, sizeof text, "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", kStoreName);
  manager_.Notify(text, static_cast<size_t>(size), theirs.get());
  theirs.Reset();
  size = snprintf(text, sizeof text, "MAINPID=%d", front);
  manager_.Notify(text, static_cast<size_t>(size));
  if (!manager_.Waited()) return false;
  has_left_ = true;
  finished_ = asleep_ = greeted_ = false;
  status_ = 0;
  Watch(agent_, kAgent, EPOLLIN);
  Answer("keeper %s %s restart", kProtocol, CONCIERGE_VERSION);
  told_ = 0;
  telling_ = true;
  Tell();
  Publish("left");
  Pause(kLeavingMs);
  EndIfOver();
  // With `go`, which is closed here, the front ends.
  return true;
}

// What has been said stays in the socket when this process is gone.
void Keeper::EndIfOver() {
  if (!telling_ && !programs_.HasChild()) finished_ = true;
}

void Keeper::OnSuccessor() {
  for (;;) {
    const Received received = Receive(agent_.get(), packet_, kLargestPacket);
    if (received.size < 0 && errno == EAGAIN) return;
    if (received.size < 0 && errno == ECONNRESET) continue;
    if (received.size <= 0) break;
    if (strncmp(packet_, "agent ", 6) != 0) continue;
    // It has everything, the pipes too.
    greeted_ = true;
    Pause(-1);
    for (size_t index = 0; index < holdings_.end(); index++) {
      if (holdings_.at(index).used()) Unwatch(holdings_.at(index));
    }
  }
  agent_.Reset();
  telling_ = false;
  if (greeted_) {
    finished_ = true;
  } else {
    Drain();
  }
}

// Nobody comes. Programs are to go on nevertheless, and not to be ended by SIGPIPE.
void Keeper::Drain() {
  for (size_t index = 0; index < holdings_.end(); index++) {
    Held& held = holdings_.at(index);
    if (!held.used()) continue;
    struct stat status;
    if (fstat(held.descriptor, &status) == 0 && S_ISFIFO(status.st_mode)) {
      fcntl(held.descriptor, F_SETFL, fcntl(held.descriptor, F_GETFL) | O_NONBLOCK);
      held.kind = Kind::kWaste;
    } else {
      Unwatch(held);
    }
  }
  waiting_.Begin();
  Pause(-1);
}

// -- the one that comes -----------------------------------------------------------------------------------

void Keeper::Succeed() {
  Descriptor socket = TakeStored();
  if (!socket) return;
  char text[64];
  const int size = snprintf(text, sizeof text, "FDSTOREREMOVE=1\nFDNAME=%s", kStoreName);
  manager_.Notify(text, static_cast<size_t>(size));
  if (!TakeOver(socket)) return manager_.Say("what runs since before the restart is not known");
  Send(socket.get(), "agent 1", 7);
  char name[16];
  int number = 1;
  // Nor that of one that was killed.
  while (snprintf(name, sizeof name, "before-%d", number) > 0 && (holdings_.Find(name) != nullptr || programs_.HasOf(number))) number++;
  programs_.AreOf(number);
  holdings_.Keep(name, Kind::kKeeper, "", static_cast<Descriptor&&>(socket));
  WatchEarlierKeepers();
}

// All that it has left, to its `go`.
bool Keeper::TakeOver(const Descriptor& socket) {
  for (;;) {
    pollfd input{socket.get(), POLLIN, 0};
    if (poll(&input, 1, kTellingMs) <= 0) return false;
    Received received = Receive(socket.get(), packet_, kLargestPacket);
    if (received.size <= 0) return false;
    char* rest = packet_;
    const char* word = NextWord(&rest);
    if (strcmp(word, "go") == 0) return true;
    if (strcmp(word, "keeper") == 0) {
      if (strcmp(NextWord(&rest), kProtocol) != 0) return false;
    } else if (strcmp(word, "held") == 0) {
      const char* name = NextWord(&rest);
      Kind kind;
      char none[] = "";
      if (!ParseKind(NextWord(&rest), kind)) continue;
      holdings_.Keep(name, kind, rest == nullptr ? none : rest, static_cast<Descriptor&&>(received.descriptor));
    } else if (strcmp(word, "program") == 0 || strcmp(word, "ended") == 0) {
      const bool ended = word[0] == 'e';
      const uint64_t serial = strtoull(NextWord(&rest), nullptr, 10);
      const auto pid = static_cast<pid_t>(strtol(NextWord(&rest), nullptr, 10));
      // No number of a keeper: a child of the one that says this.
      const int keeper = ended ? 0 : static_cast<int>(strtol(NextWord(&rest), nullptr, 10));
      programs_.Add(serial, pid, keeper > 0 ? keeper : kSomeKeeper);
      if (ended) programs_.EndElsewhere(serial, static_cast<int>(strtol(NextWord(&rest), nullptr, 10)));
    }
  }
}

bool Keeper::IsEarlierKeeper(uint32_t datum) {
  const size_t index = datum - Waiting::kChannel;
  return datum >= Waiting::kChannel && index < holdings_.end() && holdings_.at(index).used() && holdings_.at(index).kind == Kind::kKeeper;
}

void Keeper::OnEarlierKeeper(uint32_t datum) {
  Held& held = holdings_.at(datum - Waiting::kChannel);
  // Left to the next one, whose parent of programs it is then.
  if (has_left_) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, held.descriptor, nullptr);
    return;
  }
  for (;;) {
    const Received received = Receive(held.descriptor, packet_, kLargestPacket);
    if (received.size < 0 && errno == EAGAIN) return;
    if (received.size < 0 && errno == ECONNRESET) continue;
    if (received.size <= 0) {
      Unwatch(held);
      return WatchLost();
    }
    char* rest = packet_;
    if (strcmp(NextWord(&rest), "ended") != 0) continue;
    const uint64_t serial = strtoull(NextWord(&rest), nullptr, 10);
    NextWord(&rest);
    const Program* program = programs_.EndElsewhere(serial, static_cast<int>(strtol(NextWord(&rest), nullptr, 10)));
    if (program != nullptr && IsHeard()) TellOf(*program);
  }
}

// Another keeper may have it still: then it would stay in the set of this one, hung up and told of for ever.
void Keeper::Unwatch(Held& held) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, held.descriptor, nullptr);
  holdings_.Drop(held);
}

void Keeper::WatchEarlierKeepers() {
  for (size_t index = 0; index < holdings_.end(); index++) {
    const Held& held = holdings_.at(index);
    if (!held.used() || held.kind != Kind::kKeeper) continue;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = Waiting::kChannel + static_cast<uint32_t>(index);
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, held.descriptor, &event);
  }
  WatchLost();
}

// -- programs of one that was killed ----------------------------------------------------------------------

bool Keeper::IsKept(int keeper) {
  char name[16];
  snprintf(name, sizeof name, "before-%d", keeper);
  if (keeper != kSomeKeeper) return holdings_.Find(name) != nullptr;
  for (size_t index = 0; index < holdings_.end(); index++) {
    if (holdings_.at(index).used() && holdings_.at(index).kind == Kind::kKeeper) return true;
  }
  return false;
}

// Their parent has gone with nothing said of their end. What stands for the process tells that it has ended (pidfd_open(2)).
void Keeper::WatchLost() {
  for (size_t index = 0; index < programs_.end(); index++) {
    const Program& program = programs_.at(index);
    if (!program.used() || program.ended || program.elsewhere == 0 || IsKept(program.elsewhere)) continue;
    char name[kLongestName + 1];
    snprintf(name, sizeof name, kProcessName, static_cast<unsigned long long>(program.serial));
    const Held* held = holdings_.Find(name);
    if (held == nullptr) continue;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLONESHOT;
    event.data.u32 = Waiting::kChannel + static_cast<uint32_t>(held - &holdings_.at(0));
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, held->descriptor, &event);
  }
}

bool Keeper::IsOfLost(uint32_t datum, uint64_t& serial) {
  const size_t index = datum - Waiting::kChannel;
  if (datum < Waiting::kChannel || index >= holdings_.end() || !holdings_.at(index).used()) return false;
  unsigned long long number;
  char name[kLongestName + 1];
  if (sscanf(holdings_.at(index).name, kProcessName, &number) != 1) return false;
  snprintf(name, sizeof name, kProcessName, number);
  serial = number;
  return strcmp(holdings_.at(index).name, name) == 0;
}

void Keeper::OnLost(Held& held, uint64_t serial, uint32_t events) {
  // An event of a moment ago may be of what had this place before.
  pollfd polled{held.descriptor, POLLIN, 0};
  if (has_left_ || poll(&polled, 1, 0) <= 0) return;
  ProcessInfo info{};
  info.mask = kInfoOfEnd;
  const bool answers = ioctl(held.descriptor, kGetInfo, &info) == 0;
  const bool tells = answers && (info.mask & kInfoOfEnd) != 0;
  if (answers && !tells && (events & EPOLLHUP) == 0) {
    // Its parent of now has not reaped it yet: before that the kernel does not tell.
    epoll_event event{};
    event.events = EPOLLONESHOT;
    event.data.u32 = Waiting::kChannel + static_cast<uint32_t>(&held - &holdings_.at(0));
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, held.descriptor, &event);
    return;
  }
  const Program* program = programs_.EndElsewhere(serial, tells ? info.exit_code : kUnknownStatus);
  if (program != nullptr && IsHeard()) TellOf(*program);
}

}  // namespace concierge::keeper
