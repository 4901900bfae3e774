// SPDX-License-Identifier: Apache-2.0
// Users, and the one file in their homes that the agent changes.
//
// Work in a home is done with the rights of its owner, on a thread that is thrown away. Only the file system's ids are
// changed (setfsuid(2)), not the process's: a thread that took on the user's real ids could be killed by the user, and
// the agent with it.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

constexpr size_t kStackSize = 2 * 1024 * 1024;
constexpr size_t kMaximumPasswdEntry = 1024 * 1024;

struct User {
  std::string name;
  uid_t uid;
  gid_t gid;
  std::string home;
  std::string shell;
};

// Runs `work` on a new thread and waits for its end. Name services want more stack than an I/O thread has, and a thread
// that has given up rights can't serve anybody else.
void OnThrowawayThread(const std::function<void()>& work) {
  struct Call {
    const std::function<void()>& work;
    std::optional<SystemError> error;
  } call{work, std::nullopt};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackSize);
  pthread_t thread;
  const int failure = pthread_create(
      &thread, &attributes,
      [](void* argument) -> void* {
        Call& call = *static_cast<Call*>(argument);
        try {
          call.work();
        } catch (const SystemError& error) {
          call.error = error;
        } catch (const std::bad_alloc&) {
          call.error = SystemError(ENOMEM, "malloc");
        }
        return nullptr;
      },
      &call);
  pthread_attr_destroy(&attributes);
  if (failure != 0) throw SystemError(failure, "pthread_create");
  pthread_join(thread, nullptr);
  if (call.error.has_value()) throw *call.error;
}

// -- lookup --------------------------------------------------------------------------------------------------

std::optional<User> Lookup(const std::string& name) {
  std::vector<char> buffer(16 * 1024);
  for (;;) {
    struct passwd entry;
    struct passwd* found = nullptr;
    const int failure = getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) return User{name, entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell};
    if (failure == ERANGE && buffer.size() < kMaximumPasswdEntry) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (failure == EINTR) continue;
    // getpwnam(3): an unknown name may be any of these, depending on the name service.
    if (failure == 0 || failure == ENOENT || failure == ESRCH || failure == EBADF || failure == EPERM) return std::nullopt;
    throw SystemError(failure, "getpwnam_r", name);
  }
}

// lookupUser(name) => Promise<{ uid, gid, home: Buffer } | undefined>, through the system's name services.
Napi::Value LookupUser(const Napi::CallbackInfo& info) {
  return OnIoThread(
      info.Env(),
      [name = SystemString(info[0])] {
        std::optional<User> user;
        OnThrowawayThread([&] { user = Lookup(name); });
        return user;
      },
      [](Napi::Env env, const std::optional<User>& user) -> Napi::Value {
        if (!user.has_value()) return env.Undefined();
        Napi::Object result = Napi::Object::New(env);
        result.Set("uid", Napi::Number::New(env, user->uid));
        result.Set("gid", Napi::Number::New(env, user->gid));
        result.Set("home", Napi::Buffer<char>::Copy(env, user->home.data(), user->home.size()));
        return result;
      });
}

// The groups of a user, the first one among them.
std::vector<gid_t> GroupsOf(const User& user) {
  std::vector<gid_t> groups(64);
  int count = static_cast<int>(groups.size());
  while (getgrouplist(user.name.c_str(), user.gid, groups.data(), &count) < 0) {
    if (count <= static_cast<int>(groups.size())) throw SystemError(ENOMEM, "getgrouplist", user.name);
    groups.resize(static_cast<size_t>(count));
  }
  groups.resize(static_cast<size_t>(count));
  return groups;
}

std::optional<gid_t> LookupGroup(const std::string& name) {
  std::vector<char> buffer(16 * 1024);
  for (;;) {
    struct group entry;
    struct group* found = nullptr;
    const int failure = getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) return entry.gr_gid;
    if (failure == ERANGE && buffer.size() < kMaximumPasswdEntry) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (failure == EINTR) continue;
    if (failure == 0 || failure == ENOENT || failure == ESRCH || failure == EBADF || failure == EPERM) return std::nullopt;
    throw SystemError(failure, "getgrnam_r", name);
  }
}

// The name of a group; its number where it has none.
std::string GroupName(gid_t gid) {
  std::vector<char> buffer(16 * 1024);
  for (;;) {
    struct group entry;
    struct group* found = nullptr;
    const int failure = getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) return entry.gr_name;
    if (failure == ERANGE && buffer.size() < kMaximumPasswdEntry) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (failure == EINTR) continue;
    if (failure == 0 || failure == ENOENT || failure == ESRCH || failure == EBADF || failure == EPERM) return std::to_string(gid);
    throw SystemError(failure, "getgrgid_r");
  }
}

// groupNamesOf(user) => Promise<Buffer[] | undefined>: names of the groups of a user, the first one among them.
Napi::Value GroupNamesOf(const Napi::CallbackInfo& info) {
  return OnIoThread(
      info.Env(),
      [name = SystemString(info[0])] {
        std::optional<std::vector<std::string>> names;
        OnThrowawayThread([&] {
          const std::optional<User> user = Lookup(name);
          if (!user.has_value()) return;
          names.emplace();
          for (const gid_t gid : GroupsOf(*user)) names->push_back(GroupName(gid));
        });
        return names;
      },
      [](Napi::Env env, const std::optional<std::vector<std::string>>& names) -> Napi::Value {
        if (!names.has_value()) return env.Undefined();
        Napi::Array result = Napi::Array::New(env, names->size());
        for (uint32_t index = 0; index < names->size(); index += 1) {
          const std::string& name = (*names)[index];
          result[index] = Napi::Buffer<char>::Copy(env, name.data(), name.size());
        }
        return result;
      });
}

struct Lookups {
  std::optional<User> user;
  std::vector<gid_t> groups;
  std::string unknown_group;
};

// lookupIdentity(user | undefined, groups | undefined) => Promise<{ uid, gid, groups, home, shell } | { unknownUser } |
// { unknownGroup }>: by name; without a user those of this process.
Napi::Value LookupIdentity(const Napi::CallbackInfo& info) {
  const bool has_user = !info[0].IsUndefined();
  const bool has_groups = !info[1].IsUndefined();
  std::vector<std::string> names;
  if (has_groups) {
    const auto array = info[1].As<Napi::Array>();
    for (uint32_t index = 0; index < array.Length(); index++) names.push_back(SystemString(array.Get(index)));
  }
  return OnIoThread(
      info.Env(),
      [has_user, has_groups, names, name = has_user ? SystemString(info[0]) : ""] {
        Lookups found;
        OnThrowawayThread([&] {
          if (has_user) {
            found.user = Lookup(name);
            if (found.user.has_value() && !has_groups) found.groups = GroupsOf(*found.user);
          } else {
            found.user = User{"", geteuid(), getegid(), "", ""};
          }
          for (const std::string& group : names) {
            const std::optional<gid_t> gid = LookupGroup(group);
            if (gid.has_value()) found.groups.push_back(*gid);
            else if (found.unknown_group.empty()) found.unknown_group = group;
          }
        });
        return found;
      },
      [](Napi::Env env, const Lookups& found) -> Napi::Value {
        Napi::Object result = Napi::Object::New(env);
        if (!found.user.has_value()) {
          result.Set("unknownUser", Napi::Boolean::New(env, true));
          return result;
        }
        if (!found.unknown_group.empty()) {
          result.Set("unknownGroup", Napi::String::New(env, found.unknown_group));
          return result;
        }
        result.Set("uid", Napi::Number::New(env, found.user->uid));
        result.Set("gid", Napi::Number::New(env, found.user->gid));
        Napi::Array groups = Napi::Array::New(env, found.groups.size());
        for (uint32_t index = 0; index < found.groups.size(); index++) groups.Set(index, Napi::Number::New(env, found.groups[index]));
        result.Set("groups", groups);
        result.Set("home", Napi::Buffer<char>::Copy(env, found.user->home.data(), found.user->home.size()));
        result.Set("shell", Napi::Buffer<char>::Copy(env, found.user->shell.data(), found.user->shell.size()));
        return result;
      });
}

// -- rights --------------------------------------------------------------------------------------------------

// Gives this thread the file rights of `user` for the rest of its life. All calls are raw: glibc's wrappers change every
// thread of the process (nptl(7)).
void BecomeForFiles(const User& user) {
  if (geteuid() == user.uid) return;
  const std::vector<gid_t> groups = GroupsOf(user);
  if (syscall(SYS_setgroups, groups.size(), groups.data()) < 0) throw SystemError("setgroups");
  setfsgid(user.gid);
  setfsuid(user.uid);
  // These answer the previous id and no error: asking for an impossible one tells which is in force.
  if (static_cast<gid_t>(setfsgid(-1)) != user.gid) throw SystemError(EPERM, "setfsgid");
  if (static_cast<uid_t>(setfsuid(-1)) != user.uid) throw SystemError(EPERM, "setfsuid");
  // setfsuid takes the capabilities that override file permissions; what else root can do goes here.
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capset, &header, none) < 0) throw SystemError("capset");
}

void WithRightsOf(const User& user, const std::function<void()>& work) {
  const int dumpable = prctl(PR_GET_DUMPABLE);
  const auto restore = [&] {
    // Changed ids make the whole process undumpable (prctl(2)), although this thread's are gone with it.
    if (dumpable == 1) prctl(PR_SET_DUMPABLE, 1);
  };
  try {
    OnThrowawayThread([&] {
      BecomeForFiles(user);
      work();
    });
  } catch (...) {
    restore();
    throw;
  }
  restore();
}

// -- files below a home --------------------------------------------------------------------------------------

// O_DIRECTORY answers ENOTDIR for a link as well; this tells them apart.
SystemError DirectoryError(int parent, const char* name, const std::string& path) {
  const int failure = errno;
  struct stat status;
  const bool link = fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
  return SystemError(link ? ELOOP : failure, "opendir", path);
}

struct Place {
  uid_t owner;
  std::string home;
  std::string directory;
  std::string file;

  std::string DirectoryPath() const { return home + "/" + directory; }
  std::string FilePath() const { return DirectoryPath() + "/" + file; }
};

// As sshd(8) has it (StrictModes): what belongs to somebody else is no place for keys.
void DemandOwner(const Descriptor& opened, const Place& place, const char* syscall, const std::string& path) {
  struct stat status;
  if (fstat(opened.get(), &status) < 0) throw SystemError("fstat", path);
  if (status.st_uid != 0 && status.st_uid != place.owner) throw SystemError(EPERM, syscall, path);
}

Descriptor OpenHome(const Place& place) {
  Descriptor home(Retry([&] { return open(place.home.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  // A home that can be searched but not listed is reached by O_PATH.
  if (!home) home = Descriptor(Retry([&] { return open(place.home.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }));
  if (home) DemandOwner(home, place, "opendir", place.home);
  return home;
}

int OpenDirectory(int home, const Place& place) {
  return Retry([&] { return openat(home, place.directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); });
}

// What is in the file, or nothing where it or its directory is missing.
std::optional<std::string> Read(const Place& place, size_t limit) {
  const Descriptor home = OpenHome(place);
  if (!home && errno == ENOENT) return std::nullopt;
  if (!home) throw SystemError("open", place.home);
  const Descriptor directory(OpenDirectory(home.get(), place));
  if (!directory && errno == ENOENT) return std::nullopt;
  if (!directory) throw DirectoryError(home.get(), place.directory.c_str(), place.DirectoryPath());
  DemandOwner(directory, place, "opendir", place.DirectoryPath());
  // O_NONBLOCK: a FIFO in its place must not make this wait for a writer.
  const Descriptor file(Retry([&] {
    return openat(directory.get(), place.file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  }));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) throw SystemError("open", place.FilePath());
  DemandOwner(file, place, "open", place.FilePath());
  struct stat status;
  if (fstat(file.get(), &status) < 0) throw SystemError("fstat", place.FilePath());
  if (!S_ISREG(status.st_mode)) throw SystemError(S_ISDIR(status.st_mode) ? EISDIR : EINVAL, "read", place.FilePath());
  std::string text;
  char piece[16 * 1024];
  for (;;) {
    const ssize_t count = Retry([&] { return read(file.get(), piece, sizeof piece); });
    if (count < 0) throw SystemError("read", place.FilePath());
    if (count == 0) return text;
    text.append(piece, static_cast<size_t>(count));
    if (text.size() > limit) throw SystemError(EFBIG, "read", place.FilePath());
  }
}

// A name beside the file that nobody can have taken beforehand.
std::string TemporaryName(const std::string& file) {
  unsigned char random[8];
  if (getrandom(random, sizeof random, 0) != static_cast<ssize_t>(sizeof random)) throw SystemError("getrandom");
  std::string name = "." + file + ".";
  for (const unsigned char byte : random) {
    name += "0123456789abcdef"[byte >> 4];
    name += "0123456789abcdef"[byte & 15];
  }
  return name;
}

void Fill(int file, const std::string& text, const std::string& path) {
  // The umask is the process's and may have taken bits.
  if (fchmod(file, 0600) < 0) throw SystemError("fchmod", path);
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = Retry([&] { return write(file, text.data() + written, text.size() - written); });
    if (count < 0) throw SystemError("write", path);
    written += static_cast<size_t>(count);
  }
  if (fsync(file) < 0) throw SystemError("fsync", path);
}

Descriptor OpenOrMakeDirectory(int home, const Place& place) {
  Descriptor directory(OpenDirectory(home, place));
  if (directory) {
    DemandOwner(directory, place, "opendir", place.DirectoryPath());
    return directory;
  }
  if (errno != ENOENT) throw DirectoryError(home, place.directory.c_str(), place.DirectoryPath());
  if (mkdirat(home, place.directory.c_str(), 0700) < 0 && errno != EEXIST) throw SystemError("mkdir", place.DirectoryPath());
  directory = Descriptor(OpenDirectory(home, place));
  if (!directory) throw DirectoryError(home, place.directory.c_str(), place.DirectoryPath());
  if (fchmod(directory.get(), 0700) < 0) throw SystemError("chmod", place.DirectoryPath());
  return directory;
}

void Replace(const Place& place, const std::string& text) {
  const Descriptor home = OpenHome(place);
  if (!home) throw SystemError("mkdir", place.DirectoryPath());
  const Descriptor directory = OpenOrMakeDirectory(home.get(), place);
  const std::string temporary = TemporaryName(place.file);
  const std::string path = place.FilePath();
  Descriptor file(Retry([&] {
    return openat(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  }));
  if (!file) throw SystemError("open", path);
  try {
    Fill(file.get(), text, path);
    if (file.Reset() < 0) throw SystemError("close", path);
    if (renameat(directory.get(), temporary.c_str(), directory.get(), place.file.c_str()) < 0) {
      throw SystemError("rename", path);
    }
  } catch (const SystemError&) {
    unlinkat(directory.get(), temporary.c_str(), 0);
    throw;
  }
  // The file is in its place whether or not the directory can be synchronised.
  fsync(directory.get());
}

// -- JavaScript ----------------------------------------------------------------------------------------------

User UserFrom(const Napi::Object& user) {
  const auto home = user.Get("home").As<Napi::Buffer<char>>();
  User result{SystemString(user.Get("name")), user.Get("uid").As<Napi::Number>().Uint32Value(),
              user.Get("gid").As<Napi::Number>().Uint32Value(), std::string(home.Data(), home.Length()), ""};
  if (result.home.find('\0') != std::string::npos) throw SystemError(EINVAL, "argument");
  return result;
}

Place PlaceFrom(const User& user, const Napi::Value& directory, const Napi::Value& file) {
  return Place{user.uid, user.home, SystemString(directory), SystemString(file)};
}

// readInHome({ name, uid, gid, home }, directory, file, limit) => Promise<Buffer | undefined>
Napi::Value ReadInHome(const Napi::CallbackInfo& info) {
  const User user = UserFrom(info[0].As<Napi::Object>());
  return OnIoThread(
      info.Env(),
      [user, place = PlaceFrom(user, info[1], info[2]), limit = info[3].As<Napi::Number>().Uint32Value()] {
        std::optional<std::string> text;
        WithRightsOf(user, [&] { text = Read(place, limit); });
        return text;
      },
      [](Napi::Env env, const std::optional<std::string>& text) -> Napi::Value {
        if (!text.has_value()) return env.Undefined();
        return Napi::Buffer<char>::Copy(env, text->data(), text->size());
      });
}

// replaceInHome({ name, uid, gid, home }, directory, file, bytes) => Promise<undefined>
// `syscall` of a failure tells the step: mkdir, chmod and opendir are about the directory, fchmod about the file's mode.
Napi::Value ReplaceInHome(const Napi::CallbackInfo& info) {
  const User user = UserFrom(info[0].As<Napi::Object>());
  const auto bytes = info[3].As<Napi::Buffer<char>>();
  return OnIoThread(info.Env(), [user, place = PlaceFrom(user, info[1], info[2]),
                                 text = std::string(bytes.Data(), bytes.Length())] {
    WithRightsOf(user, [&] { Replace(place, text); });
  });
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("lookupUser", Napi::Function::New(env, Guarded<LookupUser>));
  exports.Set("groupNamesOf", Napi::Function::New(env, Guarded<GroupNamesOf>));
  exports.Set("lookupIdentity", Napi::Function::New(env, Guarded<LookupIdentity>));
  exports.Set("readInHome", Napi::Function::New(env, Guarded<ReadInHome>));
  exports.Set("replaceInHome", Napi::Function::New(env, Guarded<ReplaceInHome>));
});

}  // namespace

}  // namespace concierge
