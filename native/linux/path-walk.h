// SPDX-License-Identifier: Apache-2.0
// Following a path one component at a time, each opened relative to the one before it, so that what was looked at is what is
// used: whoever renames something meanwhile changes nothing any more.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <vector>

#include "descriptor.h"

namespace concierge {

struct PathStep {
  // Without a link in it, but for the last component of a step that is a link itself.
  std::string path;
  struct stat status;
  // Of a link: where it leads.
  std::string target;
};

struct PathWalk {
  // The directory in which the walk ended, and what is looked for in it; no name where the path ends in the directory itself.
  Descriptor directory;
  std::string name;
  // The same as the path itself has it, before its last component is followed as a link: the name that a program is called by.
  Descriptor named_in;
  std::string named;
  // The last component, opened with O_PATH; empty where it is missing.
  Descriptor place;
  // The last component is a link that only the kernel can follow.
  bool magic = false;
  // Its name, and those behind it.
  std::vector<std::string> missing;
  // What stopped the walk: ENOENT, EACCES, ENOTDIR, ELOOP …
  int error = 0;
};

// Told of each directory, link and last component, in order, before anything behind it is opened. May throw.
using OnStep = std::function<void(const Descriptor& opened, PathStep step)>;

// Starts at the root, or in the working directory. With `into_magic`, a link of /proc/PID/fd and its like, which leads to what
// is open and not to a name, is followed by the kernel.
PathWalk WalkPath(const std::string& path, bool into_magic, const OnStep& on_step);

}  // namespace concierge
