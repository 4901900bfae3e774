// SPDX-License-Identifier: Apache-2.0
// Files that the kernel makes up or that lie in memory, read at once. Where there is none the answer is a negative errno:
// most attributes of most devices are absent, and an exception costs ten times the system call.

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "addon.h"
#include "cached-path.h"
#include "descriptor.h"

namespace concierge {

namespace {

// A path as the kernel takes it; empty, and so `ENOENT`, where it does not fit or has a NUL.
class Path {
 public:
  Path(napi_env env, napi_value value) {
    size_t length = 0;
    if (napi_get_value_string_utf8(env, value, text_, sizeof text_, &length) != napi_ok || length + 1 == sizeof text_ ||
        memchr(text_, '\0', length) != nullptr) {
      text_[0] = '\0';
    }
  }
  operator const char*() const { return text_; }

 private:
  char text_[PATH_MAX];
};

Napi::Value Failure(Napi::Env env) { return Napi::Number::New(env, -errno); }

Napi::Value Text(Napi::Env env, const char* bytes, size_t length) {
  napi_value text;
  napi_create_string_utf8(env, bytes, length, &text);
  return Napi::Value(env, text);
}

Descriptor OpenToRead(const char* path) {
  return Descriptor(Retry([&] { return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); }));
}

Napi::Value Latin1(Napi::Env env, const char* bytes, size_t length) {
  napi_value text;
  napi_create_string_latin1(env, bytes, length, &text);
  return Napi::Value(env, text);
}

// The rest of a file, of which `length` bytes are in `first`. Generated files have no size to go by: until the end.
template <Napi::Value (*Decode)(Napi::Env, const char*, size_t) = Text>
Napi::Value ReadOn(Napi::Env env, const Descriptor& file, const char* first, size_t length) {
  std::vector<char> bytes;
  if (length > 0) bytes.assign(first, first + length);
  for (;;) {
    bytes.resize(length + std::max<size_t>(16 * 1024, length));
    const ssize_t count = Retry([&] { return read(file.get(), bytes.data() + length, bytes.size() - length); });
    if (count < 0) return Failure(env);
    if (count == 0) return Decode(env, bytes.data(), length);
    length += static_cast<size_t>(count);
  }
}

// readText(path): the whole file, what is no UTF-8 as U+FFFD.
Napi::Value ReadText(const Napi::CallbackInfo& info) {
  const Path path(info.Env(), info[0]);
  const Descriptor file = OpenToRead(path);
  return file ? ReadOn(info.Env(), file, nullptr, 0) : Failure(info.Env());
}

// readLatin1(path): the same with one character for each byte.
Napi::Value ReadLatin1(const Napi::CallbackInfo& info) {
  const Path path(info.Env(), info[0]);
  const Descriptor file = OpenToRead(path);
  return file ? ReadOn<Latin1>(info.Env(), file, nullptr, 0) : Failure(info.Env());
}

// readShort(path, limit): the same where the file is no longer than the limit; `undefined` where it is.
Napi::Value ReadShort(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Descriptor file = OpenToRead(Path(env, info[0]));
  if (!file) return Failure(env);
  const size_t limit = info[1].As<Napi::Number>().Uint32Value();
  std::vector<char> bytes(limit + 1);
  size_t length = 0;
  for (;;) {
    const ssize_t count = Retry([&] { return read(file.get(), bytes.data() + length, bytes.size() - length); });
    if (count < 0) return Failure(env);
    if (count == 0) return Latin1(env, bytes.data(), length);
    length += static_cast<size_t>(count);
    if (length > limit) return env.Undefined();
  }
}

// readAttribute(path): the same for attributes in sysfs and for ordinary files, which are at their end where a read comes
// short. (Lists in /proc come short at the end of an entry.)
Napi::Value ReadAttribute(const Napi::CallbackInfo& info) {
  const Path path(info.Env(), info[0]);
  const Descriptor file = OpenToRead(path);
  if (!file) return Failure(info.Env());
  char bytes[4096];
  const ssize_t count = Retry([&] { return read(file.get(), bytes, sizeof bytes); });
  if (count < 0) return Failure(info.Env());
  const auto length = static_cast<size_t>(count);
  return length < sizeof bytes ? Text(info.Env(), bytes, length) : ReadOn(info.Env(), file, bytes, length);
}

// readEach(directory, names, attribute): for each of the names, each with a `/` behind it, what the file of that name in the
// directory's folder says, as readAttribute would; of a longer one, which no attribute of sysfs is, the first 4096 bytes.
Napi::Value ReadEach(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Descriptor directory(Retry([&] { return open(Path(env, info[0]), O_PATH | O_DIRECTORY | O_CLOEXEC); }));
  if (!directory) return Failure(env);
  const std::string names = info[1].As<Napi::String>();
  const std::string attribute = info[2].As<Napi::String>();
  const Napi::Array texts = Napi::Array::New(env);
  std::string path;
  uint32_t index = 0;
  for (size_t begin = 0, end; (end = names.find('/', begin)) != std::string::npos; begin = end + 1) {
    path.assign(names, begin, end + 1 - begin).append(attribute);
    const Descriptor file(Retry([&] { return openat(directory.get(), path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); }));
    char bytes[4096];
    const ssize_t count = file ? Retry([&] { return read(file.get(), bytes, sizeof bytes); }) : -1;
    napi_set_element(env, texts, index++, count < 0 ? static_cast<napi_value>(Failure(env)) : static_cast<napi_value>(Text(env, bytes, static_cast<size_t>(count))));
  }
  return texts;
}

// openWatched(path): a descriptor of a list of mounts, for the two below.
Napi::Value OpenWatched(const Napi::CallbackInfo& info) {
  const Path path(info.Env(), info[0]);
  Descriptor file = OpenToRead(path);
  return file ? Napi::Number::New(info.Env(), file.Release()) : Failure(info.Env());
}

// readWatched(fd): the whole list as it is now, with one character for each byte.
Napi::Value ReadWatched(const Napi::CallbackInfo& info) {
  const Descriptor again(dup(info[0].As<Napi::Number>().Int32Value()));
  if (!again || lseek(again.get(), 0, SEEK_SET) < 0) return Failure(info.Env());
  return ReadOn<Latin1>(info.Env(), again, nullptr, 0);
}

// hasChanged(fd): whether a mount has come, gone or changed since this was asked last, or the list was opened (proc(5):
// /proc/PID/mounts and mountinfo are pollable).
Napi::Value HasChanged(const Napi::CallbackInfo& info) {
  pollfd polled{info[0].As<Napi::Number>().Int32Value(), POLLPRI, 0};
  return Napi::Boolean::New(info.Env(), Retry([&] { return poll(&polled, 1, 0); }) != 0);
}

// closeWatched(fd).
Napi::Value CloseWatched(const Napi::CallbackInfo& info) {
  close(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

// exists(path): whether the path leads to anything.
Napi::Value Exists(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), access(Path(info.Env(), info[0]), F_OK) == 0);
}

// listDirectory(path): the names in it, each with a `/` behind it.
Napi::Value ListDirectory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Path path(env, info[0]);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path), closedir);
  if (directory == nullptr) return Failure(env);
  std::string names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) return errno == 0 ? Text(env, names.data(), names.size()) : Failure(env);
    const char* name = entry->d_name;
    if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'))) continue;
    names.append(name).push_back('/');
  }
}

// readLink(path): what a symbolic link holds.
Napi::Value ReadLink(const Napi::CallbackInfo& info) {
  const Path path(info.Env(), info[0]);
  char target[PATH_MAX];
  const ssize_t length = readlink(path, target, sizeof target);
  return length < 0 ? Failure(info.Env()) : Text(info.Env(), target, static_cast<size_t>(length));
}

// realPath(path): realpath(3).
Napi::Value RealPath(const Napi::CallbackInfo& info) {
  const Path path(info.Env(), info[0]);
  char resolved[PATH_MAX];
  return realpath(path, resolved) == nullptr ? Failure(info.Env()) : Text(info.Env(), resolved, strlen(resolved));
}

// fileStamp(path): [version, changed]: a text that is another one after every change of the file, and when it was last
// changed, in milliseconds since 1970. A negative errno where that can't be told without waiting for a disk. Nothing is
// opened for reading, so that no virus scanner (fanotify(7)) is waited for either.
Napi::Value FileStamp(const Napi::CallbackInfo& info) {
  const Path path(info.Env(), info[0]);
  const Descriptor file = OpenCachedPath(path);
  if (!file) return Failure(info.Env());
  struct statx status;
  // AT_STATX_DONT_SYNC: what is known here, without asking a server.
  if (statx(file.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &status) < 0) return Failure(info.Env());
  char text[160];
  const int length = snprintf(text, sizeof text, "%x:%x %llx %llx %llx.%x %llx.%x", status.stx_dev_major, status.stx_dev_minor,
                              static_cast<unsigned long long>(status.stx_ino), static_cast<unsigned long long>(status.stx_size),
                              static_cast<unsigned long long>(status.stx_mtime.tv_sec), status.stx_mtime.tv_nsec,
                              static_cast<unsigned long long>(status.stx_ctime.tv_sec), status.stx_ctime.tv_nsec);
  Napi::Array stamp = Napi::Array::New(info.Env(), 2);
  stamp.Set(uint32_t{0}, Text(info.Env(), text, static_cast<size_t>(length)));
  stamp.Set(uint32_t{1}, Napi::Number::New(info.Env(), static_cast<double>(status.stx_ctime.tv_sec) * 1e3 + status.stx_ctime.tv_nsec / 1000000));
  return stamp;
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("readText", Napi::Function::New(env, ReadText));
  exports.Set("readLatin1", Napi::Function::New(env, ReadLatin1));
  exports.Set("readShort", Napi::Function::New(env, ReadShort));
  exports.Set("readAttribute", Napi::Function::New(env, ReadAttribute));
  exports.Set("readEach", Napi::Function::New(env, ReadEach));
  exports.Set("openWatched", Napi::Function::New(env, OpenWatched));
  exports.Set("readWatched", Napi::Function::New(env, ReadWatched));
  exports.Set("hasChanged", Napi::Function::New(env, HasChanged));
  exports.Set("closeWatched", Napi::Function::New(env, CloseWatched));
  exports.Set("exists", Napi::Function::New(env, Exists));
  exports.Set("listDirectory", Napi::Function::New(env, ListDirectory));
  exports.Set("readLink", Napi::Function::New(env, ReadLink));
  exports.Set("realPath", Napi::Function::New(env, RealPath));
  exports.Set("fileStamp", Napi::Function::New(env, FileStamp));
});

}  // namespace

}  // namespace concierge
