// Programs: started as posix_spawn(3) would, but on an I/O thread (executing can wait for a disk), with a pidfd, and
// watched by the event loop.

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "addon.h"
#include "descriptor.h"

// Newer than the oldest headers that this is built with.
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

extern char** environ;

namespace concierge {

namespace {

constexpr size_t kChunk = 64 * 1024;
// Chunks read in one turn of the loop before others get theirs.
constexpr int kChunksPerTurn = 16;
// How long a pipe that another process still holds is waited for after the end of the process.
constexpr uint64_t kGraceMs = 100;
constexpr size_t kChildStack = 64 * 1024;

enum Stream : uint32_t { kOutput = 0, kErrors = 1 };
enum class Sink : uint32_t { kDiscard = 0, kCapture = 1, kMerge = 2 };

struct Request {
  std::string path;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  bool has_input = false;
  Sink output = Sink::kDiscard;
  Sink errors = Sink::kDiscard;
};

struct Started {
  pid_t pid = -1;
  // Readable when the process has ended: a pidfd, or a pipe where the kernel has none (before 5.3).
  Descriptor exit;
  Descriptor input;
  std::array<Descriptor, 2> streams;
};

// -- starting ---------------------------------------------------------------------------------------------

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
std::vector<std::string> Candidates(const Request& request, const std::string& agent_path) {
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

// Everything that the child needs, laid out before it exists: it shares our memory and may allocate nothing.
struct Child {
  const std::vector<char*>& programs;
  // argv; the two places before it are for a shell and a script.
  char** arguments;
  char** environment;
  int descriptors[3];
  int error = 0;
};

// A file without `#!` that is text: execvp(3) and the reference (GLib) hand it to the shell.
bool IsText(const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  char start[256];
  const ssize_t count = read(file, start, sizeof start);
  close(file);
  return count >= 0 && memchr(start, '\0', static_cast<size_t>(count)) == nullptr;
}

void CloseOthers() {
  if (syscall(SYS_close_range, 3, ~0U, 0) == 0) return;
  struct rlimit limit;
  const int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? static_cast<int>(limit.rlim_cur) : 65536;
  for (int descriptor = 3; descriptor < end; descriptor++) close(descriptor);
}

int ChildMain(void* argument) {
  Child& child = *static_cast<Child*>(argument);
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &action, nullptr);
  setsid();
  for (int number = 0; number < 3; number++) {
    if (dup2(child.descriptors[number], number) < 0) {
      child.error = errno;
      _exit(127);
    }
  }
  CloseOthers();
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
  child.error = error;
  _exit(127);
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
  const pid_t pid = clone(ChildMain, static_cast<char*>(stack) + kChildStack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, &pidfd);
  const int error = errno;
  munmap(stack, kChildStack);
  if (pid < 0) throw SystemError(error, "clone");
  return {pid, pidfd};
}

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

Started Start(const Request& request, const std::string& agent_path) {
  Started started;
  const std::vector<std::string> candidates = Candidates(request, agent_path);
  const std::vector<char*> programs = Pointers(candidates);
  std::vector<char*> arguments(1, nullptr);
  std::vector<std::string> texts{request.path};
  texts.insert(texts.end(), request.arguments.begin(), request.arguments.end());
  for (char* text : Pointers(texts)) arguments.push_back(text);
  std::vector<char*> environment = Pointers(request.environment);

  const Descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) throw SystemError("open", "/dev/null");
  Child child{programs, arguments.data() + 1, environment.data(), {null.get(), null.get(), null.get()}};
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
  if (request.errors == Sink::kMerge) child.descriptors[2] = child.descriptors[1];

  const Cloned cloned = Clone(child);
  started.pid = cloned.pid;
  started.exit.Reset(cloned.pidfd);
  if (child.error != 0) {
    Retry([&] { return waitpid(cloned.pid, nullptr, 0); });
    throw SystemError(child.error, "execve", request.path);
  }
  if (!started.exit) {
    try {
      started.exit = WatchByThread(cloned.pid);
    } catch (const SystemError&) {
      kill(-cloned.pid, SIGKILL);
      Retry([&] { return waitpid(cloned.pid, nullptr, 0); });
      throw;
    }
  }
  return started;
}

// -- watching ---------------------------------------------------------------------------------------------

// A descriptor and its poll handle, which libuv requires to be closed first.
struct Polled {
  Descriptor descriptor;
  OwnedHandle<uv_poll_t> poll;
  void Close() {
    poll.Close();
    descriptor.Reset();
  }
};

// Lives from the start of a process until its end has been told.
class Watched : public std::enable_shared_from_this<Watched> {
 public:
  Watched(Napi::Env env, Started started, Napi::Value input, Napi::Function on_output, Napi::Function on_end)
      : env_(env),
        handles_(AddonData::Of(env).handles),
        pid_(started.pid),
        on_output_(Napi::Persistent(on_output)),
        on_end_(Napi::Persistent(on_end)) {
    exit_.descriptor = std::move(started.exit);
    for (const Stream stream : {kOutput, kErrors}) streams_[stream].descriptor = std::move(started.streams[stream]);
    input_.descriptor = std::move(started.input);
    if (input_.descriptor) input_bytes_ = Napi::Persistent(input.As<Napi::Uint8Array>());
  }

  void Begin() {
    self_ = shared_from_this();
    registration_ = handles_->OnEnd([this] { Release(); });
    Poll<&Watched::Exited>(exit_, UV_READABLE);
    if (streams_[kOutput].descriptor) Poll<&Watched::OutputReadable>(streams_[kOutput], UV_READABLE);
    if (streams_[kErrors].descriptor) Poll<&Watched::ErrorsReadable>(streams_[kErrors], UV_READABLE);
    if (input_.descriptor) WriteInput();
  }

  // The process and its group: it leads a session of its own. Its number is ours until it has been reaped.
  void Kill() {
    if (self_ == nullptr) return;
    kill(-pid_, SIGKILL);
    kill(pid_, SIGKILL);
  }

  pid_t pid() const { return pid_; }

 private:
  template <void (Watched::*Method)()>
  void Poll(Polled& polled, int events) {
    auto* poll = new uv_poll_t;
    if (uv_poll_init(handles_->loop(), poll, polled.descriptor.get()) < 0) {
      delete poll;
      return;
    }
    poll->data = this;
    polled.poll = OwnedHandle<uv_poll_t>(handles_, poll);
    uv_poll_start(poll, events, [](uv_poll_t* handle, int, int) {
      auto* self = static_cast<Watched*>(handle->data);
      const std::shared_ptr<Watched> alive = self->self_;
      (self->*Method)();
    });
  }

  void OutputReadable() { Read(kOutput, kChunksPerTurn); }
  void ErrorsReadable() { Read(kErrors, kChunksPerTurn); }

  void Read(Stream stream, int chunks) {
    static thread_local std::unique_ptr<char[]> chunk(new char[kChunk]);
    while (chunks-- > 0 && streams_[stream].descriptor) {
      const ssize_t count = Retry([&] { return read(streams_[stream].descriptor.get(), chunk.get(), kChunk); });
      if (count < 0 && errno == EAGAIN) return;
      if (count <= 0) {
        streams_[stream].Close();
        FinishIfComplete();
        return;
      }
      const Napi::HandleScope scope(env_);
      Call(on_output_, {Napi::Number::New(env_, stream), Napi::Buffer<char>::Copy(env_, chunk.get(), static_cast<size_t>(count))});
    }
  }

  void WriteInput() {
    const Napi::HandleScope scope(env_);
    const Napi::Uint8Array bytes = input_bytes_.Value();
    while (written_ < bytes.ByteLength()) {
      const ssize_t count = Retry([&] { return write(input_.descriptor.get(), bytes.Data() + written_, bytes.ByteLength() - written_); });
      if (count < 0 && errno == EAGAIN) {
        if (!input_.poll) Poll<&Watched::WriteInput>(input_, UV_WRITABLE);
        return;
      }
      // EPIPE: it does not want the rest.
      if (count < 0) break;
      written_ += static_cast<size_t>(count);
    }
    CloseInput();
  }

  void CloseInput() {
    input_.Close();
    input_bytes_.Reset();
  }

  void Exited() {
    siginfo_t info = {};
    // Not reaped yet: as long as the zombie stands, its number is nobody else's and Kill reaches its group.
    if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
      // Somebody else has reaped it; what became of it is not to be known.
      info.si_code = CLD_EXITED;
      info.si_status = 255;
    } else if (info.si_pid == 0) {
      return;
    }
    end_ = End{info.si_code == CLD_EXITED, info.si_status};
    exit_.Close();
    CloseInput();
    Drain();
    if (self_ == nullptr) return;
    auto* timer = new uv_timer_t;
    uv_timer_init(handles_->loop(), timer);
    timer->data = this;
    timer_ = OwnedHandle<uv_timer_t>(handles_, timer);
    uv_timer_start(
        timer,
        [](uv_timer_t* handle) {
          auto* self = static_cast<Watched*>(handle->data);
          const std::shared_ptr<Watched> alive = self->self_;
          self->Drain();
          for (Polled& stream : self->streams_) stream.Close();
          self->FinishIfComplete();
        },
        kGraceMs, 0);
  }

  // What is in the pipes; bounded, for another process may be filling them.
  void Drain() {
    for (const Stream stream : {kOutput, kErrors}) Read(stream, kChunksPerTurn);
    FinishIfComplete();
  }

  void FinishIfComplete() {
    if (self_ == nullptr || !end_.has_value() || streams_[kOutput].descriptor || streams_[kErrors].descriptor) return;
    Retry([&] { return waitpid(pid_, nullptr, WNOHANG); });
    const Napi::HandleScope scope(env_);
    const Napi::FunctionReference on_end = std::move(on_end_);
    const std::shared_ptr<Watched> alive = self_;
    Release();
    Call(on_end, {Napi::Boolean::New(env_, end_->exited), Napi::Number::New(env_, end_->status)});
  }

  void Release() {
    timer_.Close();
    exit_.Close();
    CloseInput();
    for (Polled& stream : streams_) stream.Close();
    on_output_.Reset();
    handles_->Forget(registration_);
    self_.reset();
  }

  void Call(const Napi::FunctionReference& function, const std::vector<napi_value>& arguments) {
    if (function.IsEmpty()) return;
    try {
      function.MakeCallback(env_.Global(), arguments);
    } catch (const Napi::Error& error) {
      napi_fatal_exception(env_, error.Value());
    }
  }

  struct End {
    bool exited;
    int status;
  };

  const Napi::Env env_;
  const std::shared_ptr<LoopHandles> handles_;
  const pid_t pid_;
  Napi::FunctionReference on_output_;
  Napi::FunctionReference on_end_;
  Napi::Reference<Napi::Uint8Array> input_bytes_;
  size_t written_ = 0;
  Polled exit_;
  Polled input_;
  std::array<Polled, 2> streams_;
  OwnedHandle<uv_timer_t> timer_;
  std::optional<End> end_;
  LoopHandles::Registration registration_;
  // Itself, while it is watched.
  std::shared_ptr<Watched> self_;
};

std::vector<std::string> Strings(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  strings.reserve(array.Length());
  for (uint32_t index = 0; index < array.Length(); index++) strings.push_back(SystemString(array.Get(index)));
  return strings;
}

std::vector<std::string> OwnEnvironment() {
  std::vector<std::string> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; entry++) environment.emplace_back(*entry);
  return environment;
}

// (path, arguments, environment | undefined, input | undefined, output, errors, onOutput, onEnd) → { pid, kill }
Napi::Value Spawn(const Napi::CallbackInfo& info) {
  Request request;
  request.path = SystemString(info[0]);
  request.arguments = Strings(info[1]);
  request.environment = info[2].IsUndefined() ? OwnEnvironment() : Strings(info[2]);
  request.has_input = !info[3].IsUndefined();
  request.output = static_cast<Sink>(info[4].As<Napi::Number>().Uint32Value());
  request.errors = static_cast<Sink>(info[5].As<Napi::Number>().Uint32Value());
  const char* path = getenv("PATH");
  auto work = [request = std::move(request), agent_path = std::string(path != nullptr ? path : "/bin:/usr/bin")] {
    return Start(request, agent_path);
  };
  Napi::Reference<Napi::Value> input;
  if (!info[3].IsUndefined()) input = Napi::Persistent(info[3]);
  auto finish = [input = std::move(input), on_output = Napi::Persistent(info[6].As<Napi::Function>()),
                 on_end = Napi::Persistent(info[7].As<Napi::Function>())](Napi::Env env, Started& started) {
    auto watched = std::make_shared<Watched>(env, std::move(started), input.IsEmpty() ? env.Undefined() : input.Value(), on_output.Value(), on_end.Value());
    watched->Begin();
    Napi::Object result = Napi::Object::New(env);
    result.Set("pid", Napi::Number::New(env, watched->pid()));
    result.Set("kill", Napi::Function::New(env, [watched](const Napi::CallbackInfo&) { watched->Kill(); }));
    return result;
  };
  return OnIoThread(info.Env(), std::move(work), std::move(finish));
}

const Part part([](Napi::Env env, Napi::Object exports) { exports.Set("spawn", Napi::Function::New(env, Guarded<Spawn>)); });

}  // namespace

}  // namespace concierge
