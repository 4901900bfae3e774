// SPDX-License-Identifier: Apache-2.0
// What lies on the way to a place that the agent trusts, as facts: adapters/shared/trust judges them.

#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <string>
#include <vector>

#include "addon.h"
#include "path-walk.h"

// Not in the oldest headers that this is built with.
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

namespace concierge {

namespace {

struct Seen {
  PathStep step;
  bool has_access_list;
  // Whose files are whoever's the program says that has mounted it.
  bool is_fuse;
};

struct Way {
  std::vector<Seen> seen;
  PathWalk walk;
};

// Where there is an access list, the bits of the group are its mask: they stand for everybody whom it names (acl(5)).
bool HasAccessList(const Descriptor& opened, const struct stat& status) {
  if (S_ISLNK(status.st_mode) || (status.st_mode & S_IWGRP) == 0) return false;
  // Not fgetxattr: it refuses a descriptor of O_PATH.
  const std::string path = "/proc/self/fd/" + std::to_string(opened.get());
  if (getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) >= 0) return true;
  return errno != ENODATA && errno != EOPNOTSUPP;
}

// Asking may fail where a program answers: then it is one, for all that is known.
bool IsFuse(const Descriptor& opened) {
  struct statfs status;
  return fstatfs(opened.get(), &status) < 0 || status.f_type == FUSE_SUPER_MAGIC;
}

Way Walk(const std::string& path) {
  Way way;
  way.walk = WalkPath(path, false, [&way](const Descriptor& opened, PathStep step) {
    const bool has_access_list = HasAccessList(opened, step.status);
    const Seen* last = way.seen.empty() ? nullptr : &way.seen.back();
    const bool is_fuse = last != nullptr && last->step.status.st_dev == step.status.st_dev ? last->is_fuse : IsFuse(opened);
    way.seen.push_back({std::move(step), has_access_list, is_fuse});
  });
  return way;
}

Napi::Object ToJavaScript(Napi::Env env, Way& way) {
  Napi::Array steps = Napi::Array::New(env, way.seen.size());
  for (uint32_t index = 0; index < way.seen.size(); index++) {
    const auto& [step, has_access_list, is_fuse] = way.seen[index];
    Napi::Object object = Napi::Object::New(env);
    object.Set("path", step.path);
    object.Set("uid", Napi::Number::New(env, step.status.st_uid));
    object.Set("gid", Napi::Number::New(env, step.status.st_gid));
    object.Set("mode", Napi::Number::New(env, step.status.st_mode));
    object.Set("names", Napi::Number::New(env, static_cast<double>(step.status.st_nlink)));
    object.Set("accessList", Napi::Boolean::New(env, has_access_list));
    if (is_fuse) object.Set("fuse", std::to_string(major(step.status.st_dev)) + ":" + std::to_string(minor(step.status.st_dev)));
    steps.Set(index, object);
  }
  Napi::Array missing = Napi::Array::New(env, way.walk.missing.size());
  for (uint32_t index = 0; index < way.walk.missing.size(); index++) missing.Set(index, way.walk.missing[index]);
  Napi::Object result = Napi::Object::New(env);
  result.Set("steps", steps);
  result.Set("missing", missing);
  result.Set("name", way.walk.name);
  result.Set("errno", Napi::Number::New(env, way.walk.error));
  result.Set("directory", Napi::Number::New(env, way.walk.directory.Release()));
  result.Set("named", way.walk.named);
  result.Set("namedIn", Napi::Number::New(env, way.walk.named_in.Release()));
  result.Set("place", Napi::Number::New(env, way.walk.place.Release()));
  return result;
}

// (path) → { steps, missing, name, errno, directory, named, namedIn, place }; the descriptors are the caller's to close, −1 for
// none.
Napi::Value WalkNow(const Napi::CallbackInfo& info) {
  Way way = Walk(SystemString(info[0]));
  return ToJavaScript(info.Env(), way);
}

// The same as a promise, for a path that may lie on a disk that hangs.
Napi::Value WalkAside(const Napi::CallbackInfo& info) {
  return OnIoThread(info.Env(), [path = SystemString(info[0])] { return Walk(path); },
                    [](Napi::Env env, Way& way) -> Napi::Value { return ToJavaScript(env, way); });
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("walkPath", Napi::Function::New(env, Guarded<WalkNow>));
  exports.Set("walkPathAside", Napi::Function::New(env, Guarded<WalkAside>));
});

}  // namespace

}  // namespace concierge
