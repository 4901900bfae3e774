// SPDX-License-Identifier: Apache-2.0
#include "programs.h"

#include <cerrno>

namespace concierge::keeper {

Program* Programs::Find(uint64_t serial) {
  for (size_t index = 0; index < end_; index++) {
    if (programs_[index].used() && programs_[index].serial == serial) return &programs_[index];
  }
  return nullptr;
}

void Programs::AreOf(int keeper) {
  for (size_t index = 0; index < end_; index++) {
    if (programs_[index].used() && programs_[index].elsewhere == kSomeKeeper) programs_[index].elsewhere = keeper;
  }
}

bool Programs::HasOf(int keeper) const {
  for (size_t index = 0; index < end_; index++) {
    if (programs_[index].used() && programs_[index].elsewhere == keeper) return true;
  }
  return false;
}

bool Programs::HasChild() const {
  for (size_t index = 0; index < end_; index++) {
    const Program& program = programs_[index];
    if (program.used() && !program.ended && program.elsewhere == 0) return true;
  }
  return false;
}

bool Programs::HasElsewhere() const {
  for (size_t index = 0; index < end_; index++) {
    if (programs_[index].used() && programs_[index].elsewhere != 0) return true;
  }
  return false;
}

int Programs::Add(uint64_t serial, pid_t pid, int elsewhere) {
  if (serial == 0 || pid <= 0) return EINVAL;
  if (Find(serial) != nullptr) return EEXIST;
  size_t index = 0;
  while (index < end_ && programs_[index].used()) index++;
  if (index == kMostPrograms) return ENOSPC;
  programs_[index] = Program{serial, pid, false, elsewhere, 0};
  if (index >= end_) end_ = index + 1;
  return 0;
}

bool Programs::End(uint64_t serial, int status) {
  Program* program = Find(serial);
  if (program == nullptr) return false;
  program->ended = true;
  program->status = status;
  return true;
}

const Program* Programs::EndElsewhere(uint64_t serial, int status) {
  const Program* program = Find(serial);
  if (program == nullptr || program->elsewhere == 0 || program->ended) return nullptr;
  End(serial, status);
  return program;
}

void Programs::Forget(uint64_t serial) {
  if (Program* program = Find(serial); program != nullptr) program->serial = 0;
  while (end_ > 0 && !programs_[end_ - 1].used()) end_--;
}

const Program* Programs::Reaped(pid_t pid, int status) {
  for (size_t index = 0; index < end_; index++) {
    Program& program = programs_[index];
    if (!program.used() || program.ended || program.elsewhere != 0 || program.pid != pid) continue;
    program.ended = true;
    program.status = status;
    return &program;
  }
  return nullptr;
}

}  // namespace concierge::keeper
