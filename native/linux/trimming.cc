// SPDX-License-Identifier: Apache-2.0
// FITRIM: unused blocks of a file system are given back to the device below.

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <fstream>
#include <limits>
#include <string>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

// Which mount a descriptor is on: `mnt_id:` of /proc/PID/fdinfo (proc_pid_fdinfo(5), Linux 3.15). 0: not told.
int64_t MountIdOf(const Descriptor& place) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(place.get()));
  std::string name;
  int64_t number = 0;
  while (info >> name >> number) {
    if (name == "mnt_id:") return number;
    info.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

// The mount point's root, on the mount of that number (0: any). Nothing of another file system is opened.
Descriptor OpenMount(const std::string& path, int64_t mount_id) {
  const Descriptor place(Retry([&] { return open(path.c_str(), O_PATH | O_CLOEXEC); }));
  if (!place) throw SystemError("open", path);
  const int64_t found = mount_id == 0 ? 0 : MountIdOf(place);
  if (found != 0 && found != mount_id) throw SystemError(ESTALE, "open", path);
  const std::string again = "/proc/self/fd/" + std::to_string(place.get());
  Descriptor root(Retry([&] { return open(again.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); }));
  if (!root) throw SystemError("open", path);
  return root;
}

// (mountPoint, minimum: bigint, mountId) → [trimmed, minimum]
Napi::Value Trim(const Napi::CallbackInfo& info) {
  auto work = [path = SystemString(info[0]), minimum = Uint64(info[1]), mount_id = info[2].As<Napi::Number>().Int64Value()] {
    const Descriptor root = OpenMount(path, mount_id);
    struct fstrim_range range = {};
    range.len = std::numeric_limits<uint64_t>::max();
    range.minlen = minimum;
    if (ioctl(root.get(), FITRIM, &range) < 0) throw SystemError("ioctl", path);
    return range;
  };
  return OnIoThread(info.Env(), std::move(work), [](Napi::Env env, const struct fstrim_range& range) {
    Napi::Array result = Napi::Array::New(env, 2);
    result.Set(0u, Napi::BigInt::New(env, static_cast<uint64_t>(range.len)));
    result.Set(1u, Napi::BigInt::New(env, static_cast<uint64_t>(range.minlen)));
    return result;
  });
}

const Part part([](Napi::Env env, Napi::Object exports) { exports.Set("trim", Napi::Function::New(env, Guarded<Trim>)); });

}  // namespace

}  // namespace concierge
