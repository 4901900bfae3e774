// SPDX-License-Identifier: Apache-2.0
// The end of a machine on which no program for that is left.

#include <linux/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addon.h"

namespace concierge {

namespace {

// sync() => Promise<void>. Waits for every disk, also for one that does not answer.
Napi::Value Sync(const Napi::CallbackInfo& info) {
  return OnIoThread(info.Env(), [] { sync(); });
}

// reboot(command): one of reboot(2). Where it succeeds it does not return, but for a container's first process.
Napi::Value Reboot(const Napi::CallbackInfo& info) {
  const uint32_t command = info[0].As<Napi::Number>().Uint32Value();
  if (syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, nullptr) < 0) throw SystemError("reboot");
  return info.Env().Undefined();
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("sync", Napi::Function::New(env, Guarded<Sync>));
  exports.Set("reboot", Napi::Function::New(env, Guarded<Reboot>));
});

}  // namespace

}  // namespace concierge
