// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

namespace concierge {

// Kills a program and whatever it has started, in sessions of their own too: found by parent, by session, and by an entry
// of the environment (`NAME=VALUE`) that the program was given and hands on. Whoever has left its parent, its session and
// its environment behind is not found. May wait for a process that the kernel holds.
void EndDescendants(pid_t root, const std::string& mark);

}  // namespace concierge
