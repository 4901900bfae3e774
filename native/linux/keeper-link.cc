// SPDX-License-Identifier: Apache-2.0
// The agent's end of the conversation with its keeper (docs/keeper.md).

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "addon.h"
#include "descriptor.h"
#include "keeper/packet.h"

namespace concierge {

namespace {

using keeper::kLargestPacket;
using keeper::Receive;
using keeper::Received;
using keeper::Send;

// `new KeeperLink(fd)`; owns `fd`. Everything before `listen` is synchronous: the agent has nothing else to do yet.
class KeeperLink final : public Napi::ObjectWrap<KeeperLink> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "KeeperLink",
                       {InstanceMethod<&KeeperLink::Next>("next"), InstanceMethod<&KeeperLink::Say>("say"),
                        InstanceMethod<&KeeperLink::Listen>("listen"), InstanceMethod<&KeeperLink::Close>("close")});
  }

  explicit KeeperLink(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<KeeperLink>(info), handles_(AddonData::Of(info.Env()).handles), fd_(info[0].As<Napi::Number>().Int32Value()) {
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd_.get(), SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET) {
      const int error = errno != 0 ? errno : EPROTOTYPE;
      // It is not ours to close.
      fd_.Release();
      throw SystemError(error, "getsockopt").ToJavaScript(info.Env());
    }
    fcntl(fd_.get(), F_SETFD, FD_CLOEXEC);
  }

 private:
  // (ms) → { text: Buffer, fd } | undefined: nothing came in so many milliseconds | null: nothing more will.
  Napi::Value Next(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    pollfd polled{fd_.get(), POLLIN, 0};
    if (!fd_) return env.Null();
    if (Retry([&] { return poll(&polled, 1, info[0].As<Napi::Number>().Int32Value()); }) == 0) return env.Undefined();
    Received received = Take();
    if (received.size < 0 && errno == EAGAIN) return env.Undefined();
    if (received.size <= 0) return env.Null();
    Napi::Object message = Napi::Object::New(env);
    message.Set("text", Napi::Buffer<char>::Copy(env, packet_, static_cast<size_t>(received.size)));
    message.Set("fd", Napi::Number::New(env, received.descriptor.Release()));
    return message;
  }

  Received Take() {
    Received received;
    // The keeper has ended with something unread: what it had said comes behind that.
    do {
      received = Receive(fd_.get(), packet_, kLargestPacket);
    } while (received.size < 0 && errno == ECONNRESET);
    return received;
  }

  // (text, fd) → whether it went; -1: none. What goes along stays the caller's.
  Napi::Value Say(const Napi::CallbackInfo& info) {
    const std::string text = info[0].As<Napi::String>();
    const bool sent = fd_ && Send(fd_.get(), text.data(), text.size(), info[1].As<Napi::Number>().Int32Value());
    return Napi::Boolean::New(info.Env(), sent);
  }

  // (onReadable): called when `next(0)` has something to tell. Keeps no process alive.
  Napi::Value Listen(const Napi::CallbackInfo& info) {
    on_readable_ = Napi::Persistent(info[0].As<Napi::Function>());
    auto poll = std::make_unique<uv_poll_t>();
    const int status = uv_poll_init(handles_->loop(), poll.get(), fd_.get());
    if (status < 0) throw SystemError(-status, "epoll_ctl").ToJavaScript(info.Env());
    poll_ = OwnedHandle<uv_poll_t>(handles_, poll.release());
    poll_.get()->data = this;
    uv_poll_start(poll_.get(), UV_READABLE, [](uv_poll_t* handle, int, int) { static_cast<KeeperLink*>(handle->data)->OnReadable(); });
    uv_unref(reinterpret_cast<uv_handle_t*>(poll_.get()));
    Ref();
    registration_ = handles_->OnEnd([this] {
      poll_.Close();
      fd_.Reset();
    });
    return info.Env().Undefined();
  }

  void OnReadable() {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    napi_value result;
    if (napi_make_callback(env, nullptr, Value(), on_readable_.Value(), 0, nullptr, &result) != napi_pending_exception) return;
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    if (poll_) {
      poll_.Close();
      handles_->Forget(registration_);
      on_readable_.Reset();
      Unref();
    }
    fd_.Reset();
    return info.Env().Undefined();
  }

  const std::shared_ptr<LoopHandles> handles_;
  LoopHandles::Registration registration_;
  Descriptor fd_;
  OwnedHandle<uv_poll_t> poll_;
  Napi::FunctionReference on_readable_;
  char packet_[kLargestPacket + 1];
};

// (bytes, name) → fd of a memory file with them, which is the caller's.
Napi::Value MemoryFile(const Napi::CallbackInfo& info) {
  const auto bytes = info[0].As<Napi::Uint8Array>();
  Descriptor file(memfd_create(SystemString(info[1]).c_str(), MFD_CLOEXEC));
  if (!file) throw SystemError("memfd_create");
  for (size_t written = 0; written < bytes.ByteLength();) {
    const ssize_t count = Retry([&] { return write(file.get(), bytes.Data() + written, bytes.ByteLength() - written); });
    if (count < 0) throw SystemError("write");
    written += static_cast<size_t>(count);
  }
  return Napi::Number::New(info.Env(), file.Release());
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("KeeperLink", KeeperLink::Define(env));
  exports.Set("memoryFile", Napi::Function::New(env, Guarded<MemoryFile>));
});

}  // namespace

}  // namespace concierge
