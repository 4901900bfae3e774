#include "channel.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "addon.h"
#include "base64.h"

namespace concierge {

namespace {

bool IsRunning(const OwnedHandle<uv_timer_t>& timer) { return uv_is_active(reinterpret_cast<const uv_handle_t*>(timer.get())) != 0; }

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

Napi::Function Channel::Define(Napi::Env env) {
  return DefineClass(env, "Channel",
                     {InstanceMethod<&Channel::Start>("start"), InstanceMethod<&Channel::Write>("write"),
                      InstanceMethod<&Channel::WriteBase64>("writeBase64"),
                      InstanceMethod<&Channel::Pause>("pause"), InstanceMethod<&Channel::Resume>("resume"),
                      InstanceMethod<&Channel::Close>("close"), InstanceMethod<&Channel::Destroy>("destroy"),
                      InstanceMethod<&Channel::Detach>("detach"), InstanceMethod<&Channel::Attach>("attach")});
}

Channel::Channel(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Channel>(info),
      handles_(AddonData::Of(info.Env()).handles),
      fd_(info[0].As<Napi::Number>().Int32Value()),
      is_port_(info[1].As<Napi::Boolean>()) {
  auto inbox = info[2].As<Napi::Uint8Array>();
  inbox_ = reinterpret_cast<char*>(inbox.Data());
  inbox_size_ = inbox.ByteLength();
  inbox_owner_ = Napi::Persistent(inbox.As<Napi::Object>());
  on_event_ = Napi::Persistent(info[3].As<Napi::Function>());

  int polled = fd_.get();
  if (is_port_) {
    inner_.Reset(epoll_create1(EPOLL_CLOEXEC));
    if (!inner_) throw SystemError("epoll_create1").ToJavaScript(info.Env());
    WatchPort();
    polled = inner_.get();
  }
  auto poll = std::make_unique<uv_poll_t>();
  const int status = uv_poll_init(handles_->loop(), poll.get(), polled);
  if (status < 0) throw SystemError(-status, "epoll_ctl").ToJavaScript(info.Env());
  poll_ = OwnedHandle<uv_poll_t>(handles_, poll.release());
  poll_.get()->data = this;
  if (is_port_) {
    farewell_ = NewTimer();
    patience_ = NewTimer();
  }

  // While it is open it lives, whoever has forgotten it.
  Ref();
  registration_ = handles_->OnEnd([this] {
    poll_.Close();
    farewell_.Close();
    patience_.Close();
    inner_.Reset();
    fd_.Reset();
  });
}

void Channel::WatchPort() {
  epoll_event event{.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {}};
  if (epoll_ctl(inner_.get(), EPOLL_CTL_ADD, fd_.get(), &event) < 0) throw SystemError("epoll_ctl").ToJavaScript(Env());
}

OwnedHandle<uv_timer_t> Channel::NewTimer() {
  auto* timer = new uv_timer_t;
  uv_timer_init(handles_->loop(), timer);
  timer->data = this;
  return OwnedHandle<uv_timer_t>(handles_, timer);
}

Channel::~Channel() {
  if (open()) handles_->Forget(registration_);
}

// -- events -----------------------------------------------------------------------------------------------

void Channel::OnPoll(int status, int events) {
  // Noticed in the same turn of the loop, before the descriptor was taken away.
  if (detached_) return;
  const Napi::HandleScope scope(Env());
  [[maybe_unused]] const Napi::Value self = Value();  // not collected before this has returned
  // libuv reports EPOLLERR as a failure and stops watching; read(2) or write(2) says what it was.
  if (status < 0) polled_ = 0;
  // Input, or its end, for somebody who is busy: it is looked at when he is not.
  if (paused_ && (status < 0 || (events & UV_READABLE) != 0)) lingering_ = false;
  if (is_port_) {
    epoll_event consumed;
    // The host of what is read now may have gone already, and nothing tells of that again.
    if (epoll_wait(inner_.get(), &consumed, 1, 0) > 0 && (consumed.events & EPOLLHUP) != 0) hung_up_ = true;
  }
  if (blocked_) {
    blocked_ = false;
    Flush();
    if (is_port_ && !blocked_) Rearm();
  }
  if (reading()) {
    Read();
  } else if (is_port_) {
    LookForHost();
  } else if (!ended_ && !blocked_) {
    NoticeLeaving();
  }
  TellDrained();
  if (!open()) return;
  if (ended_ && queue_.empty()) return Released();
  UpdateInterest();
}

void Channel::Read() {
  for (int reads = is_port_ ? kReadsPerTurn : 1; reads > 0; reads--) {
    const ssize_t count = Retry([&] { return read(fd_.get(), inbox_, inbox_size_); });
    if (count > 0) {
      host_present_ = true;
      missed_ = false;
      if (patience_due_ == 0) patience_due_ = queue_.empty() ? kPatience : kLongPatience;
      if (is_port_) {
        uv_timer_stop(farewell_.get());
        if (blocked_) BePatient();
      }
      Emit(kData, static_cast<uint32_t>(count));
      if (!open()) return;
      // No event tells again of a host that had gone before this was read.
      if (!reading()) return hung_up_ ? LookForHost() : void();
    } else if (count == 0) {
      return is_port_ ? MissHost() : End(0);
    } else {
      if (!WouldBlock(errno)) return End(errno);
      hung_up_ = false;
      return;
    }
  }
  if (is_port_) Rearm();
}

void Channel::TellDrained() {
  if (!open() || !awaits_drain_ || !queue_.empty()) return;
  awaits_drain_ = false;
  Emit(kDrained, 0);
}

void Channel::Emit(Event event, uint32_t value) {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  napi_value arguments[2];
  napi_create_uint32(env, event, &arguments[0]);
  napi_create_uint32(env, value, &arguments[1]);
  napi_value result;
  in_event_ = true;
  // Runs microtasks and process.nextTick before it returns: what they write is gathered too.
  const napi_status status = napi_make_callback(env, nullptr, Value(), on_event_.Value(), 2, arguments, &result);
  in_event_ = false;
  if (status == napi_pending_exception) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  if (open() && !blocked_) Flush();
}

// While a request is worked on nothing is read, and a stream's client may leave: it makes room for the next one, whatever
// its request hangs in. What it had sent behind that request is handed over now.
void Channel::NoticeLeaving() {
  half_closed_ = (State(POLLRDHUP) & POLLRDHUP) != 0;
  if (!HungUp()) return;
  HandOver();
  if (open()) End(0);
}

// All that has come, also while a request is worked on; not what a host goes on sending for ever.
void Channel::HandOver() {
  for (int reads = 0; open() && reads < kReadsAtOnce; reads++) {
    const ssize_t count = Retry([&] { return read(fd_.get(), inbox_, inbox_size_); });
    if (count <= 0) return;
    Emit(kData, static_cast<uint32_t>(count));
  }
}

// The port says that no host is there. But what the next one has sent is not held up by the control message that announces
// it: its request may have been read already, and its answer waits here for the announcement.
void Channel::MissHost() {
  hung_up_ = missed_ = true;
  if (host_present_ && !TakesLeave()) TakeLeave();
}

// While a request is worked on nothing is read, and its host may go. The next one shows by what it sends: had the request
// been its own, it would wait for the answer. But one that was quick to come is announced after its request, and may send
// another behind it: only a request that goes on for as long as a farewell is taken for that of a host which has gone.
void Channel::LookForHost() {
  if (HungUp()) return MissHost();
  hung_up_ = false;
  if (IsContested() && !TakesLeave()) TakeLeave();
  if (blocked_ && HasInput()) BePatient();
}

bool Channel::IsContested() { return paused_ && missed_ && HasInput(); }

bool Channel::HasInput() { return (State(POLLIN) & POLLIN) != 0; }

bool Channel::TakesLeave() const { return IsRunning(farewell_); }

void Channel::TakeLeave() {
  turns_left_ = kFarewellTurns;
  uv_update_time(handles_->loop());
  uv_timer_start(
      farewell_.get(), [](uv_timer_t* timer) { static_cast<Channel*>(timer->data)->OnFarewell(); }, kFarewellTurn, kFarewellTurn);
}

// What can be read then stays: the next host may have sent it, and the guest be slow to hear of it. Requests that the one
// before has left behind are carried out, as those of any host that does not wait for an answer.
void Channel::OnFarewell() {
  const Napi::HandleScope scope(Env());
  [[maybe_unused]] const Napi::Value self = Value();
  hung_up_ = HungUp();
  const bool goes = hung_up_ || IsContested();
  if (goes && --turns_left_ > 0) return;
  uv_timer_stop(farewell_.get());
  // That a host has come wakes nobody where the port takes nothing and has nothing to read.
  if (!goes) return blocked_ ? AwaitRoom() : void();
  if (hung_up_) host_present_ = false;
  ChangeHost();
  if (open()) UpdateInterest();
}

// Nobody waits any more for what has not been sent.
void Channel::ChangeHost() {
  missed_ = false;
  patience_due_ = 0;
  stuck_ = false;
  queue_.Clear();
  blocked_ = awaits_drain_ = false;
  uv_timer_stop(patience_.get());
  Rearm();
  Emit(kHostChanged, 0);
}

// A port whose host is there and takes nothing. It may read slowly. But each time that a host leaves while QEMU (7.2) holds
// something for it, the port loses one of its 128 buffers, and without any nothing is taken from the guest again until the
// device is reset. It shows: not the first byte of an answer is taken although all answers before it were; or for long
// nothing is, while requests wait. A host may give up sooner than that: the turns of those in a row count together.
void Channel::BePatient() {
  if (stuck_ || IsRunning(patience_)) return;
  uv_update_time(handles_->loop());
  uv_timer_start(
      patience_.get(), [](uv_timer_t* timer) { static_cast<Channel*>(timer->data)->OnPatience(); }, kPatienceTurn, kPatienceTurn);
}

void Channel::AwaitRoom() {
  if (claims_room_ || IsDue()) BePatient();
}

// An answer of which nothing was taken, or the rest of one behind which more is asked for.
bool Channel::IsDue() { return patience_due_ > 0 || (paused_ && HasInput()); }

void Channel::OnPatience() {
  const Napi::HandleScope scope(Env());
  [[maybe_unused]] const Napi::Value self = Value();
  if (!blocked_ || HungUp()) {
    uv_timer_stop(patience_.get());
    // No event may tell of it: by the next look somebody may be there again.
    if (blocked_ && !TakesLeave()) TakeLeave();
    return;
  }
  const bool says_room = (State(POLLOUT) & POLLOUT) != 0;
  const int turns = (patience_due_ > 0 ? patience_due_ : kLongPatience) + (says_room ? 1 : 0);
  if (!IsDue() || ++turns_refused_ < turns) {
    if (says_room) Rearm();
    return;
  }
  uv_timer_stop(patience_.get());
  stuck_ = true;
  turns_refused_ = 0;
  Emit(kStuck, 0);
}

// To look at a port takes over what its device has just put there: the interrupt behind that then finds nothing, and wakes
// nobody. So the look itself has to tell of it.
short Channel::State(short asked) {
  const bool awaits_input = is_port_ && reading();
  const bool awaits_room = is_port_ && blocked_ && !claims_room_;
  const auto awaited = static_cast<short>((awaits_input ? POLLIN : 0) | (awaits_room ? POLLOUT : 0));
  pollfd state{.fd = fd_.get(), .events = static_cast<short>(asked | awaited), .revents = 0};
  if (poll(&state, 1, 0) <= 0) return 0;
  if ((state.revents & awaited) != 0) Rearm();
  return state.revents;
}

// A vsock whose peer has closed reports no hang-up as a Unix socket does, but only that nothing more comes (vsock_poll in
// the kernel): that nothing is taken any more shows when sending, of no bytes too.
bool Channel::HungUp() {
  const short state = State(POLLRDHUP);
  if ((state & (POLLHUP | POLLERR)) != 0) return true;
  return !is_port_ && (state & POLLRDHUP) != 0 && send(fd_.get(), "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
}

// -- the end ----------------------------------------------------------------------------------------------

void Channel::End(int error) {
  ended_ = true;
  // A client that shut its sending side only still wants the rest of its answers: OnPoll goes on with them.
  if (error != 0 || queue_.empty() || HungUp()) Release();
  Emit(kEnded, static_cast<uint32_t>(error));
  if (!open()) Released();
}

// The last event, once.
void Channel::Released() {
  Release();
  if (on_event_.IsEmpty()) return;
  Emit(kReleased, 0);
  on_event_.Reset();
}

void Channel::Release() {
  if (!open()) return;
  ended_ = true;
  detached_ = false;
  poll_.Close();
  farewell_.Close();
  patience_.Close();
  inner_.Reset();
  fd_.Reset();
  queue_.Clear();
  blocked_ = awaits_drain_ = false;
  handles_->Forget(registration_);
  Unref();
}

// -- output -----------------------------------------------------------------------------------------------

bool Channel::WriteText(napi_value text, size_t length) {
  if (!Admit(length)) return true;
  size_t written;
  napi_get_value_string_latin1(Env(), text, queue_.Reserve(length + 1), length + 1, &written);
  queue_.Append(written);
  FlushUnlessGathering();
  return HasRoom();
}

bool Channel::WriteBytes(const char* bytes, size_t length) {
  if (!Admit(length)) return true;
  if (!blocked_ && length >= kDirect) {
    SendWith(bytes, length);
  } else {
    queue_.Append(bytes, length);
    FlushUnlessGathering();
  }
  return HasRoom();
}

void Channel::FlushUnlessGathering() {
  if (!blocked_ && (!in_event_ || queue_.size() >= kGathered)) Flush();
}

// Whether there is anybody to write to, and the queue is not beyond all bounds.
bool Channel::Admit(size_t length) {
  if (!open() || mute_ || !host_present_) return false;
  if (queue_.size() + length <= kMaximumQueued) return true;
  Stalled(ENOBUFS);
  return false;
}

bool Channel::HasRoom() {
  if (queue_.size() < kHighWater) return true;
  awaits_drain_ = true;
  return false;
}

void Channel::Flush() {
  while (!queue_.empty()) {
    const ssize_t count = Send(queue_.data(), queue_.size());
    if (count < 0) return Stalled(errno);
    Taken();
    queue_.Consume(static_cast<size_t>(count));
  }
}

// Sends what waits and `bytes` behind it without copying them together; keeps what isn't taken.
void Channel::SendWith(const char* bytes, size_t length) {
  while (length > 0) {
    iovec parts[2] = {{const_cast<char*>(queue_.data()), queue_.size()}, {const_cast<char*>(bytes), length}};
    const bool alone = queue_.empty();
    const ssize_t count = alone ? Send(bytes, length) : OrRefused(Retry([&] { return writev(fd_.get(), parts, 2); }));
    if (count < 0) {
      const int error = errno;
      queue_.Append(bytes, length);
      return Stalled(error);
    }
    Taken();
    const size_t queued = std::min(static_cast<size_t>(count), queue_.size());
    if (queued > 0) queue_.Consume(queued);
    bytes += static_cast<size_t>(count) - queued;
    length -= static_cast<size_t>(count) - queued;
  }
}

// What a write answered. A port that came back with its buffers still lost says that it has room and takes nothing.
ssize_t Channel::OrRefused(ssize_t count) {
  claims_room_ = count == 0;
  if (!claims_room_) return count;
  errno = EAGAIN;
  return -1;
}

ssize_t Channel::Send(const char* bytes, size_t length) {
  return OrRefused(Retry([&] { return write(fd_.get(), bytes, length); }));
}

void Channel::Taken() {
  patience_due_ = turns_refused_ = 0;
  stuck_ = false;
  if (is_port_) uv_timer_stop(patience_.get());
}

// The descriptor takes no more: for now, or never again.
void Channel::Stalled(int error) {
  if (WouldBlock(error)) {
    blocked_ = true;
    if (is_port_) {
      if (!armed_for_room_) Rearm();
      // This answer's host has all the time from now on to be announced.
      if (HungUp()) {
        TakeLeave();
      } else {
        AwaitRoom();
      }
    }
  } else {
    queue_.Clear();
    // A port lives on: reading tells when it is gone for good.
    // Half an answer can't be taken back on a stream: the client sees its end, and so do we after what it had sent.
    if (!is_port_) {
      mute_ = true;
      shutdown(fd_.get(), SHUT_RDWR);
    }
  }
  if (!in_event_) UpdateInterest();
}

void Channel::UpdateInterest() {
  if (!open() || !started_) return;
  const bool watches_input = reading() || (started_ && !ended_ && lingering_);
  int wanted = is_port_ || watches_input ? UV_READABLE : 0;
  if (!is_port_ && blocked_) wanted |= UV_WRITABLE;
  if (wanted == 0 && !ended_ && !half_closed_) wanted = UV_DISCONNECT;
  if (wanted == polled_) return;
  polled_ = wanted;
  if (wanted == 0) {
    uv_poll_stop(poll_.get());
  } else {
    uv_poll_start(poll_.get(), wanted, [](uv_poll_t* handle, int status, int events) {
      static_cast<Channel*>(handle->data)->OnPoll(status, events);
    });
  }
}

// Makes the inner set report again whatever is the case now. A hang-up is always among what it reports.
void Channel::Rearm() {
  armed_for_room_ = blocked_;
  epoll_event event{.events = EPOLLET | EPOLLIN | EPOLLRDHUP | (blocked_ ? EPOLLOUT : 0u), .data = {}};
  epoll_ctl(inner_.get(), EPOLL_CTL_MOD, fd_.get(), &event);
}

// -- methods ----------------------------------------------------------------------------------------------

Napi::Value Channel::Start(const Napi::CallbackInfo& info) {
  started_ = true;
  UpdateInterest();
  return info.Env().Undefined();
}

Napi::Value Channel::Write(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  size_t length;
  bool room;
  if (napi_get_value_string_latin1(env, info[0], nullptr, 0, &length) == napi_ok) {
    room = WriteText(info[0], length);
  } else {
    void* bytes;
    napi_get_typedarray_info(env, info[0], nullptr, &length, &bytes, nullptr, nullptr);
    room = WriteBytes(static_cast<const char*>(bytes), length);
  }
  return Napi::Boolean::New(env, room);
}

// (before: string, bytes: Uint8Array, after: string): made where it waits to be sent, so that no text of it ever is.
Napi::Value Channel::WriteBase64(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  size_t before, after, length;
  void* bytes;
  napi_get_value_string_latin1(env, info[0], nullptr, 0, &before);
  napi_get_typedarray_info(env, info[1], nullptr, &length, &bytes, nullptr, nullptr);
  napi_get_value_string_latin1(env, info[2], nullptr, 0, &after);
  const size_t encoded = Base64Length(length);
  const size_t whole = before + encoded + after;
  if (!Admit(whole)) return Napi::Boolean::New(env, true);
  // Each text is written with a zero behind it, which the next overwrites.
  char* text = queue_.Reserve(whole + 1);
  napi_get_value_string_latin1(env, info[0], text, before + 1, nullptr);
  EncodeBase64(static_cast<const uint8_t*>(bytes), length, text + before);
  napi_get_value_string_latin1(env, info[2], text + before + encoded, after + 1, nullptr);
  queue_.Append(whole);
  FlushUnlessGathering();
  return Napi::Boolean::New(env, HasRoom());
}

// Most requests are answered before anything else comes: the polling goes on until something does.
Napi::Value Channel::Pause(const Napi::CallbackInfo& info) {
  paused_ = lingering_ = true;
  return info.Env().Undefined();
}

Napi::Value Channel::Resume(const Napi::CallbackInfo& info) {
  paused_ = lingering_ = false;
  if (open() && is_port_) Rearm();
  if (!in_event_) UpdateInterest();
  return info.Env().Undefined();
}

// Sends what is queued first, as long as somebody is there to take it. True: it is closed already.
Napi::Value Channel::Close(const Napi::CallbackInfo& info) {
  ended_ = true;
  if (open() && !blocked_) Flush();
  if (!open() || is_port_ || queue_.empty() || HungUp()) return Destroy(info);
  UpdateInterest();
  return Napi::Boolean::New(info.Env(), false);
}

Napi::Value Channel::Destroy(const Napi::CallbackInfo& info) {
  if (open() && !blocked_) Flush();
  Release();
  on_event_.Reset();
  return Napi::Boolean::New(info.Env(), true);
}

// A port only. Its descriptor is closed, and all else stays: `attach` gives it the next. What has come would be lost with it.
Napi::Value Channel::Detach(const Napi::CallbackInfo& info) {
  HandOver();
  if (open()) {
    uv_timer_stop(farewell_.get());
    uv_timer_stop(patience_.get());
    detached_ = blocked_ = true;
    fd_.Reset();
  }
  return info.Env().Undefined();
}

// Owns the descriptor. What waited is sent when the port has said that its host is there.
Napi::Value Channel::Attach(const Napi::CallbackInfo& info) {
  Descriptor fd(info[0].As<Napi::Number>().Int32Value());
  if (!detached_) return info.Env().Undefined();
  fd_ = std::move(fd);
  WatchPort();
  detached_ = blocked_ = armed_for_room_ = claims_room_ = stuck_ = hung_up_ = missed_ = false;
  patience_due_ = turns_refused_ = 0;
  Flush();
  TellDrained();
  if (open()) UpdateInterest();
  return info.Env().Undefined();
}

namespace {

const Part part([](Napi::Env env, Napi::Object exports) { exports.Set("Channel", Channel::Define(env)); });

}  // namespace

}  // namespace concierge
