// SPDX-License-Identifier: Apache-2.0
#include "addon.h"

namespace concierge {

namespace {

const Part* first_part = nullptr;

Napi::Value SetErrorFactory(const Napi::CallbackInfo& info) {
  AddonData::Of(info.Env()).error_factory = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new AddonData(env));
  exports.Set("setErrorFactory", Napi::Function::New(env, SetErrorFactory));
  Part::InitAll(env, exports);
  return exports;
}

}  // namespace

Part::Part(Init init) : init_(init), next_(first_part) { first_part = this; }

void Part::InitAll(Napi::Env env, Napi::Object exports) {
  for (const Part* part = first_part; part != nullptr; part = part->next_) part->init_(env, exports);
}

AddonData::AddonData(Napi::Env env) : handles(LoopHandles::Create(env)), io(IoThreads::Create(env, handles)) {}

AddonData::~AddonData() = default;

std::string SystemString(const Napi::Value& value) {
  std::string text;
  if (value.IsTypedArray()) {
    const auto bytes = value.As<Napi::Uint8Array>();
    text.assign(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
  } else {
    text = value.As<Napi::String>().Utf8Value();
  }
  if (text.find('\0') != std::string::npos) throw SystemError(EINVAL, "argument");
  return text;
}

int64_t Int64(const Napi::Value& value) {
  bool lossless = false;
  const int64_t number = value.As<Napi::BigInt>().Int64Value(&lossless);
  if (!lossless) throw SystemError(EINVAL, "argument");
  return number;
}

uint64_t Uint64(const Napi::Value& value) {
  bool lossless = false;
  const uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throw SystemError(EINVAL, "argument");
  return number;
}

void CallBack(Napi::Env env, const Napi::FunctionReference& function, const std::vector<napi_value>& arguments) {
  if (function.IsEmpty()) return;
  try {
    function.MakeCallback(env.Global(), arguments);
  } catch (const Napi::Error& error) {
    try {
      napi_fatal_exception(env, error.Value());
    } catch (const Napi::Error&) {
      // The environment is being terminated: nobody is left to hear of it.
    }
  }
}

NODE_API_MODULE(concierge, Init)

}  // namespace concierge
