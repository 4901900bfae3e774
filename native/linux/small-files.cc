// Small files of the kernel and of the agent's own, read and written where blocking harms nobody.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

Napi::Value ReadFile(const Napi::CallbackInfo& info) {
  auto work = [path = SystemString(info[0]), limit = info[1].As<Napi::Number>().Int64Value()] {
    const Descriptor file(Retry([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); }));
    if (!file) throw SystemError("open", path);
    std::vector<char> bytes;
    // Generated files have no size to go by: read until the end.
    for (;;) {
      const size_t length = bytes.size();
      const size_t room = std::max<size_t>(16 * 1024, length);
      bytes.resize(length + room);
      const ssize_t count = Retry([&] { return read(file.get(), bytes.data() + length, room); });
      if (count < 0) throw SystemError("read", path);
      bytes.resize(length + static_cast<size_t>(count));
      if (count == 0) return bytes;
      if (bytes.size() > static_cast<size_t>(limit)) throw SystemError(EFBIG, "read", path);
    }
  };
  return OnIoThread(info.Env(), std::move(work), [](Napi::Env env, const std::vector<char>& bytes) {
    return Napi::Buffer<char>::Copy(env, bytes.data(), bytes.size());
  });
}

Napi::Value WriteFile(const Napi::CallbackInfo& info) {
  return OnIoThread(info.Env(), [path = SystemString(info[0]), text = info[1].As<Napi::String>().Utf8Value()] {
    const Descriptor file(Retry([&] { return open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); }));
    if (!file) throw SystemError("open", path);
    if (Retry([&] { return write(file.get(), text.data(), text.size()); }) < 0) throw SystemError("write", path);
  });
}

Napi::Value IsExecutable(const Napi::CallbackInfo& info) {
  return OnIoThread(
      info.Env(), [path = SystemString(info[0])] { return access(path.c_str(), X_OK) == 0; },
      [](Napi::Env env, bool executable) { return Napi::Boolean::New(env, executable); });
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("readFile", Napi::Function::New(env, Guarded<ReadFile>));
  exports.Set("writeFile", Napi::Function::New(env, Guarded<WriteFile>));
  exports.Set("isExecutable", Napi::Function::New(env, Guarded<IsExecutable>));
});

}  // namespace

}  // namespace concierge
