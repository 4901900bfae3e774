// SPDX-License-Identifier: Apache-2.0
#include "path-walk.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>

#include "system-error.h"

namespace concierge {

namespace {

// MAXSYMLINKS of path_resolution(7).
constexpr int kMostLinks = 40;

Descriptor OpenAt(const Descriptor& directory, const std::string& name, int flags) {
  return Descriptor(Retry([&] { return openat(directory.get(), name.c_str(), flags | O_PATH | O_CLOEXEC); }));
}

// A directory with O_DIRECTORY: without it O_PATH stops at an automount that nobody has asked for yet (open(2)).
Descriptor OpenNext(const Descriptor& directory, const std::string& name) {
  Descriptor next = OpenAt(directory, name, O_NOFOLLOW | O_DIRECTORY);
  return next || errno != ENOTDIR ? std::move(next) : OpenAt(directory, name, O_NOFOLLOW);
}

std::string ReadLink(const Descriptor& link) {
  char target[PATH_MAX];
  const ssize_t length = readlinkat(link.get(), "", target, sizeof target);
  return length <= 0 ? std::string() : std::string(target, static_cast<size_t>(length));
}

bool IsOfProc(const Descriptor& link) {
  struct statfs status;
  return fstatfs(link.get(), &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

// In front of what is still to be walked. Empty components, as in `a//b`, are none.
void Prepend(std::deque<std::string>& left, const std::string& path) {
  std::vector<std::string> names;
  for (size_t start = 0; start < path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    if (end > start) names.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  // A path that ends in a slash is a directory's.
  if (!names.empty() && path.back() == '/') names.push_back(".");
  left.insert(left.begin(), names.begin(), names.end());
}

std::string Parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return "..";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string Join(const std::string& directory, const std::string& name) { return directory == "/" ? "/" + name : directory + "/" + name; }

}  // namespace

PathWalk WalkPath(const std::string& path, bool into_magic, const OnStep& on_step) {
  PathWalk walk;
  std::deque<std::string> left;
  std::string at;
  int links = 0;

  const auto begin = [&](const char* start) {
    walk.directory = Descriptor(Retry([&] { return open(start, O_PATH | O_DIRECTORY | O_CLOEXEC); }));
    at = start;
    struct stat status;
    if (!walk.directory || fstat(walk.directory.get(), &status) < 0) return false;
    on_step(walk.directory, {at, status, {}});
    return true;
  };
  const auto stopped = [&](int error) {
    walk.error = error;
    walk.missing.assign(left.begin(), left.end());
    return std::move(walk);
  };

  if (path.empty()) return stopped(ENOENT);
  // As open(2) has it, with the zero byte: nothing longer is taken apart.
  if (path.size() >= PATH_MAX) return stopped(ENAMETOOLONG);
  Prepend(left, path);
  if (!begin(path.front() == '/' ? "/" : ".")) return stopped(errno);
  while (!left.empty()) {
    const std::string name = left.front();
    // What links lead to is put in front of what the path itself has left.
    if (left.size() == 1 && !walk.named_in) {
      walk.named_in = Descriptor(fcntl(walk.directory.get(), F_DUPFD_CLOEXEC, 0));
      if (!walk.named_in) return stopped(errno);
      walk.named = name;
    }
    Descriptor next = OpenNext(walk.directory, name);
    if (!next) return stopped(errno);
    struct stat status;
    if (fstat(next.get(), &status) < 0) return stopped(errno);
    walk.magic = false;
    const std::string there = name == "." ? at : name == ".." ? Parent(at) : Join(at, name);
    if (S_ISLNK(status.st_mode)) {
      if (++links > kMostLinks) return stopped(ELOOP);
      const std::string target = ReadLink(next);
      on_step(next, {there, status, target});
      if (into_magic && IsOfProc(next)) {
        next = OpenAt(walk.directory, name, 0);
        if (!next || fstat(next.get(), &status) < 0) return stopped(errno);
        walk.magic = true;
      } else {
        left.pop_front();
        if (target.empty()) return stopped(ENOENT);
        const bool was_last = left.empty();
        Prepend(left, target);
        if (target.front() == '/' && !begin("/")) return stopped(errno);
        // A link to the root itself has nothing left to open.
        if (left.empty() && was_last) break;
        continue;
      }
    }
    on_step(next, {there, status, {}});
    left.pop_front();
    if (left.empty()) {
      walk.name = name == "." || name == ".." ? "" : name;
      walk.place = std::move(next);
      return walk;
    }
    if (!S_ISDIR(status.st_mode)) return stopped(ENOTDIR);
    walk.directory = std::move(next);
    at = there;
  }
  // The root, or the working directory.
  walk.place = OpenAt(walk.directory, ".", 0);
  if (!walk.place) walk.error = errno;
  return walk;
}

}  // namespace concierge
