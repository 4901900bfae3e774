// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include "grace_periods.h"
#include "peer.h"
#include "process.h"
#include "target.h"
#include "watch.h"
#include "workers.h"

namespace concierge::guardian {

// In the state directory: where whoever comes after a dead agent asks for the thaw.
inline constexpr char kSocketName[] = "freeze-guardian.sock";

// One freeze, from the list of targets to the last thaw, and then perhaps another. docs/freeze.md has the lines that are exchanged.
class Session {
 public:
  Session(Descriptor control, Hardened hardened);
  // Until everything is over. The exit status.
  int Run();

 private:
  enum class Phase { kGathering, kReady, kFlushing, kFreezing, kFrozen, kThawing, kOver };
  static constexpr int kMostClients = 4;
  static constexpr size_t kGreetingBytes = 128;

  void OnControl();
  void OnClient(Peer& client);
  void OnEndings();
  void OnDeadline();
  void OnStepLimit();
  void Obey(char* line);

  void AddTarget(char* arguments);
  void Prepare(char* arguments);
  void Refuse(int index, int error);
  void Again();
  void Sweep(char* arguments);
  void Uncover(char* arguments);
  void Unclaimed(char* arguments);
  void SaySwept(int error, int64_t thawed_at);
  void BeginFlush();
  void BeginFreeze();
  void BeginThaw(const char* reason);

  // Moves on as far as the workers have come.
  void Advance();
  bool AdvanceFlush();
  bool AdvanceFreeze();
  bool AdvanceThaw();
  void EndFlush();
  void SubmitFreezeLevel();
  void SubmitThawLevel();
  void EndThaw();
  void ReportFreezes(const char* verdict);
  void EndExpedited();
  void EndIfIdle();
  bool IsIdle();
  bool MayRest();

  void Listen(const char* directory);
  void Accept();
  void LeaveSocket();
  size_t Greeting(char (&line)[kGreetingBytes]) const;
  void Greet(Peer& client);
  void Tell(const char* format, ...) __attribute__((format(printf, 2, 3)));
  void Unlink();

  Peer control_;
  Peer clients_[kMostClients];
  Descriptor endings_, listener_, state_directory_, deadline_, step_limit_;
  ino_t socket_inode_ = 0;
  const bool spared_;
  bool orphaned_ = false;
  bool dismissed_ = false;
  bool finished_ = false;
  bool locked_ = false;

  Target* targets_ = nullptr;
  int count_ = 0, capacity_ = 0, levels_ = 0;
  size_t output_capacity_ = 4096;
  Workers workers_;
  ExpeditedGracePeriods grace_periods_;
  Watch watch_;

  Phase phase_ = Phase::kGathering;
  char cookie_[65] = {};
  int64_t deadline_ms_ = 0, within_ms_ = 0, flush_ms_ = 0;
  int flush_round_ = 0;
  int64_t flush_started_ = 0, flush_round_started_ = 0;
  int level_ = 0;
  bool freeze_failed_ = false;
  // The agent knows that everything is frozen, and may have told others.
  bool held_ = false;
  const char* reason_ = "";
};

}  // namespace concierge::guardian
