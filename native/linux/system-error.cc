// SPDX-License-Identifier: Apache-2.0
#include "system-error.h"

#include <cstring>

#include "addon.h"

namespace concierge {

Napi::Error SystemError::ToJavaScript(Napi::Env env) const {
  AddonData& data = AddonData::Of(env);
  if (!data.error_factory.IsEmpty()) {
    const Napi::Value error = data.error_factory.Call(
        {Napi::Number::New(env, number), Napi::String::New(env, syscall),
         path.empty() ? env.Undefined() : Napi::Value(Napi::String::New(env, path))});
    return Napi::Error(env, error);
  }
  Napi::Error error = Napi::Error::New(env, std::string(syscall) + ": " + strerror(number));
  error.Set("errno", Napi::Number::New(env, number));
  error.Set("syscall", Napi::String::New(env, syscall));
  if (!path.empty()) error.Set("path", Napi::String::New(env, path));
  return error;
}

}  // namespace concierge
