// SPDX-License-Identifier: Apache-2.0
// Programs that are conversed with, on pipes or on a terminal. Nothing is read before somebody asks: what nobody asks for stays in
// the pipe or the terminal. Who was told that there is nothing is called once when there is something. With records, the next agent can go on.

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "addon.h"
#include "conversation-record.h"
#include "descriptor.h"
#include "own-children.h"
#include "program-start.h"

// Newer than the oldest headers that this is built with.
#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

extern char** environ;

namespace concierge {

namespace {

// What a pipe holds by itself (pipe(7)); who asks for more at a time gets a larger one.
constexpr size_t kUsualPipe = 64 * 1024;
constexpr int kLargePipe = 1024 * 1024;
// What a terminal's program wrote last may still be on its way through the line discipline when it has ended.
constexpr uint64_t kGraceMs = 100;

enum Way : uint32_t { kOutputWay = 0, kErrorsWay = 1, kInputWay = 2 };
// Besides the ways, of what is to be looked at: one of them was closed by itself.
constexpr uint32_t kClosed = 3;

// What the next agent needs, in the order in which it is handed over.
enum Place : uint32_t { kOutputPlace, kErrorsPlace, kInputPlace, kOutputRecord, kErrorsRecord, kInputRecord, kOutOf, kInto, kProcessPlace, kPlaces };

struct End {
  Descriptor descriptor;
  OwnedHandle<uv_poll_t> poll;
  bool armed = false;
  bool enlarged = false;
  void Close() {
    poll.Close();
    descriptor.Reset();
    armed = false;
  }
};

// From its start until nobody wants it any more.
class Interactive : public std::enable_shared_from_this<Interactive> {
 public:
  Interactive(Napi::Env env, StartedProgram started, Descriptor terminal, Napi::Function on_ready, Napi::Function on_end)
      : env_(env),
        handles_(AddonData::Of(env).handles),
        pid_(started.pid),
        exit_is_process_(started.exit_is_process),
        on_ready_(Napi::Persistent(on_ready)),
        on_end_(Napi::Persistent(on_end)) {
    exit_.descriptor = std::move(started.exit);
    if (terminal) {
      on_terminal_ = true;
      // A second descriptor: libuv has one watcher for each.
      ends_[kInputWay].descriptor.Reset(fcntl(terminal.get(), F_DUPFD_CLOEXEC, 0));
      ends_[kOutputWay].descriptor = std::move(terminal);
    } else {
      ends_[kOutputWay].descriptor = std::move(started.streams[kOutput]);
      ends_[kErrorsWay].descriptor = std::move(started.streams[kErrors]);
      ends_[kInputWay].descriptor = std::move(started.input);
    }
  }

  void Begin() {
    self_ = shared_from_this();
    registration_ = handles_->OnEnd([this] { Release(); });
    auto* poll = NewPoll(exit_);
    if (poll == nullptr) return;
    uv_poll_start(poll, UV_READABLE, [](uv_poll_t* handle, int, int) { static_cast<Interactive*>(handle->data)->Exited(); });
  }

  // Before anything is read or written. Where it cannot be done, the next agent will know nothing of the program.
  void Record() {
    bool all = input_record_.Make();
    for (const Way way : {kOutputWay, kErrorsWay}) all = all && (!ends_[way].descriptor || records_[way].Make(on_terminal_));
    if (all) return;
    records_ = {};
    input_record_ = {};
  }

  // In place of Begin: one that an earlier agent has started, from these offsets on. How it ends is told by `EndAs`.
  void Resume(off_t output, off_t errors) {
    self_ = shared_from_this();
    registration_ = handles_->OnEnd([this] { Release(); });
    records_[kOutputWay].DeliverFrom(output);
    records_[kErrorsWay].DeliverFrom(errors);
    last_byte_ = input_record_.Last();
  }

  void TakeOver(std::array<Descriptor, kPlaces>& kept) {
    taken_over_ = true;
    records_[kOutputWay].Adopt(std::move(kept[kOutputRecord]), std::move(kept[kOutOf]), std::move(kept[kInto]));
    records_[kErrorsWay].Adopt(std::move(kept[kErrorsRecord]), {}, {});
    input_record_.Adopt(std::move(kept[kInputRecord]));
  }

  std::array<int, kPlaces> places() const {
    std::array<int, kPlaces> places;
    places.fill(-1);
    if (!input_record_.exists()) return places;
    places[kOutputPlace] = ends_[kOutputWay].descriptor.get();
    places[kErrorsPlace] = ends_[kErrorsWay].descriptor.get();
    // The same terminal, else.
    if (!on_terminal_) places[kInputPlace] = ends_[kInputWay].descriptor.get();
    places[kOutputRecord] = records_[kOutputWay].file();
    places[kErrorsRecord] = records_[kErrorsWay].file();
    places[kInputRecord] = input_record_.file();
    places[kOutOf] = records_[kOutputWay].out_of();
    places[kInto] = records_[kOutputWay].into();
    if (exit_is_process_) places[kProcessPlace] = exit_.descriptor.get();
    return places;
  }

  // A bit for each way that is open, and one where the records are of no use any more.
  uint32_t state() const {
    uint32_t open = 0;
    for (const Way way : {kOutputWay, kErrorsWay, kInputWay}) open |= ends_[way].descriptor ? 1u << way : 0;
    const bool is_broken = records_[kOutputWay].is_broken() || records_[kErrorsWay].is_broken() || input_record_.is_broken();
    return open | (is_broken ? 1u << kClosed : 0);
  }

  off_t recorded(Way way) const { return records_[way].exists() ? records_[way].end() : 0; }
  off_t accepted() const { return input_record_.exists() ? input_record_.accepted() : 0; }
  void Forget(Way way, off_t before) { records_[way].Forget(before); }

  // −1: nothing there now.
  ssize_t Read(Way way, char* into, size_t size) {
    End& end = ends_[way];
    OutputRecord& record = records_[way];
    if ((!end.descriptor && !record.HasMore()) || size == 0) return 0;
    if (end.descriptor && size > kUsualPipe && !on_terminal_ && !std::exchange(end.enlarged, true)) fcntl(end.descriptor.get(), F_SETPIPE_SZ, kLargePipe);
    const int from = end.descriptor.get();
    const ssize_t count = record.exists() ? record.Take(from, into, size) : Retry([&] { return read(from, into, size); });
    if (count > 0) return count;
    if (count < 0 && errno == EAGAIN && !hung_up_) {
      Arm(way, UV_READABLE);
      return -1;
    }
    // EIO: the last holder of the terminal's other end has gone. A program that closes its streams before it ends would get SIGHUP
    // in between if our end, too, were closed.
    if (on_terminal_ && !has_exited_) {
      end.poll.Close();
      end.armed = false;
      is_drained_ = true;
    } else {
      end.Close();
      // The same terminal: whoever has its other end is hung up when both are closed.
      if (on_terminal_) ends_[kInputWay].Close();
    }
    return 0;
  }

  // −1: nobody reads any more.
  ssize_t Write(const char* bytes, size_t size) {
    End& end = ends_[kInputWay];
    if (!end.descriptor || has_exited_) return -1;
    size_t written = 0;
    while (written < size) {
      const int to = end.descriptor.get();
      const ssize_t count = input_record_.exists() ? input_record_.Give(to, !on_terminal_, bytes + written, size - written)
                                                   : Retry([&] { return write(to, bytes + written, size - written); });
      if (count < 0 && errno == EAGAIN) {
        Arm(kInputWay, UV_WRITABLE);
        break;
      }
      if (count < 0) {
        end.Close();
        return written > 0 ? static_cast<ssize_t>(written) : -1;
      }
      written += static_cast<size_t>(count);
    }
    if (written > 0) last_byte_ = bytes[written - 1];
    return static_cast<ssize_t>(written);
  }

  void EndInput() {
    End& end = ends_[kInputWay];
    if (!end.descriptor) return;
    if (on_terminal_) TypeEndOfFile(end.descriptor.get());
    // A terminal is written to by nobody else, but it is not hung up either as long as its output is there.
    end.Close();
  }

  void Signal(int signal, bool group) {
    if (has_exited_ || !IsThere()) throw SystemError(ESRCH, "kill");
    if (kill(group ? -pid_ : pid_, signal) < 0) throw SystemError("kill");
    const pid_t foreground = group ? Foreground() : 0;
    if (foreground > 0 && foreground != pid_) kill(-foreground, signal);
  }

  void Kill() {
    if (has_exited_ || !IsThere()) return;
    const pid_t foreground = Foreground();
    if (foreground > 0) kill(-foreground, SIGKILL);
    kill(-pid_, SIGKILL);
    kill(pid_, SIGKILL);
  }

  void Resize(unsigned short rows, unsigned short columns) {
    if (!on_terminal_ || !ends_[kOutputWay].descriptor) throw SystemError(EIO, "ioctl");
    struct winsize size = {};
    size.ws_row = rows;
    size.ws_col = columns;
    if (ioctl(ends_[kOutputWay].descriptor.get(), TIOCSWINSZ, &size) < 0) throw SystemError("ioctl");
  }

  // The pipes that others may still write to, for the caller to own.
  std::vector<int> LetGo() {
    std::vector<int> left;
    for (const Way way : {kOutputWay, kErrorsWay}) {
      ends_[way].poll.Close();
      if (!on_terminal_ && ends_[way].descriptor) left.push_back(ends_[way].descriptor.Release());
    }
    Release();
    return left;
  }

  // Somebody else is its parent, and tells.
  void EndAs(bool exited, int status) {
    if (self_ != nullptr && !has_exited_) Ended({exited, status});
  }

  pid_t pid() const { return pid_; }

 private:
  // Whose number is it? As long as this is the parent it is reserved; else somebody may have taken its end a moment ago.
  bool IsThere() const {
    if (!taken_over_ || !exit_is_process_ || !exit_.descriptor) return true;
    return syscall(SYS_pidfd_send_signal, exit_.descriptor.get(), 0, nullptr, 0) == 0;
  }

  uv_poll_t* NewPoll(End& end) {
    auto* poll = new uv_poll_t;
    if (uv_poll_init(handles_->loop(), poll, end.descriptor.get()) < 0) {
      delete poll;
      return nullptr;
    }
    poll->data = this;
    end.poll = OwnedHandle<uv_poll_t>(handles_, poll);
    return poll;
  }

  void Arm(Way way, int events) {
    End& end = ends_[way];
    if (end.armed) return;
    uv_poll_t* poll = end.poll ? end.poll.get() : NewPoll(end);
    if (poll == nullptr) return;
    end.armed = true;
    static constexpr std::array<uv_poll_cb, 3> kCallbacks{Ready<kOutputWay>, Ready<kErrorsWay>, Ready<kInputWay>};
    uv_poll_start(poll, events, kCallbacks[way]);
  }

  template <Way kWay>
  static void Ready(uv_poll_t* handle, int, int) {
    auto* self = static_cast<Interactive*>(handle->data);
    uv_poll_stop(handle);
    self->ends_[kWay].armed = false;
    const std::shared_ptr<Interactive> alive = self->self_;
    const Napi::HandleScope scope(self->env_);
    CallBack(self->env_, self->on_ready_, {Napi::Number::New(self->env_, kWay)});
  }

  void Exited() {
    const std::optional<ChildEnd> end = EndOfChild(pid_);
    if (end.has_value()) Ended(*end);
  }

  void Ended(ChildEnd end) {
    has_exited_ = true;
    exit_.Close();
    if (!on_terminal_) ends_[kInputWay].Close();
    if (on_terminal_) HangUpWithin();
    const std::shared_ptr<Interactive> alive = self_;
    const Napi::HandleScope scope(env_);
    CallBack(env_, on_end_, {Napi::Boolean::New(env_, end.exited), Napi::Number::New(env_, end.status)});
    // Only when it has been noted: were this process to end before, the next parent would be told.
    if (!taken_over_) ReapChild(pid_);
  }

  // A pseudo-terminal is not hung up when its session loses its leader: our end is told nothing as long as anybody has the other one
  // open. It ends with the leader, as that of a login does; who still has it gets SIGHUP when our end is closed.
  void HangUpWithin() {
    auto* timer = new uv_timer_t;
    uv_timer_init(handles_->loop(), timer);
    timer->data = this;
    timer_ = OwnedHandle<uv_timer_t>(handles_, timer);
    uv_timer_start(
        timer,
        [](uv_timer_t* handle) {
          auto* self = static_cast<Interactive*>(handle->data);
          self->timer_.Close();
          self->hung_up_ = true;
          End& output = self->ends_[kOutputWay];
          const bool was_armed = output.armed;
          if (was_armed) Ready<kOutputWay>(output.poll.get(), 0, 0);
          if (was_armed || !self->is_drained_) return;
          output.Close();
          self->ends_[kInputWay].Close();
          const std::shared_ptr<Interactive> alive = self->self_;
          const Napi::HandleScope scope(self->env_);
          CallBack(self->env_, self->on_ready_, {Napi::Number::New(self->env_, kClosed)});
        },
        kGraceMs, 0);
  }

  // The process group that has the terminal.
  pid_t Foreground() const {
    pid_t group = 0;
    if (!on_terminal_ || !ends_[kOutputWay].descriptor || ioctl(ends_[kOutputWay].descriptor.get(), TIOCGPGRP, &group) < 0) return 0;
    return group;
  }

  // Twice within a line: the first one only hands over what was typed of it (termios(3)).
  void TypeEndOfFile(int terminal) {
    struct termios settings;
    if (tcgetattr(terminal, &settings) < 0 || (settings.c_lflag & ICANON) == 0) {
      if (input_record_.exists()) input_record_.PassOver(1);
      return;
    }
    const char character = static_cast<char>(settings.c_cc[VEOF]);
    const bool at_start = last_byte_ == '\n' || last_byte_ == '\r' || last_byte_ == character;
    const char keys[2] = {character, character};
    const size_t size = at_start ? 1 : 2;
    // Behind the input: the record has them too, so that nobody types them again.
    [[maybe_unused]] const ssize_t count = input_record_.exists() ? input_record_.Give(terminal, false, keys, size) : write(terminal, keys, size);
  }

  void Release() {
    timer_.Close();
    exit_.Close();
    for (End& end : ends_) end.Close();
    records_ = {};
    input_record_ = {};
    if (self_ == nullptr) return;
    on_ready_.Reset();
    on_end_.Reset();
    handles_->Forget(registration_);
    self_.reset();
  }

  const Napi::Env env_;
  const std::shared_ptr<LoopHandles> handles_;
  const pid_t pid_;
  const bool exit_is_process_;
  Napi::FunctionReference on_ready_;
  Napi::FunctionReference on_end_;
  End exit_;
  std::array<End, 3> ends_;
  std::array<OutputRecord, 2> records_;
  InputRecord input_record_;
  bool taken_over_ = false;
  bool on_terminal_ = false;
  bool hung_up_ = false;
  // Its terminal has been read to the end.
  bool is_drained_ = false;
  OwnedHandle<uv_timer_t> timer_;
  char last_byte_ = '\n';
  bool has_exited_ = false;
  LoopHandles::Registration registration_;
  // Itself, until it is let go.
  std::shared_ptr<Interactive> self_;
};

struct Terminal {
  Descriptor master;
  Descriptor slave;
};

Terminal OpenTerminal(unsigned short rows, unsigned short columns, const std::optional<Identity>& identity) {
  Terminal terminal;
  terminal.master.Reset(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.master) throw SystemError("posix_openpt");
  if (unlockpt(terminal.master.get()) < 0) throw SystemError("unlockpt");
  terminal.slave.Reset(ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.slave) {
    char name[64];
    if (ptsname_r(terminal.master.get(), name, sizeof name) != 0) throw SystemError("ptsname_r");
    terminal.slave.Reset(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal.slave) throw SystemError("open", name);
  }
  struct winsize size = {};
  size.ws_row = rows;
  size.ws_col = columns;
  ioctl(terminal.master.get(), TIOCSWINSZ, &size);
  // Whoever erases a character erases all bytes of it.
  struct termios settings;
  if (tcgetattr(terminal.slave.get(), &settings) == 0) {
    settings.c_iflag |= IUTF8;
    tcsetattr(terminal.slave.get(), TCSANOW, &settings);
  }
  // As login(1) does: what opens it anew by its name is the user's.
  if (identity.has_value()) [[maybe_unused]] const int changed = fchown(terminal.slave.get(), identity->uid, static_cast<gid_t>(-1));
  fcntl(terminal.master.get(), F_SETFL, fcntl(terminal.master.get(), F_GETFL) | O_NONBLOCK);
  return terminal;
}

std::vector<std::string> Strings(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  strings.reserve(array.Length());
  for (uint32_t index = 0; index < array.Length(); index++) strings.push_back(SystemString(array.Get(index)));
  return strings;
}

// The agent's environment with changes: `NAME=VALUE` adds or replaces, `NAME` removes.
std::vector<std::string> ChangedEnvironment(const std::vector<std::string>& changes) {
  std::vector<std::string> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; entry++) environment.emplace_back(*entry);
  for (const std::string& change : changes) {
    const std::string start = change.substr(0, change.find('=')) + "=";
    environment.erase(std::remove_if(environment.begin(), environment.end(), [&](const std::string& entry) { return entry.compare(0, start.size(), start) == 0; }),
                      environment.end());
    if (change.size() >= start.size()) environment.push_back(change);
  }
  return environment;
}

template <class Body>
Napi::Value GuardedCall(const Napi::CallbackInfo& info, Body body) {
  try {
    body();
  } catch (const SystemError& error) {
    throw error.ToJavaScript(info.Env());
  }
  return info.Env().Undefined();
}

unsigned short Short(const Napi::Value& value) { return static_cast<unsigned short>(value.As<Napi::Number>().Uint32Value()); }

Napi::Object Handle(Napi::Env env, const std::shared_ptr<Interactive>& program) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("pid", Napi::Number::New(env, program->pid()));
  result.Set("read", Napi::Function::New(env, [program](const Napi::CallbackInfo& info) -> Napi::Value {
               auto into = info[1].As<Napi::Uint8Array>();
               const ssize_t count = program->Read(static_cast<Way>(info[0].As<Napi::Number>().Uint32Value()), reinterpret_cast<char*>(into.Data()), into.ByteLength());
               return Napi::Number::New(info.Env(), static_cast<double>(count));
             }));
  result.Set("write", Napi::Function::New(env, [program](const Napi::CallbackInfo& info) -> Napi::Value {
               const auto bytes = info[0].As<Napi::Uint8Array>();
               return Napi::Number::New(info.Env(), static_cast<double>(program->Write(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength())));
             }));
  result.Set("endInput", Napi::Function::New(env, [program](const Napi::CallbackInfo&) { program->EndInput(); }));
  result.Set("signal", Napi::Function::New(env, [program](const Napi::CallbackInfo& info) -> Napi::Value {
               return GuardedCall(info, [&] { program->Signal(info[0].As<Napi::Number>().Int32Value(), info[1].ToBoolean()); });
             }));
  result.Set("resize", Napi::Function::New(env, [program](const Napi::CallbackInfo& info) -> Napi::Value {
               return GuardedCall(info, [&] { program->Resize(Short(info[0]), Short(info[1])); });
             }));
  result.Set("kill", Napi::Function::New(env, [program](const Napi::CallbackInfo&) { program->Kill(); }));
  result.Set("letGo", Napi::Function::New(env, [program](const Napi::CallbackInfo& info) -> Napi::Value {
               const std::vector<int> left = program->LetGo();
               Napi::Array result = Napi::Array::New(info.Env(), left.size());
               for (uint32_t index = 0; index < left.size(); index++) result.Set(index, Napi::Number::New(info.Env(), left[index]));
               return result;
             }));
  result.Set("state", Napi::Function::New(env, [program](const Napi::CallbackInfo& info) -> Napi::Value { return Napi::Number::New(info.Env(), program->state()); }));
  result.Set("forget", Napi::Function::New(env, [program](const Napi::CallbackInfo& info) {
               program->Forget(static_cast<Way>(info[0].As<Napi::Number>().Uint32Value()), info[1].As<Napi::Number>().Int64Value());
             }));
  const std::array<int, kPlaces> places = program->places();
  Napi::Array numbers = Napi::Array::New(env, places.size());
  for (uint32_t index = 0; index < places.size(); index++) numbers.Set(index, Napi::Number::New(env, places[index]));
  result.Set("descriptors", numbers);
  return result;
}

// (pid, descriptors as of `Handle`, on a terminal, onReady, onEnd) → the same with { recorded: [output, errors], accepted, resume, end }.
// Owns the descriptors. `resume(output, errors)` says from which offsets on output is told, `end(exited, status)` how it has ended.
Napi::Value TakeOver(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto given = info[1].As<Napi::Array>();
  std::array<Descriptor, kPlaces> kept;
  for (uint32_t index = 0; index < kPlaces; index++) kept[index].Reset(given.Get(index).As<Napi::Number>().Int32Value());
  StartedProgram started;
  Descriptor terminal;
  started.pid = info[0].As<Napi::Number>().Int32Value();
  started.exit = std::move(kept[kProcessPlace]);
  started.exit_is_process = static_cast<bool>(started.exit);
  if (info[2].ToBoolean()) {
    terminal = std::move(kept[kOutputPlace]);
  } else {
    started.streams[kOutput] = std::move(kept[kOutputPlace]);
    started.streams[kErrors] = std::move(kept[kErrorsPlace]);
    started.input = std::move(kept[kInputPlace]);
  }
  auto program = std::make_shared<Interactive>(env, std::move(started), std::move(terminal), info[3].As<Napi::Function>(), info[4].As<Napi::Function>());
  program->TakeOver(kept);
  Napi::Object result = Handle(env, program);
  Napi::Array recorded = Napi::Array::New(env, 2);
  for (const Way way : {kOutputWay, kErrorsWay}) recorded.Set(way, Napi::Number::New(env, static_cast<double>(program->recorded(way))));
  result.Set("recorded", recorded);
  result.Set("accepted", Napi::Number::New(env, static_cast<double>(program->accepted())));
  result.Set("resume", Napi::Function::New(env, [program](const Napi::CallbackInfo& info) {
               program->Resume(info[0].As<Napi::Number>().Int64Value(), info[1].As<Napi::Number>().Int64Value());
             }));
  result.Set("end", Napi::Function::New(env, [program](const Napi::CallbackInfo& info) {
               program->EndAs(info[0].ToBoolean(), info[1].As<Napi::Number>().Int32Value());
             }));
  return result;
}

// (path, arguments, changes, directory | undefined, [uid, gid, ...groups] | undefined, hasInput, merged, [rows, columns] | undefined,
// onReady, onEnd, records) → Promise<{ pid, read, write, endInput, signal, resize, kill, letGo, state, forget, descriptors }>
Napi::Value StartInteractive(const Napi::CallbackInfo& info) {
  ProgramRequest request;
  request.path = SystemString(info[0]);
  request.arguments = Strings(info[1]);
  request.environment = ChangedEnvironment(Strings(info[2]));
  if (!info[3].IsUndefined()) request.working_directory = SystemString(info[3]);
  if (!info[4].IsUndefined()) {
    const auto ids = info[4].As<Napi::Array>();
    Identity identity{ids.Get(0u).As<Napi::Number>().Uint32Value(), ids.Get(1u).As<Napi::Number>().Uint32Value(), {}};
    for (uint32_t index = 2; index < ids.Length(); index++) identity.groups.push_back(ids.Get(index).As<Napi::Number>().Uint32Value());
    request.identity = std::move(identity);
  }
  std::optional<std::pair<unsigned short, unsigned short>> size;
  if (info[7].IsUndefined()) {
    request.has_input = info[5].ToBoolean();
    request.output = Sink::kCapture;
    request.errors = info[6].ToBoolean() ? Sink::kMerge : Sink::kCapture;
  } else {
    const auto pair = info[7].As<Napi::Array>();
    size = std::make_pair(Short(pair.Get(0u)), Short(pair.Get(1u)));
  }
  const char* path = getenv("PATH");
  struct Started {
    StartedProgram program;
    Descriptor terminal;
  };
  auto work = [request = std::move(request), size, agent_path = std::string(path != nullptr ? path : "/bin:/usr/bin")]() mutable {
    Started started;
    if (!size.has_value()) {
      started.program = StartProgram(request, agent_path);
      return started;
    }
    Terminal terminal = OpenTerminal(size->first, size->second, request.identity);
    request.terminal = terminal.slave.get();
    started.program = StartProgram(request, agent_path);
    started.terminal = std::move(terminal.master);
    return started;
  };
  auto finish = [records = info[10].ToBoolean().Value(), on_ready = Napi::Persistent(info[8].As<Napi::Function>()), on_end = Napi::Persistent(info[9].As<Napi::Function>())](Napi::Env env, Started& started) {
    auto program = std::make_shared<Interactive>(env, std::move(started.program), std::move(started.terminal), on_ready.Value(), on_end.Value());
    if (records) program->Record();
    program->Begin();
    return Handle(env, program);
  };
  return OnIoThread(info.Env(), std::move(work), std::move(finish));
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("startInteractive", Napi::Function::New(env, Guarded<StartInteractive>));
  exports.Set("takeOverInteractive", Napi::Function::New(env, Guarded<TakeOver>));
});

}  // namespace

}  // namespace concierge
