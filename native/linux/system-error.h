// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include <cerrno>
#include <string>

namespace concierge {

// A failed system call, as thrown by code that may run on any thread.
struct SystemError {
  int number;
  const char* syscall;
  std::string path;

  explicit SystemError(const char* syscall, std::string path = {}) : SystemError(errno, syscall, std::move(path)) {}
  SystemError(int number, const char* syscall, std::string path = {})
      : number(number), syscall(syscall), path(std::move(path)) {}

  // With `errno`, `syscall` and `path`, made by the factory that JavaScript has set.
  Napi::Error ToJavaScript(Napi::Env env) const;
};

// Calls again after EINTR.
template <class Call>
auto Retry(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

// Turns a SystemError into a JavaScript exception around a function that JavaScript calls directly.
template <Napi::Value (*Function)(const Napi::CallbackInfo&)>
Napi::Value Guarded(const Napi::CallbackInfo& info) {
  try {
    return Function(info);
  } catch (const SystemError& error) {
    throw error.ToJavaScript(info.Env());
  }
}

}  // namespace concierge
