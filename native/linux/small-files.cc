// SPDX-License-Identifier: Apache-2.0
// Small files of the kernel and of the agent's own, read and written where blocking harms nobody.

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

// readFile(path, limit), readStart(path, limit): the whole file or EFBIG; or what it begins with.
template <bool kWhole>
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
      if (bytes.size() > static_cast<size_t>(limit)) {
        if (kWhole) throw SystemError(EFBIG, "read", path);
        bytes.resize(static_cast<size_t>(limit));
        return bytes;
      }
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

// namesIn(path): names in a directory in any order, without those of the directory itself and of the one above.
Napi::Value NamesIn(const Napi::CallbackInfo& info) {
  auto work = [path = SystemString(info[0])] {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
    if (directory == nullptr) throw SystemError("opendir", path);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = readdir(directory.get());
      if (entry == nullptr && errno != 0) throw SystemError("readdir", path);
      if (entry == nullptr) return names;
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
  };
  return OnIoThread(info.Env(), std::move(work), [](Napi::Env env, const std::vector<std::string>& names) {
    Napi::Array list = Napi::Array::New(env, names.size());
    for (uint32_t i = 0; i < names.size(); i += 1) list.Set(i, names[i]);
    return list;
  });
}

Napi::Value IsExecutable(const Napi::CallbackInfo& info) {
  return OnIoThread(
      info.Env(), [path = SystemString(info[0])] { return access(path.c_str(), X_OK) == 0; },
      [](Napi::Env env, bool executable) { return Napi::Boolean::New(env, executable); });
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("readFile", Napi::Function::New(env, Guarded<ReadFile<true>>));
  exports.Set("readStart", Napi::Function::New(env, Guarded<ReadFile<false>>));
  exports.Set("namesIn", Napi::Function::New(env, Guarded<NamesIn>));
  exports.Set("writeFile", Napi::Function::New(env, Guarded<WriteFile>));
  exports.Set("isExecutable", Napi::Function::New(env, Guarded<IsExecutable>));
});

}  // namespace

}  // namespace concierge
