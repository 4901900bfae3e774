// SPDX-License-Identifier: Apache-2.0
// Starting the freeze guardian: on an I/O thread, for executing can wait for a disk, and without what child_process costs.

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "addon.h"
#include "descriptor.h"
#include "own-children.h"

namespace concierge {

namespace {

// Where the guardian expects its end of the conversation.
constexpr int kControl = 3;

struct StartedGuardian {
  pid_t pid;
  Descriptor control;
};

class FileActions {
 public:
  FileActions() { Check(posix_spawn_file_actions_init(&actions_)); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  void OpenNull(int number) { Check(posix_spawn_file_actions_addopen(&actions_, number, "/dev/null", O_RDWR, 0)); }
  // Also where both are the same: then only close-on-exec is taken off.
  void Duplicate(int from, int to) { Check(posix_spawn_file_actions_adddup2(&actions_, from, to)); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  static void Check(int error) {
    if (error != 0) throw SystemError(error, "posix_spawn");
  }
  posix_spawn_file_actions_t actions_;
};

// The rest of what makes a process of its own of it, it does itself.
StartedGuardian StartGuardian(const std::string& path, std::string name) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) throw SystemError("socketpair");
  Descriptor ours(ends[0]);
  // Out of the way of the numbers that are about to be taken.
  const Descriptor theirs(fcntl(ends[1], F_DUPFD_CLOEXEC, kControl + 1));
  ::close(ends[1]);
  if (!theirs) throw SystemError("fcntl");
  FileActions actions;
  for (const int number : {0, 1, 2}) actions.OpenNull(number);
  actions.Duplicate(theirs.get(), kControl);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // What ends the agent's group of processes must not reach it, not even before it runs.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  char* arguments[] = {name.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = -1;
  ChildStart start;
  const int error = posix_spawn(&pid, path.c_str(), actions.get(), &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) throw SystemError(error, "execve", path);
  start.Is(pid);
  return {pid, std::move(ours)};
}

// (path, name) → { pid, fd }: the process, which is listed under that name, and a stream socket that is the caller's to close.
Napi::Value Start(const Napi::CallbackInfo& info) {
  return OnIoThread(
      info.Env(), [path = SystemString(info[0]), name = SystemString(info[1])] { return StartGuardian(path, name); },
      [](Napi::Env env, StartedGuardian& started) -> Napi::Value {
        Napi::Object result = Napi::Object::New(env);
        result.Set("pid", Napi::Number::New(env, started.pid));
        result.Set("fd", Napi::Number::New(env, started.control.Release()));
        return result;
      },
      IoThreads::Urgency::kUrgent);
}

// () → [fd, fd], both the caller's: the conversation with a guardian that somebody else starts.
Napi::Value Pair(const Napi::CallbackInfo& info) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) throw SystemError("socketpair");
  Napi::Array result = Napi::Array::New(info.Env());
  for (uint32_t index = 0; index < 2; index++) result.Set(index, Napi::Number::New(info.Env(), ends[index]));
  return result;
}

// (pid) → undefined, once the process has ended and its number is free.
Napi::Value Reap(const Napi::CallbackInfo& info) {
  return OnIoThread(info.Env(), [pid = info[0].As<Napi::Number>().Int32Value()] {
    AwaitChild(pid);
  });
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("startGuardian", Napi::Function::New(env, Guarded<Start>));
  exports.Set("guardianPair", Napi::Function::New(env, Guarded<Pair>));
  exports.Set("reapGuardian", Napi::Function::New(env, Guarded<Reap>));
});

}  // namespace

}  // namespace concierge
