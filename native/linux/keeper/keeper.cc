// SPDX-License-Identifier: Apache-2.0
#include "keeper.h"

#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "agent_process.h"
#include "guardian_process.h"
#include "own_file.h"

#ifndef CONCIERGE_VERSION
#define CONCIERGE_VERSION "unknown"
#endif

namespace concierge::keeper {
namespace {

// An agent that has lived for so long has not died of what killed the last one.
constexpr int64_t kLifeMs = 60'000;
// The first death costs no pause; the pauses after that double.
constexpr int64_t kFirstPauseMs = 100;
constexpr int64_t kLongestPauseMs = 60'000;
// The end does not wait longer for files to go that lie on a disk that hangs.
constexpr int64_t kLastFilesMs = 1000;
// Events taken at once.
constexpr int kEvents = 16;

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

int64_t PauseAfter(int deaths) {
  int64_t pause = kFirstPauseMs;
  for (int death = 2; death < deaths && pause < kLongestPauseMs; death++) pause *= 2;
  return deaths < 2 ? 0 : pause < kLongestPauseMs ? pause : kLongestPauseMs;
}

}  // namespace

Keeper::Keeper(const char* program, char** words, char** agent_words, Descriptor epoll, Descriptor signals, Descriptor pause, Holdings& holdings, Programs& programs)
    : program_(program),
      words_(words),
      agent_words_(agent_words),
      epoll_(static_cast<Descriptor&&>(epoll)),
      signals_(static_cast<Descriptor&&>(signals)),
      pause_(static_cast<Descriptor&&>(pause)),
      holdings_(holdings),
      programs_(programs),
      waiting_(epoll_.get(), holdings) {}

int Keeper::Run(const Reign* reign) {
  manager_.Find();
  status_file_.Open();
  Watch(signals_, kSignals, EPOLLIN);
  Watch(pause_, kPause, EPOLLIN);
  if (reign != nullptr) {
    Resume(*reign);
  } else {
    Succeed();
    Start("start");
  }
  Serve();
  if (Leave()) Serve();
  return status_;
}

void Keeper::Serve() {
  while (!finished_) {
    epoll_event events[kEvents];
    const int count = epoll_wait(epoll_.get(), events, kEvents, -1);
    // EINTR, of a stop and of strace(1): nothing has happened.
    if (count < 0) continue;
    for (int index = 0; index < count && !finished_; index++) OnEvent(events[index]);
    if (has_left_) EndIfOver();
    Publish(doing_);
  }
}

void Keeper::Watch(const Descriptor& descriptor, Datum datum, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u32 = datum;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor.get(), &event) < 0) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor.get(), &event);
  }
}

void Keeper::OnEvent(const epoll_event& event) {
  const uint32_t datum = event.data.u32;
  if (datum == kSignals) return OnSignals();
  if (datum == kPause) {
    uint64_t times;
    if (read(pause_.get(), &times, sizeof times) != sizeof times) return;
    if (removing_ > 0 || has_left_) {
      finished_ = true;
    } else if (pid_ < 0 && !ending_) {
      StartAfterDeath();
    }
    return;
  }
  if (datum == kAgent) {
    if ((event.events & EPOLLOUT) != 0 && telling_) Tell();
    if ((event.events & ~EPOLLOUT) != 0) has_left_ ? OnSuccessor() : OnAgent();
    return;
  }
  if (IsEarlierKeeper(datum)) return OnEarlierKeeper(datum);
  if (has_left_) {
    waiting_.Wakes(datum, event.events);
    return;
  }
  uint64_t serial;
  if (IsOfLost(datum, serial)) return OnLost(holdings_.at(datum - Waiting::kChannel), serial, event.events);
  // Others of the same look may have been of a time before an agent was woken.
  if (asleep_ && !awaited_ && !ending_ && waiting_.Wakes(datum, event.events)) Wake();
}

// -- the agent as a process -------------------------------------------------------------------------------

void Keeper::Start(const char* reason) {
  Descriptor theirs;
  asleep_ = awaited_ = greeted_ = renews_ = hung_up_ = false;
  started_at_ = Now();
  if (!MakePair(agent_, theirs)) return AgentGone(-errno);
  Watch(agent_, kAgent, EPOLLIN);
  Answer("keeper %s %s %s", kProtocol, CONCIERGE_VERSION, reason);
  told_ = 0;
  telling_ = true;
  // Before there is anybody to read it: what fits is there when the agent looks.
  Tell();
  pid_ = StartAgent(agent_words_, theirs);
  if (pid_ < 0) return AgentGone(-errno);
  starts_++;
  Publish("awake");
}

void Keeper::StartAfterDeath() {
  char reason[96];
  snprintf(reason, sizeof reason, "died %s %d", last_death_, deaths_);
  Start(reason);
}

void Keeper::Wake() {
  waiting_.End();
  if (pid_ < 0) return Start("input");
  // It has handed over everything, and takes its time to end.
  awaited_ = true;
  kill(pid_, SIGKILL);
}

void Keeper::OnSignals() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) {
      Reap();
    } else if (has_left_) {
      finished_ = signal == SIGTERM || signal == SIGINT;
    } else if (signal == SIGHUP) {
      // A log file to be opened anew; one that sleeps will. It would be the end of one that has not come so far as to expect it.
      hung_up_ = pid_ > 0 && !greeted_;
      if (pid_ > 0 && !asleep_ && greeted_) kill(pid_, SIGHUP);
    } else if (signal == SIGUSR2) {
      TryReplacement();
    } else {
      if (removing_ > 0) return;
      ending_ = true;
      if (pid_ < 0) return Finish(0);
      // Before the signal, so that the agent knows when it looks: nobody comes after it.
      Answer("ending");
      kill(pid_, signal);
    }
    if (finished_) return;
  }
}

// Also what others have left behind: as the first process of a container it is their parent.
void Keeper::Reap() {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == pid_) {
      AgentGone(status);
    } else if (pid == removing_) {
      finished_ = true;
    } else if (pid == trial_) {
      trial_ = -1;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        Replace();
      } else {
        manager_.Say("the new keeper cannot take the place of this one, which goes on");
      }
    } else if (const Program* program = programs_.Reaped(pid, status); program != nullptr && IsHeard()) {
      // Twice, perhaps, where the rest is still being told; once is enough for the agent.
      TellOf(*program);
    }
    if (finished_) return;
  }
}

// `status` as of waitpid(2), or the negative errno for which there is no agent.
void Keeper::AgentGone(int status) {
  // What it has said before counts.
  if (agent_) OnAgent();
  agent_.Reset();
  telling_ = false;
  pid_ = -1;
  const bool exited = status >= 0 && WIFEXITED(status);
  const int code = exited ? WEXITSTATUS(status) : 1;
  if (ending_) return Finish(exited ? code : 0);
  if (says_end_) return Finish(code);
  if (asleep_) {
    if (awaited_ || renews_) {
      waiting_.End();
      Start(renews_ ? "update" : "input");
    }
    return;
  }
  // It never was an agent: `--version`, a mistake in the options, a program that cannot be executed.
  if (exited && !ever_greeted_) return Finish(code);

  if (Now() - started_at_ >= kLifeMs) deaths_ = 0;
  deaths_++;
  all_deaths_++;
  if (status < 0) {
    snprintf(last_death_, sizeof last_death_, "error-%d", -status);
  } else {
    snprintf(last_death_, sizeof last_death_, "%s-%d", exited ? "status" : "signal", exited ? code : WTERMSIG(status));
  }
  const int64_t pause = PauseAfter(deaths_);
  manager_.Say("the agent has ended (%s), %d in a row; the next one starts in %lld.%lld s", last_death_, deaths_,
               static_cast<long long>(pause / 1000), static_cast<long long>(pause % 1000 / 100));
  Pause(pause);
  Publish("pausing");
}

// No more than once; −1: not at all.
void Keeper::Pause(int64_t ms) {
  itimerspec when{};
  if (ms >= 0) when.it_value.tv_sec = ms / 1000;
  // 0 would disarm it.
  if (ms >= 0) when.it_value.tv_nsec = ms % 1000 * 1'000'000 + 1;
  timerfd_settime(pause_.get(), 0, &when, nullptr);
}

// What an agent would have taken away if it had been there.
void Keeper::Finish(int status) {
  if (removing_ > 0) return;
  ending_ = true;
  status_ = status;
  if (asleep_) waiting_.End();
  removing_ = RemoveFiles(nullptr);
  finished_ = removing_ <= 0;
  if (!finished_) Pause(kLastFilesMs);
}

// In a child, for the disk may hang. −1: there are none.
pid_t Keeper::RemoveFiles(const Held* only) {
  bool any = false;
  for (size_t index = 0; index < holdings_.end() && !any; index++) {
    const Held& held = holdings_.at(index);
    any = held.used() && held.kind == Kind::kFile && (only == nullptr || only == &held);
  }
  if (!any) return -1;
  const pid_t pid = fork();
  if (pid != 0) return pid;
  for (size_t index = 0; index < holdings_.end(); index++) {
    const Held& held = holdings_.at(index);
    if (held.used() && held.kind == Kind::kFile && (only == nullptr || only == &held)) RemoveOwnFile(held.descriptor);
  }
  _exit(0);
}

// Another one takes its place, or nobody wants it any more.
void Keeper::LetGo(Held& held) {
  RemoveFiles(&held);
  if (asleep_) waiting_.Forget(held);
  // A program that is waited for itself (WatchLost): an agent has another descriptor of it, with which it would stay in the set.
  if (IsOfProgram(held.name)) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, held.descriptor, nullptr);
}

// -- another keeper in the place of this one --------------------------------------------------------------

// The program may be missing, broken, or on a disk that hangs: a child finds out, and this one goes on meanwhile.
void Keeper::TryReplacement() {
  if (trial_ > 0 || ending_) return;
  trial_ = fork();
  if (trial_ != 0) return;
  execl(program_, program_, "--takes-over", FormatOf(holdings_, programs_), static_cast<char*>(nullptr));
  _exit(127);
}

// Returns where it did not work. What the agent was about to be told has been told, or is told by the next agent's start.
void Keeper::Replace() {
  if (ending_ || says_end_) return;
  if (telling_) return manager_.Say("an agent is just being started: ask again for the new keeper");
  const Reign reign{agent_ ? agent_.get() : -1, pid_, greeted_, ever_greeted_, asleep_, deaths_, started_at_, starts_, all_deaths_};
  const Descriptor state = Bequeath(reign, holdings_, programs_);
  if (state) execv(program_, words_);
  Retain(reign, holdings_);
  manager_.Say("the new keeper could not be executed, and this one goes on");
}

void Keeper::Resume(const Reign& reign) {
  agent_.Reset(reign.agent);
  pid_ = reign.pid;
  greeted_ = reign.greeted != 0;
  ever_greeted_ = reign.ever_greeted != 0;
  asleep_ = reign.asleep != 0;
  deaths_ = reign.deaths;
  started_at_ = reign.started_at;
  starts_ = reign.starts;
  all_deaths_ = reign.all_deaths;
  // Not known any more, and a log file that is opened once too often costs nothing.
  hung_up_ = !greeted_;
  if (agent_) Watch(agent_, kAgent, EPOLLIN);
  WatchEarlierKeepers();
  // What has ended in between has sent its signal to nobody who could read it.
  Reap();
  if (finished_) return;
  if (asleep_) {
    Publish("asleep");
    waiting_.Begin();
    for (size_t index = 0; index < holdings_.end(); index++) {
      if (holdings_.at(index).used() && holdings_.at(index).input != 0) return Wake();
    }
    return;
  }
  strcpy(last_death_, "unknown");
  if (pid_ < 0) return StartAfterDeath();
  renews_ = true;
  Answer("renew");
}

// -- what is said -----------------------------------------------------------------------------------------

void Keeper::Publish(const char* what) {
  if (strcmp(what, doing_) != 0 || since_ == 0) since_ = Now();
  doing_ = what;
  status_file_.Write({what, since_, pid_, starts_, all_deaths_, last_death_}, holdings_, programs_);
}

// As far as it fits; the rest when there is room.
void Keeper::Tell() {
  while (told_ < TellingEnd()) {
    const size_t held = holdings_.end();
    const bool told = told_ < 2 * held ? TellOf(told_ % held, told_ >= held) : TellOf(programs_.at(told_ - 2 * held));
    if (!told) {
      Watch(agent_, kAgent, EPOLLIN | EPOLLOUT);
      return;
    }
    told_++;
  }
  if (!Send(agent_.get(), "go", 2)) {
    if (errno == EAGAIN) Watch(agent_, kAgent, EPOLLIN | EPOLLOUT);
    return;
  }
  telling_ = false;
  Watch(agent_, kAgent, EPOLLIN);
}

// False: it has to be tried again.
bool Keeper::TellOf(size_t index, bool input) {
  const Held& held = holdings_.at(index);
  if (!held.used() || (input && held.input == 0)) return true;
  if (held.kind == Kind::kKeeper && !has_left_) return true;
  char text[kLongestName + kLongestNote + 32 + kMostInput];
  size_t size;
  if (input) {
    const Input& read = holdings_.InputOf(held);
    size = static_cast<size_t>(snprintf(text, sizeof text, "input %s\n", held.name));
    memcpy(text + size, read.bytes, read.size);
    size += read.size;
  } else {
    size = static_cast<size_t>(snprintf(text, sizeof text, "held %s %s %s", held.name, Name(held.kind), held.note));
  }
  // ETOOMANYREFS: more descriptors are under way than this user may have; they are taken sooner or later.
  return Send(agent_.get(), text, size, input ? -1 : held.descriptor) || (errno != EAGAIN && errno != ETOOMANYREFS);
}

bool Keeper::TellOf(const Program& program) {
  if (!program.used() || !agent_) return true;
  char text[96];
  int size = program.ended
      ? snprintf(text, sizeof text, "ended %llu %d %d", static_cast<unsigned long long>(program.serial), program.pid, program.status)
      : snprintf(text, sizeof text, "program %llu %d", static_cast<unsigned long long>(program.serial), program.pid);
  // For another keeper.
  if (has_left_ && !program.ended && program.elsewhere > 0) size += snprintf(text + size, sizeof text - static_cast<size_t>(size), " %d", program.elsewhere);
  return Send(agent_.get(), text, static_cast<size_t>(size)) || errno != EAGAIN;
}

void Keeper::Answer(const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  const int size = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  // Whoever does not read loses answers, and holds up nobody.
  if (agent_ && size > 0) Send(agent_.get(), text, static_cast<size_t>(size) < sizeof text ? static_cast<size_t>(size) : sizeof text - 1);
}

void Keeper::Refuse(const char* word, int error) { Answer("refused %.32s %d", word, error); }

void Keeper::OnAgent() {
  while (agent_) {
    Received received = Receive(agent_.get(), packet_, kLargestPacket);
    if (received.size < 0 && errno == EAGAIN) return;
    // It has ended with something unread, which is told once and before what it had said (unix_release_sock of Linux).
    if (received.size < 0 && errno == ECONNRESET) continue;
    if (received.size <= 0) {
      // It may live on without it; its end is told by SIGCHLD.
      agent_.Reset();
      telling_ = false;
      return;
    }
    if (received.cut) {
      // The descriptor did not fit into this process, or the packet into the buffer.
      char* rest = packet_;
      Refuse(NextWord(&rest), EMFILE);
      continue;
    }
    Hear(packet_, static_cast<size_t>(received.size), static_cast<Descriptor&&>(received.descriptor));
  }
}

void Keeper::Hear(char* packet, size_t size, Descriptor descriptor) {
  char* rest = packet;
  // Only `notify` may have more than one line, and nothing a zero.
  if (memchr(packet, '\0', size) != nullptr) return Refuse("?", EINVAL);
  const char* word = NextWord(&rest);
  char none[] = "";
  if (rest == nullptr) rest = none;
  if (strcmp(word, "agent") == 0) return HearAgent(rest);
  // The one word of an agent that finds the keeper to be of another version.
  if (strcmp(word, "end") == 0) {
    says_end_ = true;
    return;
  }
  if (!greeted_) return Refuse(word, EPROTO);
  if (strcmp(word, "keep") == 0) return HearKeep(rest, static_cast<Descriptor&&>(descriptor));
  if (strcmp(word, "drop") == 0) return HearDrop(rest);
  if (strcmp(word, "notify") == 0) return manager_.Notify(rest, size - static_cast<size_t>(rest - packet));
  if (strcmp(word, "sleep") == 0) return HearSleep();
  if (strcmp(word, "program") == 0) return HearProgram(rest);
  if (strcmp(word, "ended") == 0) return HearEnded(rest);
  if (strcmp(word, "forget") == 0) return programs_.Forget(strtoull(rest, nullptr, 10));
  if (strcmp(word, "guardian") == 0) return HearGuardian(rest, static_cast<Descriptor&&>(descriptor));
  if (strcmp(word, "took") == 0) {
    Held* held = holdings_.Find(rest);
    if (held == nullptr) return Refuse(word, ENOENT);
    return holdings_.Took(*held);
  }
  Refuse(word, ENOSYS);
}

void Keeper::HearAgent(char* rest) {
  if (strcmp(NextWord(&rest), kProtocol) != 0) return Refuse("agent", EPROTONOSUPPORT);
  greeted_ = ever_greeted_ = true;
  if (hung_up_ && pid_ > 0) kill(pid_, SIGHUP);
  hung_up_ = false;
}

void Keeper::HearKeep(char* rest, Descriptor descriptor) {
  const char* name = NextWord(&rest);
  const char* word = NextWord(&rest);
  char none[] = "";
  Kind kind;
  // Those of earlier keepers have names of their own.
  const Held* other_kind = holdings_.Find(name);
  if (!ParseKind(word, kind) || kind == Kind::kKeeper || (other_kind != nullptr && other_kind->kind == Kind::kKeeper)) return Refuse("keep", EINVAL);
  if (!descriptor) return Refuse("keep", EBADF);
  if (IsWaitedFor(kind) && !waiting_.CanWaitFor(descriptor.get())) return Refuse("keep", errno);
  if (Held* other = holdings_.Find(name); other != nullptr) LetGo(*other);
  const int error = holdings_.Keep(name, kind, rest == nullptr ? none : rest, static_cast<Descriptor&&>(descriptor));
  if (error != 0) Refuse("keep", error);
}

void Keeper::HearDrop(const char* name) {
  Held* held = holdings_.Find(name);
  if (held != nullptr && held->kind != Kind::kKeeper) {
    LetGo(*held);
    holdings_.Drop(*held);
  }
  Answer("dropped %.*s", static_cast<int>(kLongestName), name);
}

void Keeper::HearProgram(char* rest) {
  const uint64_t serial = strtoull(NextWord(&rest), nullptr, 10);
  const int error = programs_.Add(serial, static_cast<pid_t>(strtol(NextWord(&rest), nullptr, 10)));
  if (error != 0) Refuse("program", error);
}

void Keeper::HearEnded(char* rest) {
  const uint64_t serial = strtoull(NextWord(&rest), nullptr, 10);
  if (!programs_.End(serial, static_cast<int>(strtol(NextWord(&rest), nullptr, 10)))) Refuse("ended", ENOENT);
}

void Keeper::HearGuardian(const char* number, Descriptor descriptor) {
  const pid_t pid = descriptor ? StartGuardian(descriptor, words_, holdings_, programs_) : -1;
  Answer("guardian %.20s %d", number, pid < 0 ? -(descriptor ? errno : EBADF) : pid);
}

void Keeper::HearSleep() {
  if (asleep_) return;
  asleep_ = true;
  // It has done what an agent is there for.
  deaths_ = 0;
  if (!renews_) waiting_.Begin();
  Publish("asleep");
}

}  // namespace concierge::keeper
