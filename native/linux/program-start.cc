// SPDX-License-Identifier: Apache-2.0
#include "program-start.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>
#include <system_error>
#include <thread>

#include "own-children.h"
#include "system-error.h"

// Newer than the oldest headers that this is built with.
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifdef SYS_setgroups32  // of 32-bit systems, whose first calls knew 16 bits
#define SET_GROUPS SYS_setgroups32
#define SET_GID SYS_setresgid32
#define SET_UID SYS_setresuid32
#else
#define SET_GROUPS SYS_setgroups
#define SET_GID SYS_setresgid
#define SET_UID SYS_setresuid
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

namespace concierge {

namespace {

constexpr size_t kChildStack = 64 * 1024;
// FD_SETSIZE, and the soft limit of services (DefaultLimitNOFILE of systemd) and of shells.
constexpr rlim_t kUsualDescriptors = 1024;

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Pipe MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) throw SystemError("pipe2");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Descriptor WithoutBlocking(Descriptor end) {
  fcntl(end.get(), F_SETFL, fcntl(end.get(), F_GETFL) | O_NONBLOCK);
  return end;
}

// Pointers for execve(2), ended by a null pointer.
std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

const char* Find(const std::vector<std::string>& environment, const char* name) {
  const size_t length = strlen(name);
  for (const std::string& entry : environment) {
    if (entry.compare(0, length, name) == 0 && entry[length] == '=') return entry.c_str() + length + 1;
  }
  return nullptr;
}

// Where a program may lie, in order. PATH of the given environment, else the agent's, else the system's default.
std::vector<std::string> Candidates(const ProgramRequest& request, const std::string& agent_path) {
  if (request.directory >= 0) return {"/proc/self/fd/" + std::to_string(kHeldDirectory) + "/" + request.name};
  if (request.path.find('/') != std::string::npos) return {request.path};
  if (request.path.empty()) throw SystemError(ENOENT, "execve", request.path);
  const char* given = Find(request.environment, "PATH");
  const std::string search = given != nullptr ? given : agent_path;
  std::vector<std::string> candidates;
  for (size_t start = 0; start <= search.size();) {
    const size_t end = std::min(search.find(':', start), search.size());
    // An empty entry is the working directory (execvp(3)).
    candidates.push_back(end == start ? "./" + request.path : search.substr(start, end - start) + "/" + request.path);
    start = end + 1;
  }
  return candidates;
}

// What the child could not do.
struct Report {
  int error = 0;
  const char* step = "execve";
};

// Everything that the child needs, laid out before it exists: it shares our memory and may allocate nothing.
struct Child {
  const std::vector<char*>& programs;
  // argv; the two places before it are for a shell and a script.
  char** arguments;
  char** environment;
  int descriptors[3];
  int directory;
  const char* working_directory;
  const Identity* identity;
  bool on_terminal;
  Report* report;
};

[[noreturn]] void Fail(Child& child, const char* step) {
  child.report->error = errno;
  child.report->step = step;
  _exit(127);
}

// Raw calls: glibc's wrappers would have every thread of the agent do the same (nptl(7)).
void Become(Child& child, const Identity& identity) {
  if (syscall(SET_GROUPS, identity.groups.size(), identity.groups.data()) < 0) Fail(child, "setgroups");
  if (syscall(SET_GID, identity.gid, identity.gid, identity.gid) < 0) Fail(child, "setgid");
  if (syscall(SET_UID, identity.uid, identity.uid, identity.uid) < 0) Fail(child, "setuid");
}

// A file without `#!` that is text: execvp(3) and the reference (GLib) hand it to the shell.
bool IsText(const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  char start[256];
  const ssize_t count = read(file, start, sizeof start);
  close(file);
  return count >= 0 && memchr(start, '\0', static_cast<size_t>(count)) == nullptr;
}

void CloseRange(int first, int last) {
  if (first > last || syscall(SYS_close_range, first, last, 0) == 0) return;
  struct rlimit limit;
  const int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? static_cast<int>(limit.rlim_cur) : 65536;
  for (int descriptor = first; descriptor <= std::min(last, end); descriptor++) close(descriptor);
}

// All but the three and, where there is one, the directory of the program.
bool KeepOnly(int directory) {
  if (directory < 0) {
    CloseRange(3, INT_MAX);
    return true;
  }
  if (directory != kHeldDirectory && dup2(directory, kHeldDirectory) < 0) return false;
  CloseRange(3, kHeldDirectory - 1);
  CloseRange(kHeldDirectory + 1, INT_MAX);
  return fcntl(kHeldDirectory, F_SETFD, 0) == 0;
}

// Node has raised its own limit to the hard one. Programs count on the usual one, for select(2) knows no more.
void LowerDescriptorLimit() {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= kUsualDescriptors) return;
  limit.rlim_cur = kUsualDescriptors;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int ChildMain(void* argument) {
  Child& child = *static_cast<Child*>(argument);
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &action, nullptr);
  setsid();
  for (int number = 0; number < 3; number++) {
    if (dup2(child.descriptors[number], number) < 0) Fail(child, "dup2");
  }
  if (child.on_terminal && ioctl(0, TIOCSCTTY, 0) < 0) Fail(child, "ioctl");
  if (!KeepOnly(child.directory)) Fail(child, "dup2");
  LowerDescriptorLimit();
  if (child.identity != nullptr) Become(child, *child.identity);
  if (child.working_directory != nullptr && chdir(child.working_directory) < 0) Fail(child, "chdir");
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  int error = ENOENT;
  for (char* program : child.programs) {
    if (program == nullptr) break;
    execve(program, child.arguments, child.environment);
    if (errno == ENOEXEC && IsText(program)) {
      char shell[] = "/bin/sh";
      char** script = child.arguments - 1;
      script[0] = shell;
      script[1] = program;
      execve(shell, script, child.environment);
      errno = ENOEXEC;
    }
    // What execvp(3) passes over; a program that may not be executed is told of only if no other is found.
    if (errno == EACCES) {
      error = EACCES;
    } else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV && errno != ETIMEDOUT) {
      error = errno;
      break;
    }
  }
  errno = error;
  Fail(child, "execve");
}

struct Cloned {
  pid_t pid;
  int pidfd;
};

// vfork(2) with a pidfd and a stack of its own: this thread, and no other, waits until the child has executed.
Cloned Clone(Child& child) {
  void* stack = mmap(nullptr, kChildStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) throw SystemError("mmap");
  int pidfd = -1;
  // One that becomes another user must not have our memory: the user could reach into it, and the kernel would take the agent for
  // a program that has changed its user (dumpable of PR_SET_DUMPABLE(2const) belongs to the memory, not to the process).
  const int memory = child.identity == nullptr ? CLONE_VM : 0;
  const pid_t pid = clone(ChildMain, static_cast<char*>(stack) + kChildStack, memory | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, &pidfd);
  const int error = errno;
  munmap(stack, kChildStack);
  if (pid < 0) throw SystemError(error, "clone");
  return {pid, pidfd};
}

// Memory that the child shares also where it has no other of ours.
class SharedReport {
 public:
  SharedReport() : memory_(mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (memory_ == MAP_FAILED) throw SystemError("mmap");
    new (memory_) Report;
  }
  ~SharedReport() { munmap(memory_, sizeof(Report)); }
  SharedReport(const SharedReport&) = delete;
  SharedReport& operator=(const SharedReport&) = delete;
  Report* get() const { return static_cast<Report*>(memory_); }

 private:
  void* const memory_;
};

// For kernels without pidfd (RHEL 8): a thread waits, and its pipe closes when the process has ended.
Descriptor WatchByThread(pid_t pid) {
  Pipe pipe = MakePipe();
  try {
    std::thread([pid, write = std::move(pipe.write)] {
      siginfo_t info;
      Retry([&] { return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT); });
    }).detach();
  } catch (const std::system_error&) {
    throw SystemError(EAGAIN, "pthread_create");
  }
  return std::move(pipe.read);
}

}  // namespace

StartedProgram StartProgram(const ProgramRequest& request, const std::string& agent_path) {
  StartedProgram started;
  const std::vector<std::string> candidates = Candidates(request, agent_path);
  const std::vector<char*> programs = Pointers(candidates);
  std::vector<char*> arguments(1, nullptr);
  std::vector<std::string> texts{request.path};
  texts.insert(texts.end(), request.arguments.begin(), request.arguments.end());
  for (char* text : Pointers(texts)) arguments.push_back(text);
  std::vector<char*> environment = Pointers(request.environment);

  const Descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) throw SystemError("open", "/dev/null");
  const SharedReport report;
  Child child{programs,
              arguments.data() + 1,
              environment.data(),
              {null.get(), null.get(), null.get()},
              request.directory,
              request.working_directory.empty() ? nullptr : request.working_directory.c_str(),
              request.identity.has_value() ? &*request.identity : nullptr,
              request.terminal >= 0,
              report.get()};
  // Ends of the child; gone from here when this function returns.
  Pipe input, streams[2];
  if (request.has_input) {
    input = MakePipe();
    started.input = WithoutBlocking(std::move(input.write));
    child.descriptors[0] = input.read.get();
  }
  const Sink sinks[2] = {request.output, request.errors};
  for (const Stream stream : {kOutput, kErrors}) {
    if (sinks[stream] != Sink::kCapture) continue;
    streams[stream] = MakePipe();
    started.streams[stream] = WithoutBlocking(std::move(streams[stream].read));
    child.descriptors[1 + stream] = streams[stream].write.get();
  }
  if (request.terminal >= 0) std::fill(std::begin(child.descriptors), std::end(child.descriptors), request.terminal);
  if (request.errors == Sink::kMerge) child.descriptors[2] = child.descriptors[1];

  ChildStart start;
  const Cloned cloned = Clone(child);
  start.Is(cloned.pid);
  started.pid = cloned.pid;
  started.exit.Reset(cloned.pidfd);
  started.exit_is_process = static_cast<bool>(started.exit);
  if (report.get()->error != 0) {
    AwaitChild(cloned.pid);
    const bool is_directory = strcmp(report.get()->step, "chdir") == 0;
    throw SystemError(report.get()->error, report.get()->step, is_directory ? request.working_directory : request.path);
  }
  if (!started.exit) {
    try {
      started.exit = WatchByThread(cloned.pid);
    } catch (const SystemError&) {
      kill(-cloned.pid, SIGKILL);
      AwaitChild(cloned.pid);
      throw;
    }
  }
  return started;
}

}  // namespace concierge
