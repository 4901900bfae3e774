// SPDX-License-Identifier: Apache-2.0
// Running programs, watched by the event loop until they have ended and their output is complete.

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <list>
#include <optional>
#include <vector>

#include "addon.h"
#include "descendants.h"
#include "descriptor.h"
#include "own-children.h"
#include "program-start.h"

// Newer than the oldest headers that this is built with.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

extern char** environ;

namespace concierge {

namespace {

constexpr size_t kChunk = 64 * 1024;
// Chunks read in one turn of the loop before others get theirs.
constexpr int kChunksPerTurn = 16;
// How long a pipe that another process still holds is waited for after the end of the process.
constexpr uint64_t kGraceMs = 100;
// Pipes of ended programs that others still hold: one more, and whoever holds the oldest gets SIGPIPE for what it writes next.
constexpr size_t kMaximumLeftPipes = 256;
// PIDFD_SIGNAL_PROCESS_GROUP of pidfd_send_signal(2).
constexpr unsigned kWholeGroup = 1u << 2;

long SignalProcess(int pidfd, int signal, unsigned flags) { return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, flags); }

// What is read on the way to somewhere else.
char* Chunk() {
  static thread_local std::unique_ptr<char[]> chunk(new char[kChunk]);
  return chunk.get();
}

// Of JavaScript, and of as many as may come to call it.
using SharedFunction = std::shared_ptr<Napi::FunctionReference>;

SharedFunction Share(const Napi::Value& value) {
  return value.IsFunction() ? std::make_shared<Napi::FunctionReference>(Napi::Persistent(value.As<Napi::Function>())) : nullptr;
}

// A descriptor and its poll handle, which libuv requires to be closed first.
struct Polled {
  Descriptor descriptor;
  OwnedHandle<uv_poll_t> poll;
  void Close() {
    poll.Close();
    descriptor.Reset();
  }
};

// The pipes of programs that have ended while others, services that they started in the background say, still hold them. They
// are read and thrown away until the last holder has closed them, and keep no process alive that has nothing else to do.
class LeftPipes {
 public:
  explicit LeftPipes(Napi::Env env) : env_(env), handles_(AddonData::Of(env).handles) {
    registration_ = handles_->OnEnd([this] { pipes_.clear(); });
  }

  // `gone`: called, with `stream`, when the pipe is not read any more; may be empty. False: it is closed instead.
  bool Take(Descriptor descriptor, SharedFunction gone, uint32_t stream) {
    if (handles_->ending()) return false;
    if (pipes_.size() >= kMaximumLeftPipes) LetGo(pipes_.begin());
    pipes_.emplace_back();
    LeftPipe& pipe = pipes_.back();
    pipe.owner = this;
    pipe.place = std::prev(pipes_.end());
    pipe.gone = std::move(gone);
    pipe.stream = stream;
    pipe.polled.descriptor = std::move(descriptor);
    auto* poll = new uv_poll_t;
    if (uv_poll_init(handles_->loop(), poll, pipe.polled.descriptor.get()) < 0) {
      delete poll;
      pipes_.pop_back();
      return false;
    }
    poll->data = &pipe;
    uv_unref(reinterpret_cast<uv_handle_t*>(poll));
    pipe.polled.poll = OwnedHandle<uv_poll_t>(handles_, poll);
    uv_poll_start(poll, UV_READABLE, [](uv_poll_t* handle, int, int) { static_cast<LeftPipe*>(handle->data)->Drop(); });
    return true;
  }

 private:
  struct LeftPipe {
    ~LeftPipe() { polled.Close(); }
    void Drop() {
      for (int chunks = kChunksPerTurn; chunks > 0; chunks--) {
        const ssize_t count = Retry([&] { return read(polled.descriptor.get(), Chunk(), kChunk); });
        if (count < 0 && errno == EAGAIN) return;
        if (count > 0) continue;
        owner->LetGo(place);
        return;
      }
    }
    LeftPipes* owner = nullptr;
    std::list<LeftPipe>::iterator place;
    SharedFunction gone;
    uint32_t stream = 0;
    Polled polled;
  };

  void LetGo(std::list<LeftPipe>::iterator place) {
    const SharedFunction gone = std::move(place->gone);
    const uint32_t stream = place->stream;
    pipes_.erase(place);
    if (gone == nullptr) return;
    const Napi::HandleScope scope(env_);
    CallBack(env_, *gone, {Napi::Number::New(env_, stream)});
  }

  const Napi::Env env_;
  const std::shared_ptr<LoopHandles> handles_;
  LoopHandles::Registration registration_;
  // Oldest first.
  std::list<LeftPipe> pipes_;
};

// Lives from the start of a process until its end has been told.
class Watched : public std::enable_shared_from_this<Watched> {
 public:
  Watched(Napi::Env env, std::shared_ptr<LeftPipes> left_pipes, StartedProgram started, Napi::Value input, Napi::Function on_output,
          Napi::Function on_end)
      : env_(env),
        handles_(AddonData::Of(env).handles),
        left_pipes_(std::move(left_pipes)),
        pid_(started.pid),
        exit_is_process_(started.exit_is_process),
        on_output_(Napi::Persistent(on_output)),
        on_end_(Napi::Persistent(on_end)) {
    exit_.descriptor = std::move(started.exit);
    for (const Stream stream : {kOutput, kErrors}) streams_[stream].descriptor = std::move(started.streams[stream]);
    input_.descriptor = std::move(started.input);
    if (input_.descriptor) input_bytes_ = Napi::Persistent(input.As<Napi::Uint8Array>());
  }

  // Output goes into memory files too, which outlive this process where somebody else holds them.
  void RecordOutput() {
    for (const Stream stream : {kOutput, kErrors}) {
      if (!streams_[stream].descriptor) continue;
      // Without one the program runs as well, and what it writes is known as long as this process is there.
      records_[stream].Reset(memfd_create(stream == kOutput ? "output" : "errors", MFD_CLOEXEC));
    }
  }

  void BeforeReaping(Napi::Function call) { before_reaping_ = Napi::Persistent(call); }

  // Called with the stream of a pipe that was left behind, when nobody writes to it any more.
  void OnLeftPipeGone(SharedFunction call) { left_pipe_gone_ = std::move(call); }

  void TakeRecord(Stream stream, Descriptor record) { records_[stream] = std::move(record); }

  int stream_fd(Stream stream) const { return streams_[stream].descriptor.get(); }
  int record_fd(Stream stream) const { return records_[stream].get(); }
  // Stands for the process, whoever gets its number later; −1 where the kernel has none.
  int process_fd() const { return exit_is_process_ ? exit_.descriptor.get() : -1; }

  // In place of Begin, for a program that an earlier process of ours has started: tells what it has written, and goes on.
  // How it ends is told by `EndAs`.
  void Resume() {
    taken_over_ = true;
    self_ = shared_from_this();
    registration_ = handles_->OnEnd([this] { Release(); });
    for (const Stream stream : {kOutput, kErrors}) TellRecord(stream);
    if (streams_[kOutput].descriptor) Poll<&Watched::OutputReadable>(streams_[kOutput], UV_READABLE);
    if (streams_[kErrors].descriptor) Poll<&Watched::ErrorsReadable>(streams_[kErrors], UV_READABLE);
  }

  void EndAs(bool exited, int status) {
    if (self_ == nullptr || end_.has_value()) return;
    const std::shared_ptr<Watched> alive = self_;
    end_ = ChildEnd{exited, status};
    FinishWithin();
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
    if (taken_over_) return KillTakenOver();
    kill(-pid_, SIGKILL);
    kill(pid_, SIGKILL);
  }

  // The process, and all that it has started and that carries the mark. Resolves when they are gone, or were found gone already.
  Napi::Value EndAll(Napi::Env env, std::string mark) {
    const pid_t pid = self_ == nullptr ? 0 : pid_;
    return OnIoThread(env, [pid, mark = std::move(mark)] {
      if (pid > 0) EndDescendants(pid, mark);
    });
  }

  // Nobody wants more of a stream: it is read, so that the process is not held up, and told to nobody.
  void Discard(Stream stream) { discarded_[stream] = true; }

  pid_t pid() const { return pid_; }

 private:
  // Somebody else is its parent, and may have taken its end a moment ago: then its number may be anybody's.
  void KillTakenOver() {
    if (end_.has_value()) return;
    if (process_fd() >= 0) {
      // The group of one that is gone would be reached all the same, and what it has left in the background is to go on.
      if (SignalProcess(process_fd(), 0, 0) < 0) return;
      if (SignalProcess(process_fd(), SIGKILL, kWholeGroup) == 0) return;
      // Before Linux 6.9 by its number, which is its own still.
    }
    kill(-pid_, SIGKILL);
    kill(pid_, SIGKILL);
  }

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
      self->Guarded([self] { (self->*Method)(); });
    });
  }

  // Around everything that the loop calls: it must outlive its own release, and no exception may enter libuv.
  template <class Body>
  void Guarded(Body body) {
    const std::shared_ptr<Watched> alive = self_;
    try {
      body();
    } catch (const Napi::Error&) {
      // The environment is being terminated: nobody is left to hear of it.
    }
  }

  void OutputReadable() { Read(kOutput, kChunksPerTurn); }
  void ErrorsReadable() { Read(kErrors, kChunksPerTurn); }

  void Read(Stream stream, int chunks) {
    while (chunks-- > 0 && streams_[stream].descriptor) {
      const ssize_t count = Take(stream, Chunk());
      if (count < 0 && errno == EAGAIN) return;
      if (count <= 0) {
        streams_[stream].Close();
        FinishIfComplete();
        return;
      }
      if (discarded_[stream]) continue;
      const Napi::HandleScope scope(env_);
      CallBack(env_, on_output_, {Napi::Number::New(env_, stream), Napi::Buffer<char>::Copy(env_, Chunk(), static_cast<size_t>(count))});
    }
  }

  // As read(2). What is recorded goes from the pipe to its record in one step: whenever this process ends, it is in one of them.
  ssize_t Take(Stream stream, char* into) {
    const int pipe = streams_[stream].descriptor.get();
    if (!records_[stream] || discarded_[stream]) return Retry([&] { return read(pipe, into, kChunk); });
    const ssize_t count = Retry([&] { return splice(pipe, nullptr, records_[stream].get(), nullptr, kChunk, SPLICE_F_NONBLOCK); });
    if (count < 0 && errno != EAGAIN) {
      // No memory for it: goes on without.
      records_[stream].Reset();
      return Retry([&] { return read(pipe, into, kChunk); });
    }
    if (count <= 0) return count;
    const off_t end = lseek(records_[stream].get(), 0, SEEK_CUR);
    return Retry([&] { return pread(records_[stream].get(), into, static_cast<size_t>(count), end - count); });
  }

  void TellRecord(Stream stream) {
    if (!records_[stream]) return;
    const std::unique_ptr<char[]> chunk(new char[kChunk]);
    const off_t end = lseek(records_[stream].get(), 0, SEEK_CUR);
    for (off_t at = 0; at < end;) {
      const ssize_t count = Retry([&] { return pread(records_[stream].get(), chunk.get(), std::min<size_t>(kChunk, static_cast<size_t>(end - at)), at); });
      if (count <= 0) return;
      at += count;
      const Napi::HandleScope scope(env_);
      CallBack(env_, on_output_, {Napi::Number::New(env_, stream), Napi::Buffer<char>::Copy(env_, chunk.get(), static_cast<size_t>(count))});
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
    end_ = EndOfChild(pid_);
    if (!end_.has_value()) return;
    FinishWithin();
  }

  // What is in the pipes, and what comes within the grace period.
  void FinishWithin() {
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
          self->Guarded([self] {
            self->Drain();
            for (Polled& stream : self->streams_) self->LeaveBehind(stream);
            self->FinishIfComplete();
          });
        },
        kGraceMs, 0);
  }

  // What is in the pipes; bounded, for another process may be filling them.
  void Drain() {
    for (const Stream stream : {kOutput, kErrors}) Read(stream, kChunksPerTurn);
    FinishIfComplete();
  }

  // Somebody else still holds the pipe, and lives on.
  void LeaveBehind(Polled& stream) {
    stream.poll.Close();
    if (!stream.descriptor) return;
    const auto index = static_cast<uint32_t>(&stream - streams_.data());
    if (left_pipes_->Take(std::move(stream.descriptor), left_pipe_gone_, index)) left_behind_ |= 1u << index;
  }

  void FinishIfComplete() {
    if (self_ == nullptr || !end_.has_value() || streams_[kOutput].descriptor || streams_[kErrors].descriptor) return;
    const Napi::HandleScope scope(env_);
    const Napi::FunctionReference on_end = std::move(on_end_);
    const Napi::FunctionReference before_reaping = std::move(before_reaping_);
    const std::shared_ptr<Watched> alive = self_;
    Release();
    const std::vector<napi_value> how{Napi::Boolean::New(env_, end_->exited), Napi::Number::New(env_, end_->status)};
    // Reaped only when it has been noted: were this process to end before, the next parent would be told.
    CallBack(env_, before_reaping, {how[0], how[1], Napi::Number::New(env_, left_behind_)});
    if (!taken_over_) ReapChild(pid_);
    CallBack(env_, on_end, {how[0], how[1], Napi::Number::New(env_, left_behind_)});
  }

  void Release() {
    timer_.Close();
    exit_.Close();
    CloseInput();
    for (Polled& stream : streams_) stream.Close();
    for (Descriptor& record : records_) record.Reset();
    // Whoever was to be called knows the program, and so this: neither would ever be taken for garbage.
    on_output_.Reset();
    on_end_.Reset();
    before_reaping_.Reset();
    left_pipe_gone_.reset();
    handles_->Forget(registration_);
    self_.reset();
  }

  const Napi::Env env_;
  const std::shared_ptr<LoopHandles> handles_;
  const std::shared_ptr<LeftPipes> left_pipes_;
  const pid_t pid_;
  const bool exit_is_process_;
  Napi::FunctionReference on_output_;
  Napi::FunctionReference on_end_;
  Napi::FunctionReference before_reaping_;
  SharedFunction left_pipe_gone_;
  Napi::Reference<Napi::Uint8Array> input_bytes_;
  size_t written_ = 0;
  Polled exit_;
  Polled input_;
  std::array<Polled, 2> streams_;
  std::array<Descriptor, 2> records_;
  std::array<bool, 2> discarded_{};
  OwnedHandle<uv_timer_t> timer_;
  std::optional<ChildEnd> end_;
  bool taken_over_ = false;
  unsigned left_behind_ = 0;  // streams, a bit each
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

const std::shared_ptr<LeftPipes>& LeftPipesOf(Napi::Env env) {
  std::shared_ptr<LeftPipes>& pipes = AddonData::Of(env).PartData<std::shared_ptr<LeftPipes>>();
  if (pipes == nullptr) pipes = std::make_shared<LeftPipes>(env);
  return pipes;
}

// (fd, onGone): a pipe that an earlier process of ours has left behind; owns it. `onGone` is called once it is read no more.
Napi::Value TakeLeftPipe(const Napi::CallbackInfo& info) {
  LeftPipesOf(info.Env())->Take(Descriptor(info[0].As<Napi::Number>().Int32Value()), Share(info[1]), 0);
  return info.Env().Undefined();
}

Napi::Object Handle(Napi::Env env, const std::shared_ptr<Watched>& watched) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("pid", Napi::Number::New(env, watched->pid()));
  result.Set("kill", Napi::Function::New(env, [watched](const Napi::CallbackInfo&) { watched->Kill(); }));
  result.Set("endAll", Napi::Function::New(env, [watched](const Napi::CallbackInfo& info) {
               return watched->EndAll(info.Env(), info[0].As<Napi::String>().Utf8Value());
             }));
  result.Set("discard", Napi::Function::New(env, [watched](const Napi::CallbackInfo& info) {
               watched->Discard(info[0].As<Napi::Number>().Uint32Value() == 0 ? kOutput : kErrors);
             }));
  Napi::Array descriptors = Napi::Array::New(env);
  for (const Stream stream : {kOutput, kErrors}) {
    descriptors.Set(2 * stream, Napi::Number::New(env, watched->stream_fd(stream)));
    descriptors.Set(2 * stream + 1, Napi::Number::New(env, watched->record_fd(stream)));
  }
  descriptors.Set(4u, Napi::Number::New(env, watched->process_fd()));
  result.Set("descriptors", descriptors);
  return result;
}

// (pid, [output pipe, its record, errors pipe, its record, pidfd], onOutput, onEnd, onLeftPipeGone) → the same with { resume,
// end }. Owns the descriptors; −1 for one that is not there. `resume()` tells what was recorded, `end(exited, status)` how it has ended.
Napi::Value TakeOver(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  StartedProgram started;
  started.pid = info[0].As<Napi::Number>().Int32Value();
  const auto descriptors = info[1].As<Napi::Array>();
  auto number = [&](uint32_t index) { return descriptors.Get(index).As<Napi::Number>().Int32Value(); };
  started.exit.Reset(number(4));
  started.exit_is_process = static_cast<bool>(started.exit);
  for (const Stream stream : {kOutput, kErrors}) {
    started.streams[stream].Reset(number(2 * stream));
    if (!started.streams[stream]) continue;
    fcntl(started.streams[stream].get(), F_SETFL, fcntl(started.streams[stream].get(), F_GETFL) | O_NONBLOCK);
  }
  auto watched = std::make_shared<Watched>(env, LeftPipesOf(env), std::move(started), env.Undefined(), info[2].As<Napi::Function>(), info[3].As<Napi::Function>());
  for (const Stream stream : {kOutput, kErrors}) watched->TakeRecord(stream, Descriptor(number(2 * stream + 1)));
  watched->OnLeftPipeGone(Share(info[4]));
  Napi::Object result = Handle(env, watched);
  result.Set("resume", Napi::Function::New(env, [watched](const Napi::CallbackInfo&) { watched->Resume(); }));
  result.Set("end", Napi::Function::New(env, [watched](const Napi::CallbackInfo& info) {
               watched->EndAs(info[0].As<Napi::Boolean>(), info[1].As<Napi::Number>().Int32Value());
             }));
  return result;
}

// (path, arguments, environment | undefined, input | undefined, output, errors, onOutput, onEnd, directory?, name?,
//  beforeReaping?, onLeftPipeGone?)
// → { pid, kill, endAll, discard, descriptors }
Napi::Value Spawn(const Napi::CallbackInfo& info) {
  ProgramRequest request;
  request.path = SystemString(info[0]);
  request.arguments = Strings(info[1]);
  request.environment = info[2].IsUndefined() ? OwnEnvironment() : Strings(info[2]);
  request.has_input = !info[3].IsUndefined();
  request.output = static_cast<Sink>(info[4].As<Napi::Number>().Uint32Value());
  request.errors = static_cast<Sink>(info[5].As<Napi::Number>().Uint32Value());
  if (info[8].IsNumber()) {
    request.directory = info[8].As<Napi::Number>().Int32Value();
    request.name = SystemString(info[9]);
  }
  const char* path = getenv("PATH");
  auto work = [request = std::move(request), agent_path = std::string(path != nullptr ? path : "/bin:/usr/bin")] {
    return StartProgram(request, agent_path);
  };
  Napi::Reference<Napi::Value> input;
  if (!info[3].IsUndefined()) input = Napi::Persistent(info[3]);
  Napi::FunctionReference before_reaping;
  if (info[10].IsFunction()) before_reaping = Napi::Persistent(info[10].As<Napi::Function>());
  auto finish = [before_reaping = std::move(before_reaping), gone = Share(info[11]), input = std::move(input), on_output = Napi::Persistent(info[6].As<Napi::Function>()),
                 on_end = Napi::Persistent(info[7].As<Napi::Function>())](Napi::Env env, StartedProgram& started) {
    auto watched = std::make_shared<Watched>(env, LeftPipesOf(env), std::move(started), input.IsEmpty() ? env.Undefined() : input.Value(), on_output.Value(), on_end.Value());
    if (!before_reaping.IsEmpty()) {
      watched->RecordOutput();
      watched->BeforeReaping(before_reaping.Value());
      watched->OnLeftPipeGone(gone);
    }
    watched->Begin();
    return Handle(env, watched);
  };
  return OnIoThread(info.Env(), std::move(work), std::move(finish));
}

const Part part([](Napi::Env env, Napi::Object exports) { 
  exports.Set("spawn", Napi::Function::New(env, Guarded<Spawn>));
  exports.Set("takeLeftPipe", Napi::Function::New(env, Guarded<TakeLeftPipe>));
  exports.Set("takeOverProgram", Napi::Function::New(env, Guarded<TakeOver>));
});

}  // namespace

}  // namespace concierge
