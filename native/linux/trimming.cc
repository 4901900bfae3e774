// FITRIM: unused blocks of a file system are given back to the device below.

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <limits>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

// (mountPoint, minimum: bigint) → [trimmed, minimum]
Napi::Value Trim(const Napi::CallbackInfo& info) {
  auto work = [path = SystemString(info[0]), minimum = Uint64(info[1])] {
    const Descriptor root(Retry([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); }));
    if (!root) throw SystemError("open", path);
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
