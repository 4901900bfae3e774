// SPDX-License-Identifier: Apache-2.0
// Starting a program as posix_spawn(3) would: on an I/O thread, for executing can wait for a disk.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "descriptor.h"

namespace concierge {

// Out of the way of the numbers that shell scripts take for themselves.
constexpr int kHeldDirectory = 199;

enum Stream : uint32_t { kOutput = 0, kErrors = 1 };

enum class Sink : uint32_t { kDiscard = 0, kCapture = 1, kMerge = 2 };

// Whose rights a program has.
struct Identity {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;
};

struct ProgramRequest {
  // Also argv[0]; searched in PATH where it has no slash.
  std::string path;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  // Where it is not −1: the directory that has `name`, which is executed instead of whatever the path leads to by now. The
  // program has the directory as its descriptor kHeldDirectory, for an interpreter opens its script by name.
  int directory = -1;
  std::string name;
  bool has_input = false;
  Sink output = Sink::kDiscard;
  Sink errors = Sink::kDiscard;
  // Where it starts, entered with the rights of `identity`; empty: here.
  std::string working_directory;
  // Absent: this process's own.
  std::optional<Identity> identity;
  // Where it is not −1: the end of a terminal that is all three of its streams, and the controlling one of its session.
  int terminal = -1;
};

struct StartedProgram {
  pid_t pid = -1;
  // Readable when the process has ended: a pidfd, or a pipe where the kernel has none (before 5.3).
  Descriptor exit;
  bool exit_is_process = false;
  Descriptor input;
  std::array<Descriptor, 2> streams;
};

// Returns when the program runs. `agent_path` is searched where the environment has no PATH.
// Throws SystemError of the step that failed: of execve(2) where no candidate could be executed, of chdir(2), setgroups(2),
// setgid(2) or setuid(2).
StartedProgram StartProgram(const ProgramRequest& request, const std::string& agent_path);

}  // namespace concierge
