// SPDX-License-Identifier: Apache-2.0
// Files of the guest: opened, read, written and closed on I/O threads, and read at once where the bytes are in memory.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "addon.h"
#include "descriptor.h"
#include "path-walk.h"

namespace concierge {

namespace {

// One call reads no more than this: a read that is answered at once must not hold the event loop for long.
constexpr size_t kMaximumRead = 1024 * 1024;
constexpr int64_t kOneDay = 24 * 60 * 60;

struct Bytes {
  std::unique_ptr<uint8_t[]> data;
  size_t length;
};

struct File {
  Descriptor descriptor;
  mode_t type = 0;
  // Reading may update the access time.
  bool keeps_access_time = true;
  // preadv2(2) with RWF_NOWAIT has not been refused yet.
  bool can_read_now = false;
};

// No file is made.
constexpr int kNoPermissions = -1;
// How often somebody may exchange what a path leads to between the look and the open.
constexpr int kTries = 8;

// Everybody may write, and nobody may take away what is another's: there others leave what they like for the agent to find.
bool IsShared(const struct stat& directory, mode_t writers) { return (directory.st_mode & S_ISVTX) != 0 && (directory.st_mode & writers) != 0; }

bool IsOfOther(const struct stat& thing, const struct stat& directory) { return thing.st_uid != geteuid() && thing.st_uid != directory.st_uid; }

// protected_regular (2) and protected_fifos (2) of proc_sys_fs(5): what another user left in such a directory is not opened by
// who would have made it.
bool IsPlanted(const struct stat& file, const struct stat& directory) {
  return (S_ISREG(file.st_mode) || S_ISFIFO(file.st_mode)) && IsShared(directory, S_IWOTH | S_IWGRP) && IsOfOther(file, directory);
}

// Goes the way as the kernel does, with its protected_symlinks (proc_sys_fs(5)) whatever that is set to, and for links in the middle
// of the way too.
PathWalk WalkProtected(const std::string& path) {
  struct stat directory = {};
  return WalkPath(path, true, [&](const Descriptor&, const PathStep& step) {
    if (S_ISDIR(step.status.st_mode)) directory = step.status;
    if (S_ISLNK(step.status.st_mode) && IsShared(directory, S_IWOTH) && IsOfOther(step.status, directory)) throw SystemError(EACCES, "protected_symlinks", path);
  });
}

Descriptor Create(const PathWalk& walk, const std::string& path, int flags, int permissions) {
  Descriptor file(Retry([&] { return openat(walk.named_in.get(), walk.named.c_str(), flags | O_CREAT | O_EXCL | O_NOFOLLOW, 0); }));
  if (!file) return file;
  // Mode 0 until here, so that nobody else could open it, then the one that was asked for, whatever the umask.
  if (fchmod(file.get(), static_cast<mode_t>(permissions)) < 0) {
    const SystemError error("fchmod", path);
    unlinkat(walk.named_in.get(), walk.named.c_str(), 0);
    throw error;
  }
  return file;
}

// Throws EACCES where another user may have left the file for the agent to find.
void RefusePlanted(const PathWalk& walk, const Descriptor& file, const std::string& path) {
  struct stat found, directory;
  if (fstat(file.get(), &found) < 0 || fstat(walk.directory.get(), &directory) < 0) throw SystemError("fstat", path);
  if (IsPlanted(found, directory)) throw SystemError(EACCES, "protected_regular", path);
}

Descriptor OpenExisting(const PathWalk& walk, const std::string& path, int flags, bool would_create) {
  const bool by_kernel = walk.magic || walk.name.empty();
  if (would_create && !by_kernel) RefusePlanted(walk, walk.place, path);
  const std::string& name = walk.name.empty() ? "." : walk.name;
  Descriptor file(Retry([&] { return openat(walk.directory.get(), name.c_str(), (flags & ~O_TRUNC) | (walk.magic ? 0 : O_NOFOLLOW)); }));
  if (!file) return file;
  if (would_create && !by_kernel) RefusePlanted(walk, file, path);
  // Not before it is known to be the right one. What is no regular file has nothing to cut off.
  struct stat status;
  if ((flags & O_TRUNC) != 0 && fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) && ftruncate(file.get(), 0) < 0) throw SystemError("open", path);
  return file;
}

Descriptor Open(const std::string& path, int flags, int permissions) {
  const bool create = permissions != kNoPermissions;
  // O_NOCTTY: a terminal must not become ours. O_NONBLOCK: a FIFO's other side may never come.
  flags |= O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
  for (int tries = 1;; tries++) {
    const PathWalk walk = WalkProtected(path);
    Descriptor file;
    int error = walk.error;
    if (error == 0) {
      file = OpenExisting(walk, path, flags, create);
      error = file ? 0 : errno;
      // A link has come, or the file has gone, since it was looked at.
      if (tries < kTries && ((error == ELOOP && !walk.magic) || (error == ENOENT && create))) continue;
    } else if (error == ENOENT && create && walk.named_in) {
      file = Create(walk, path, flags, permissions);
      error = file ? 0 : errno;
      if (error == EEXIST && tries < kTries) continue;
      // A link that leads nowhere: nothing is made at its end.
      if (error == EEXIST) error = ENOENT;
    } else if (error == ENOENT && create && walk.missing.size() == 2 && walk.missing.back() == ".") {
      error = EISDIR;
    }
    if (error != 0) throw SystemError(error, "open", path);
    return file;
  }
}

// What would be opened or made, held before anything is: somebody else judges where it lies.
struct Found {
  PathWalk walk;
  std::string path;
  int flags;
  int permissions;
  // It is missing, and would be made in `walk.named_in`.
  bool is_new = false;
  nlink_t names = 0;
  mode_t type = 0;
};

Found Find(const std::string& path, int flags, int permissions) {
  const bool create = permissions != kNoPermissions;
  Found found{WalkProtected(path), path, flags, permissions};
  const PathWalk& walk = found.walk;
  if (walk.error == ENOENT && create && walk.named_in) {
    found.is_new = true;
    return found;
  }
  if (walk.error == ENOENT && create && walk.missing.size() == 2 && walk.missing.back() == ".") throw SystemError(EISDIR, "open", path);
  if (walk.error != 0) throw SystemError(walk.error, "open", path);
  if (create && !walk.magic && !walk.name.empty()) RefusePlanted(walk, walk.place, path);
  struct stat status;
  if (fstat(walk.place.get(), &status) < 0) throw SystemError("fstat", path);
  found.names = status.st_nlink;
  found.type = status.st_mode & S_IFMT;
  return found;
}

// Through the descriptor that was judged: no name is looked at any more.
Descriptor OpenFound(const Found& found) {
  const int flags = found.flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
  if (found.is_new) {
    Descriptor file = Create(found.walk, found.path, flags, found.permissions);
    if (!file) throw SystemError("open", found.path);
    return file;
  }
  const std::string place = "/proc/self/fd/" + std::to_string(found.walk.place.get());
  Descriptor file(Retry([&] { return open(place.c_str(), flags & ~O_TRUNC); }));
  if (!file) throw SystemError("open", found.path);
  struct stat status;
  if ((flags & O_TRUNC) != 0 && fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) && ftruncate(file.get(), 0) < 0) throw SystemError("open", found.path);
  return file;
}

std::shared_ptr<File> AsFile(Descriptor descriptor, const std::string& path) {
  auto file = std::make_shared<File>();
  file->descriptor = std::move(descriptor);
  struct stat status;
  if (fstat(file->descriptor.get(), &status) < 0) throw SystemError("fstat", path);
  file->type = status.st_mode & S_IFMT;
  file->can_read_now = file->type == S_IFREG || file->type == S_IFBLK;
  struct statvfs volume;
  if (file->type == S_IFREG && fstatvfs(file->descriptor.get(), &volume) == 0) {
    file->keeps_access_time = (volume.f_flag & (ST_NOATIME | ST_RDONLY)) == 0;
    // strictatime: every read writes.
    if (file->keeps_access_time && (volume.f_flag & ST_RELATIME) == 0) file->can_read_now = false;
  }
  return file;
}

std::shared_ptr<File> OpenFile(const std::string& path, int flags, int permissions) { return AsFile(Open(path, flags, permissions), path); }

// Whether a read would write the access time, for which a journal may have to be waited for even where the data is in
// memory. The rule of relatime, mount(8).
bool WritesAccessTime(const File& file) {
  if (!file.keeps_access_time || file.type != S_IFREG) return false;
  struct statx status;
  // AT_STATX_DONT_SYNC: what is known here, without asking a server.
  if (statx(file.descriptor.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_ATIME | STATX_MTIME | STATX_CTIME, &status) < 0) return true;
  const auto not_after = [](const struct statx_timestamp& a, const struct statx_timestamp& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec <= b.tv_nsec;
  };
  return not_after(status.stx_atime, status.stx_mtime) || not_after(status.stx_atime, status.stx_ctime) ||
         status.stx_atime.tv_sec + kOneDay <= time(nullptr);
}

// The bytes that can be had without waiting, or −1 where the caller has to wait for them.
ssize_t ReadNow(File& file, void* into, size_t length) {
  if (file.type == S_IFIFO) {
    const ssize_t count = Retry([&] { return read(file.descriptor.get(), into, length); });
    if (count < 0) throw SystemError("read");
    return count;
  }
  if (!file.can_read_now || WritesAccessTime(file)) return -1;
  const struct iovec vector = {into, length};
  const ssize_t count = Retry([&] { return preadv2(file.descriptor.get(), &vector, 1, -1, RWF_NOWAIT); });
  if (count >= 0) return count;
  if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) file.can_read_now = false;
  // Any failure is told by the read that waits.
  return -1;
}

class FileObject : public Napi::ObjectWrap<FileObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "File",
                       {InstanceMethod<&FileObject::Read>("read"), InstanceMethod<&FileObject::Write>("write"),
                        InstanceMethod<&FileObject::Seek>("seek"), InstanceMethod<&FileObject::Close>("close"),
                        InstanceMethod<&FileObject::Number>("descriptor")});
  }

  explicit FileObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FileObject>(info) {}

  // A forgotten file: closing may wait, which a finalizer must not.
  void Finalize(Napi::BasicEnv) override {
    if (file_ == nullptr || io_ == nullptr) return;
    io_->Detach([file = std::move(file_)]() mutable { file.reset(); });
  }

  void Adopt(std::shared_ptr<IoThreads> io, std::shared_ptr<File> file) {
    io_ = std::move(io);
    file_ = std::move(file);
  }

 private:
  const std::shared_ptr<File>& Opened() const {
    if (file_ == nullptr) throw SystemError(EBADF, "file");
    return file_;
  }

  template <class Body>
  static Napi::Value Throwing(const Napi::CallbackInfo& info, Body body) {
    try {
      return body();
    } catch (const SystemError& error) {
      throw error.ToJavaScript(info.Env());
    }
  }

  Napi::Value Read(const Napi::CallbackInfo& info) {
    return Throwing(info, [&]() -> Napi::Value {
      const std::shared_ptr<File>& file = Opened();
      auto into = info[0].As<Napi::Uint8Array>();
      const size_t length = std::min(into.ByteLength(), kMaximumRead);
      const ssize_t count = ReadNow(*file, into.Data(), length);
      if (count >= 0) return Napi::Number::New(info.Env(), static_cast<double>(count));
      // Into memory of its own: a read that comes back after the environment has ended must find it.
      auto work = [file, length] {
        Bytes bytes{std::make_unique_for_overwrite<uint8_t[]>(length), 0};
        const ssize_t count = Retry([&] { return read(file->descriptor.get(), bytes.data.get(), length); });
        if (count < 0) throw SystemError("read");
        bytes.length = static_cast<size_t>(count);
        return bytes;
      };
      auto finish = [into = Napi::Persistent(into)](Napi::Env env, const Bytes& bytes) {
        Napi::Uint8Array array = into.Value();
        const size_t count = std::min(bytes.length, array.ByteLength());
        std::copy_n(bytes.data.get(), count, array.Data());
        return Napi::Number::New(env, static_cast<double>(count));
      };
      return OnIoThread(info.Env(), std::move(work), std::move(finish));
    });
  }

  // Never at once: writing waits for a frozen file system before it looks at RWF_NOWAIT.
  Napi::Value Write(const Napi::CallbackInfo& info) {
    return Throwing(info, [&]() -> Napi::Value {
      const auto from = info[0].As<Napi::Uint8Array>();
      auto work = [file = Opened(), bytes = from.Data(), length = from.ByteLength()] {
        for (size_t written = 0; written < length;) {
          const ssize_t count = Retry([&] { return write(file->descriptor.get(), bytes + written, length - written); });
          if (count < 0) throw SystemError("write");
          written += static_cast<size_t>(count);
        }
        return true;
      };
      auto finish = [keep = Napi::Persistent(from)](Napi::Env env, bool) { return env.Undefined(); };
      return OnIoThread(info.Env(), std::move(work), std::move(finish));
    });
  }

  // (offset: bigint, whence: 0 | 1 | 2)
  Napi::Value Seek(const Napi::CallbackInfo& info) {
    return Throwing(info, [&]() -> Napi::Value {
      const std::shared_ptr<File>& file = Opened();
      const int64_t offset = Int64(info[0]);
      const int whence = info[1].As<Napi::Number>().Int32Value();
      auto work = [file, offset, whence] {
        const off64_t position = lseek64(file->descriptor.get(), offset, whence);
        if (position < 0) throw SystemError("lseek");
        return position;
      };
      auto finish = [](Napi::Env env, off64_t position) { return Napi::BigInt::New(env, static_cast<int64_t>(position)); };
      // The end of a file may have to be asked of a server; a block device is locked meanwhile.
      if (whence != SEEK_END && (file->type == S_IFREG || file->type == S_IFIFO)) return finish(info.Env(), work());
      return OnIoThread(info.Env(), std::move(work), std::move(finish));
    });
  }

  Napi::Value Number(const Napi::CallbackInfo& info) {
    return Throwing(info, [&]() -> Napi::Value { return Napi::Number::New(info.Env(), Opened()->descriptor.get()); });
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    return Throwing(info, [&]() -> Napi::Value {
      Opened();
      return OnIoThread(info.Env(), [file = std::move(file_)] {
        // EINTR: Linux has closed it all the same (close(2)).
        if (file->descriptor.Reset() < 0 && errno != EINTR) throw SystemError("close");
      });
    });
  }

  std::shared_ptr<IoThreads> io_;
  std::shared_ptr<File> file_;
};

struct FileClass {
  Napi::FunctionReference constructor;
};

Napi::Value ToJavaScript(Napi::Env env, std::shared_ptr<File>& file) {
  AddonData& data = AddonData::Of(env);
  const Napi::Object object = data.PartData<FileClass>().constructor.New({});
  FileObject::Unwrap(object)->Adopt(data.io, std::move(file));
  return object;
}

// (path, flags, permissions) as of openFile → { descriptor, name, isNew, names, isDirectory, open() }: what openFile would open, or the
// directory in which, and the name by which, it would make it. Nothing has been opened or made. The descriptor is the object's.
Napi::Value FindFromJavaScript(const Napi::CallbackInfo& info) {
  auto work = [path = SystemString(info[0]), flags = info[1].As<Napi::Number>().Int32Value(),
               permissions = info[2].As<Napi::Number>().Int32Value()] { return std::make_shared<Found>(Find(path, flags, permissions)); };
  return OnIoThread(info.Env(), std::move(work), [](Napi::Env env, std::shared_ptr<Found>& found) -> Napi::Value {
    Napi::Object result = Napi::Object::New(env);
    result.Set("descriptor", Napi::Number::New(env, found->is_new ? found->walk.named_in.get() : found->walk.place.get()));
    result.Set("name", found->walk.named);
    result.Set("isNew", Napi::Boolean::New(env, found->is_new));
    result.Set("names", Napi::Number::New(env, static_cast<double>(found->names)));
    result.Set("isDirectory", Napi::Boolean::New(env, found->type == S_IFDIR));
    result.Set("open", Napi::Function::New(env, [found](const Napi::CallbackInfo& call) -> Napi::Value {
      return OnIoThread(call.Env(), [found] { return AsFile(OpenFound(*found), found->path); }, ToJavaScript);
    }));
    return result;
  });
}

// (path: string, flags: number, permissions: number of a file that is made, −1 for none)
Napi::Value OpenFromJavaScript(const Napi::CallbackInfo& info) {
  auto work = [path = SystemString(info[0]), flags = info[1].As<Napi::Number>().Int32Value(),
               permissions = info[2].As<Napi::Number>().Int32Value()] { return OpenFile(path, flags, permissions); };
  return OnIoThread(info.Env(), std::move(work), ToJavaScript);
}

// (fd): a file that an earlier process of ours has opened; owns the descriptor. Asks no server and no disk about it, so that every
// read of it waits on a thread.
Napi::Value FromDescriptor(const Napi::CallbackInfo& info) {
  auto file = std::make_shared<File>();
  file->descriptor.Reset(info[0].As<Napi::Number>().Int32Value());
  struct statx status;
  if (statx(file->descriptor.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) == 0) file->type = status.stx_mode & S_IFMT;
  return ToJavaScript(info.Env(), file);
}

const Part part([](Napi::Env env, Napi::Object exports) {
  AddonData::Of(env).PartData<FileClass>().constructor = Napi::Persistent(FileObject::Define(env));
  exports.Set("openFile", Napi::Function::New(env, Guarded<OpenFromJavaScript>));
  exports.Set("findFile", Napi::Function::New(env, Guarded<FindFromJavaScript>));
  exports.Set("fileOf", Napi::Function::New(env, Guarded<FromDescriptor>));
});

}  // namespace

}  // namespace concierge
