// SPDX-License-Identifier: Apache-2.0
// Programs that an agent has started and that outlive it: once it is gone they are the keeper's children (prctl(2),
// PR_SET_CHILD_SUBREAPER), and how they end is known here.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace concierge::keeper {

// More than an agent keeps, running and ended.
constexpr size_t kMostPrograms = 2048;

// Of `Program::elsewhere`: an earlier keeper that is not known by its number.
constexpr int kSomeKeeper = -1;
// Of `Program::status`: nobody can tell how it has ended.
constexpr int kUnknownStatus = -1;

struct Program {
  // The agent's name for it; 0: unused. Process numbers come again, these do not.
  uint64_t serial;
  pid_t pid;
  bool ended;
  int elsewhere;  // not 0: no child of this keeper; the earlier one of this number (`before-NUMBER`) tells of its end
  int status;     // as of waitpid(2), or kUnknownStatus

  bool used() const { return serial != 0; }
};

class Programs {
 public:
  size_t end() const { return end_; }
  const Program& at(size_t index) const { return programs_[index]; }

  // 0 or an errno.
  int Add(uint64_t serial, pid_t pid, int elsewhere = 0);
  // Those of some keeper, until now, are those of this one.
  void AreOf(int keeper);
  bool HasOf(int keeper) const;
  // False: there is none.
  bool End(uint64_t serial, int status);
  void Forget(uint64_t serial);
  // One that an earlier keeper tells of, or `nullptr`.
  const Program* EndElsewhere(uint64_t serial, int status);
  // Whether one runs that is a child of this keeper.
  bool HasChild() const;
  bool HasElsewhere() const;
  // The one that runs under this number and has just been reaped, or `nullptr`.
  const Program* Reaped(pid_t pid, int status);

 private:
  Program* Find(uint64_t serial);

  size_t end_;
  Program programs_[kMostPrograms];
};

}  // namespace concierge::keeper
