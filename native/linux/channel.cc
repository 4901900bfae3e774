// SPDX-License-Identifier: Apache-2.0
#include "channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "addon.h"
#include "base64.h"

namespace concierge {

namespace {

// More than any channel holds.
constexpr int kReadsAtOnce = 1024;

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

Channel::Channel(Napi::Reference<Napi::Object>& owner, int fd, Napi::Uint8Array inbox, Napi::Function on_event)
    : handles_(AddonData::Of(owner.Env()).handles),
      fd_(fd),
      owner_(owner),
      inbox_(reinterpret_cast<char*>(inbox.Data())),
      inbox_size_(inbox.ByteLength()),
      inbox_owner_(Napi::Persistent(inbox.As<Napi::Object>())),
      on_event_(Napi::Persistent(on_event)) {}

void Channel::Open() {
  const int polled = PrepareToPoll();
  auto poll = std::make_unique<uv_poll_t>();
  const int status = uv_poll_init(handles_->loop(), poll.get(), polled);
  if (status < 0) throw SystemError(-status, "epoll_ctl").ToJavaScript(Env());
  poll_ = OwnedHandle<uv_poll_t>(handles_, poll.release());
  poll_.get()->data = this;

  // While it is open it lives, whoever has forgotten it.
  owner_.Ref();
  registered_ = true;
  registration_ = handles_->OnEnd([this] {
    poll_.Close();
    OnRelease();
    fd_.Reset();
  });
}

Channel::~Channel() {
  if (registered_) handles_->Forget(registration_);
}

OwnedHandle<uv_timer_t> Channel::NewTimer() {
  auto* timer = new uv_timer_t;
  uv_timer_init(handles_->loop(), timer);
  timer->data = this;
  return OwnedHandle<uv_timer_t>(handles_, timer);
}

// -- events -----------------------------------------------------------------------------------------------

void Channel::OnPoll(int status, int events) {
  // Noticed in the same turn of the loop, before the descriptor was taken away.
  if (!fd_) return;
  const Napi::HandleScope scope(Env());
  [[maybe_unused]] const Napi::Value self = Self();  // not collected before this has returned
  // libuv reports EPOLLERR as a failure and stops watching; read(2) or write(2) says what it was.
  if (status < 0) polled_ = 0;
  // Input, or its end, while a request is worked on: it is read afterwards.
  if (input_ == Input::kPausedQuiet && (status < 0 || (events & UV_READABLE) != 0)) input_ = Input::kPausedPending;
  OnReady();
  if (blocked()) {
    output_ = Output::kOpen;
    Flush();
    if (!blocked()) OnUnblocked();
  }
  if (reading()) {
    Read();
  } else {
    LookWhileBusy();
  }
  TellDrained();
  if (!open()) return;
  if (input_ == Input::kEnded && queue_.empty()) return Released();
  UpdateInterest();
}

ssize_t Channel::ReadInbox() {
  return Retry([&] { return read(fd_.get(), inbox_, inbox_size_); });
}

void Channel::Read() {
  const ssize_t count = ReadInbox();
  if (count > 0) {
    Emit(kData, static_cast<uint32_t>(count));
  } else if (count == 0) {
    End(0);
  } else if (!WouldBlock(errno)) {
    End(errno);
  }
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
  const napi_status status = napi_make_callback(env, nullptr, Self(), on_event_.Value(), 2, arguments, &result);
  in_event_ = false;
  if (status == napi_pending_exception) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  if (open() && !blocked()) Flush();
}

// While a request is worked on nothing is read, and a stream's client may leave: it makes room for the next one, whatever
// its request hangs in. What it had sent behind that request is handed over now.
void Channel::LookWhileBusy() {
  if (input_ == Input::kEnded || blocked()) return;
  half_closed_ = (Poll(POLLRDHUP) & POLLRDHUP) != 0;
  if (!HungUp()) return;
  HandOver();
  if (open()) End(0);
}

// All that has come, also while a request is worked on; not what a host goes on sending for ever.
void Channel::HandOver() {
  for (int reads = 0; open() && reads < kReadsAtOnce; reads++) {
    const ssize_t count = ReadInbox();
    if (count <= 0) return;
    Emit(kData, static_cast<uint32_t>(count));
  }
}

short Channel::Poll(short asked) {
  pollfd state{.fd = fd_.get(), .events = asked, .revents = 0};
  return poll(&state, 1, 0) <= 0 ? 0 : state.revents;
}

// A vsock whose peer has closed reports no hang-up as a Unix socket does, but only that nothing more comes (vsock_poll in
// the kernel): that nothing is taken any more shows when sending, of no bytes too.
bool Channel::HungUp() {
  const short state = Poll(POLLRDHUP);
  if ((state & (POLLHUP | POLLERR)) != 0) return true;
  return (state & POLLRDHUP) != 0 && send(fd_.get(), "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
}

// -- the end ----------------------------------------------------------------------------------------------

void Channel::End(int error) {
  input_ = Input::kEnded;
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
  input_ = Input::kEnded;
  poll_.Close();
  OnRelease();
  fd_.Reset();
  DropOutput();
  registered_ = false;
  handles_->Forget(registration_);
  owner_.Unref();
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
  if (!blocked() && length >= kDirect) {
    SendWith(bytes, length);
  } else {
    queue_.Append(bytes, length);
    FlushUnlessGathering();
  }
  return HasRoom();
}

void Channel::FlushUnlessGathering() {
  if (!blocked() && (!in_event_ || queue_.size() >= kGathered)) Flush();
}

// Whether there is anybody to write to, and the queue is not beyond all bounds.
bool Channel::Admit(size_t length) {
  if (!open() || output_ == Output::kMute || !HasPeer()) return false;
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
    OnTaken();
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
    OnTaken();
    const size_t queued = std::min(static_cast<size_t>(count), queue_.size());
    if (queued > 0) queue_.Consume(queued);
    bytes += static_cast<size_t>(count) - queued;
    length -= static_cast<size_t>(count) - queued;
  }
}

// What a write answered. A port that came back with its buffers still lost says that it has room and takes nothing.
ssize_t Channel::OrRefused(ssize_t count) {
  OnTakesNothing(count == 0);
  if (count != 0) return count;
  errno = EAGAIN;
  return -1;
}

ssize_t Channel::Send(const char* bytes, size_t length) {
  return OrRefused(Retry([&] { return write(fd_.get(), bytes, length); }));
}

// The descriptor takes no more: for now, or never again.
void Channel::Stalled(int error) {
  if (WouldBlock(error)) {
    output_ = Output::kBlocked;
    OnBlocked();
  } else {
    queue_.Clear();
    OnWriteFailed();
  }
  if (!in_event_) UpdateInterest();
}

// Half an answer can't be taken back on a stream: the client sees its end, and so do we after what it had sent.
void Channel::OnWriteFailed() {
  output_ = Output::kMute;
  shutdown(fd_.get(), SHUT_RDWR);
}

void Channel::DropOutput() {
  queue_.Clear();
  if (blocked()) output_ = Output::kOpen;
  awaits_drain_ = false;
}

int Channel::WantedEvents() const {
  const bool watches_input = input_ == Input::kFlowing || input_ == Input::kPausedQuiet;
  const int wanted = (watches_input ? UV_READABLE : 0) | (blocked() ? UV_WRITABLE : 0);
  return wanted == 0 && input_ != Input::kEnded && !half_closed_ ? UV_DISCONNECT : wanted;
}

void Channel::UpdateInterest() {
  if (!open() || !started_) return;
  const int wanted = WantedEvents();
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

// -- methods ----------------------------------------------------------------------------------------------

void Channel::Start() {
  started_ = true;
  UpdateInterest();
}

bool Channel::Write(napi_value latin1_or_bytes) {
  size_t length;
  if (napi_get_value_string_latin1(Env(), latin1_or_bytes, nullptr, 0, &length) == napi_ok) return WriteText(latin1_or_bytes, length);
  void* bytes;
  napi_get_typedarray_info(Env(), latin1_or_bytes, nullptr, &length, &bytes, nullptr, nullptr);
  return WriteBytes(static_cast<const char*>(bytes), length);
}

// Made where it waits to be sent, so that no text of it ever is.
bool Channel::WriteBase64(napi_value before, napi_value bytes, napi_value after) {
  const napi_env env = Env();
  size_t head, tail, length;
  void* data;
  napi_get_value_string_latin1(env, before, nullptr, 0, &head);
  napi_get_typedarray_info(env, bytes, nullptr, &length, &data, nullptr, nullptr);
  napi_get_value_string_latin1(env, after, nullptr, 0, &tail);
  const size_t encoded = Base64Length(length);
  const size_t whole = head + encoded + tail;
  if (!Admit(whole)) return true;
  // Each text is written with a zero behind it, which the next overwrites.
  char* text = queue_.Reserve(whole + 1);
  napi_get_value_string_latin1(env, before, text, head + 1, nullptr);
  EncodeBase64(static_cast<const uint8_t*>(data), length, text + head);
  napi_get_value_string_latin1(env, after, text + head + encoded, tail + 1, nullptr);
  queue_.Append(whole);
  FlushUnlessGathering();
  return HasRoom();
}

void Channel::Pause() {
  if (input_ != Input::kEnded) input_ = Input::kPausedQuiet;
}

void Channel::Resume() {
  if (input_ != Input::kEnded) input_ = Input::kFlowing;
  if (open()) OnResumed();
  if (!in_event_) UpdateInterest();
}

// Sends what is queued first, as long as somebody is there to take it.
bool Channel::Close() {
  input_ = Input::kEnded;
  if (open() && !blocked()) Flush();
  if (open() && Lingers()) {
    UpdateInterest();
    return false;
  }
  Destroy();
  return true;
}

void Channel::Destroy() {
  if (open() && !blocked()) Flush();
  Release();
  on_event_.Reset();
}

}  // namespace concierge
