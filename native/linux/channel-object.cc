// SPDX-License-Identifier: Apache-2.0
// The channels as JavaScript sees them: `new Channel(fd, isPort, inbox, onEvent)`, which owns `fd` from then on.
#include <napi.h>

#include <memory>

#include "addon.h"
#include "channel.h"
#include "virtio-port.h"

namespace concierge {

namespace {

class ChannelObject final : public Napi::ObjectWrap<ChannelObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Channel",
                       {InstanceMethod<&ChannelObject::Start>("start"), InstanceMethod<&ChannelObject::Write>("write"),
                        InstanceMethod<&ChannelObject::WriteBase64>("writeBase64"), InstanceMethod<&ChannelObject::Pause>("pause"),
                        InstanceMethod<&ChannelObject::Resume>("resume"), InstanceMethod<&ChannelObject::Close>("close"),
                        InstanceMethod<&ChannelObject::Destroy>("destroy"), InstanceMethod<&ChannelObject::Detach>("detach"),
                        InstanceMethod<&ChannelObject::Attach>("attach"), InstanceMethod<&ChannelObject::IsIdle>("isIdle")});
  }

  explicit ChannelObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ChannelObject>(info) {
    const int fd = info[0].As<Napi::Number>().Int32Value();
    const auto inbox = info[2].As<Napi::Uint8Array>();
    const auto on_event = info[3].As<Napi::Function>();
    if (info[1].As<Napi::Boolean>()) {
      channel_ = std::make_unique<VirtioPort>(*this, fd, inbox, on_event);
    } else {
      channel_ = std::make_unique<Channel>(*this, fd, inbox, on_event);
    }
    channel_->Open();
  }

 private:
  void Start(const Napi::CallbackInfo&) { channel_->Start(); }
  Napi::Value Write(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), channel_->Write(info[0])); }
  Napi::Value WriteBase64(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), channel_->WriteBase64(info[0], info[1], info[2]));
  }
  void Pause(const Napi::CallbackInfo&) { channel_->Pause(); }
  void Resume(const Napi::CallbackInfo&) { channel_->Resume(); }
  Napi::Value Close(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), channel_->Close()); }
  Napi::Value Destroy(const Napi::CallbackInfo& info) {
    channel_->Destroy();
    return Napi::Boolean::New(info.Env(), true);
  }
  Napi::Value IsIdle(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), channel_->IsIdle()); }
  void Detach(const Napi::CallbackInfo&) { channel_->Detach(); }
  void Attach(const Napi::CallbackInfo& info) { channel_->Attach(Descriptor(info[0].As<Napi::Number>().Int32Value())); }

  std::unique_ptr<Channel> channel_;
};

const Part part([](Napi::Env env, Napi::Object exports) { exports.Set("Channel", ChannelObject::Define(env)); });

}  // namespace

}  // namespace concierge
