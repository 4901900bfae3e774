// SPDX-License-Identifier: Apache-2.0
// The keeper: one agent at a time, or none while it sleeps; docs/keeper.md.
#pragma once

#include <sys/epoll.h>
#include <sys/types.h>

#include "../descriptor.h"
#include "holdings.h"
#include "packet.h"
#include "programs.h"
#include "service_manager.h"
#include "status_file.h"
#include "succession.h"
#include "waiting.h"

namespace concierge::keeper {

// Of these messages.
constexpr char kProtocol[] = "1";

class Keeper {
 public:
  // `program` is where this one lies, `words` what it was started with; `agent_words` are the last of those.
  Keeper(const char* program, char** words, char** agent_words, Descriptor epoll, Descriptor signals, Descriptor pause, Holdings& holdings, Programs& programs);

  // Until the end: the status to end with. `reign`: of the keeper before, whose place this one takes; or `nullptr`.
  int Run(const Reign* reign);

 private:
  enum Datum : uint32_t { kSignals = 1, kAgent = 2, kPause = 3 };

  void Serve();
  void Watch(const Descriptor& descriptor, Datum datum, uint32_t events);
  void OnEvent(const epoll_event& event);

  // -- the agent as a process
  void Start(const char* reason);
  void StartAfterDeath();
  void Wake();
  void OnSignals();
  void Reap();
  void AgentGone(int status);
  void Pause(int64_t ms);
  void Finish(int status);
  pid_t RemoveFiles(const Held* only);
  void LetGo(Held& held);

  // -- another keeper in the place of this one
  void Resume(const Reign& reign);
  void TryReplacement();
  void Replace();

  // -- another keeper in another process (restart.cc)
  bool Leave();
  void EndIfOver();
  void OnSuccessor();
  void Drain();
  void Succeed();
  bool TakeOver(const Descriptor& socket);
  bool IsEarlierKeeper(uint32_t datum);
  void OnEarlierKeeper(uint32_t datum);
  void WatchEarlierKeepers();
  void Unwatch(Held& held);
  bool IsKept(int keeper);
  void WatchLost();
  bool IsOfLost(uint32_t datum, uint64_t& serial);
  void OnLost(Held& held, uint64_t serial, uint32_t events);

  // -- what is said
  void Publish(const char* what);
  // Whether somebody is there to be told of the end of a program.
  bool IsHeard() const { return has_left_ ? static_cast<bool>(agent_) : pid_ > 0 && !asleep_; }
  void Tell();
  size_t TellingEnd() const { return 2 * holdings_.end() + programs_.end(); }
  bool TellOf(size_t index, bool input);
  bool TellOf(const Program& program);
  void Answer(const char* format, ...) __attribute__((format(printf, 2, 3)));
  void Refuse(const char* word, int error);
  void OnAgent();
  void Hear(char* packet, size_t size, Descriptor descriptor);
  void HearAgent(char* rest);
  void HearKeep(char* rest, Descriptor descriptor);
  void HearDrop(const char* name);
  void HearSleep();
  void HearProgram(char* rest);
  void HearEnded(char* rest);
  void HearGuardian(const char* number, Descriptor descriptor);

  const char* const program_;
  char** const words_;
  char** const agent_words_;
  const Descriptor epoll_;
  const Descriptor signals_;
  const Descriptor pause_;
  Holdings& holdings_;
  Programs& programs_;
  Waiting waiting_;
  ServiceManager manager_;
  StatusFile status_file_;

  Descriptor agent_;       // this end of the socket
  pid_t pid_ = -1;         // of the agent, until it is reaped
  size_t told_ = 0;        // of all that is held, twice: the descriptors, then what was read; then of the programs
  bool telling_ = false;   // `go` has not been said
  bool greeted_ = false;   // the agent of now has
  bool ever_greeted_ = false;
  bool hung_up_ = false;   // SIGHUP has come before its greeting
  bool asleep_ = false;    // the agent has said so; it may not have ended yet
  bool awaited_ = false;   // input has come, and the one that sleeps has not ended yet
  bool says_end_ = false;
  bool ending_ = false;    // asked to
  pid_t trial_ = -1;       // of the program that may take the place of this one
  bool renews_ = false;    // the agent is to make room for the next one
  pid_t removing_ = -1;    // the child that takes files away before the end
  bool finished_ = false;
  bool has_left_ = false;  // another process is the keeper; this one is the parent of programs, and `agent_` leads to that one
  int status_ = 0;
  int deaths_ = 0;         // one soon after another
  int64_t started_at_ = 0;
  const char* doing_ = "awake";
  int64_t since_ = 0;      // it does that
  unsigned starts_ = 0;
  unsigned all_deaths_ = 0;
  char last_death_[48] = "";
  char packet_[kLargestPacket + 1];
};

}  // namespace concierge::keeper
