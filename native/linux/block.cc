// SPDX-License-Identifier: Apache-2.0
// Facts of block devices and file systems that Node can't ask for off libuv's pool.
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "addon.h"
#include "cached-path.h"
#include "descriptor.h"

namespace concierge {

namespace {

Napi::Object SizeOf(Napi::Env env, const struct statvfs& size) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("fragmentSize", Napi::BigInt::New(env, static_cast<uint64_t>(size.f_frsize)));
  result.Set("blocks", Napi::BigInt::New(env, static_cast<uint64_t>(size.f_blocks)));
  result.Set("blocksFree", Napi::BigInt::New(env, static_cast<uint64_t>(size.f_bfree)));
  result.Set("blocksAvailable", Napi::BigInt::New(env, static_cast<uint64_t>(size.f_bavail)));
  return result;
}

// statFileSystem(path) => Promise<{ fragmentSize, blocks, blocksFree, blocksAvailable }>, all BigInt: statvfs(3).
Napi::Value StatFileSystem(const Napi::CallbackInfo& info) {
  return OnIoThread(
      info.Env(),
      [path = SystemString(info[0])] {
        struct statvfs size;
        if (Retry([&] { return statvfs(path.c_str(), &size); }) < 0) throw SystemError("statvfs", path);
        return size;
      },
      SizeOf);
}

// statFileSystems(paths) => Promise<(size | undefined)[]>: the same one after the other.
Napi::Value StatFileSystems(const Napi::CallbackInfo& info) {
  const auto given = info[0].As<Napi::Array>();
  std::vector<std::string> paths;
  for (uint32_t index = 0; index < given.Length(); index++) paths.push_back(SystemString(given.Get(index)));
  return OnIoThread(
      info.Env(),
      [paths = std::move(paths)] {
        std::vector<std::optional<struct statvfs>> sizes;
        for (const std::string& path : paths) {
          struct statvfs size;
          const bool known = Retry([&] { return statvfs(path.c_str(), &size); }) == 0;
          sizes.push_back(known ? std::optional(size) : std::nullopt);
        }
        return sizes;
      },
      [](Napi::Env env, const std::vector<std::optional<struct statvfs>>& sizes) -> Napi::Value {
        Napi::Array result = Napi::Array::New(env, sizes.size());
        for (uint32_t index = 0; index < sizes.size(); index++) {
          if (sizes[index].has_value()) result.Set(index, SizeOf(env, *sizes[index]));
        }
        return result;
      });
}

// fileSystemSizeNow(path) => the same at once, or undefined where the way to the file system is not in memory. Only for
// file systems that tell their size from memory.
Napi::Value FileSystemSizeNow(const Napi::CallbackInfo& info) {
  const Descriptor root = OpenCachedPath(SystemString(info[0]).c_str());
  struct statvfs size;
  if (!root || Retry([&] { return fstatvfs(root.get(), &size); }) < 0) return info.Env().Undefined();
  return SizeOf(info.Env(), size);
}

// nvmeSmartLog(node, timeoutMs) => Promise<Buffer> of 512 bytes: Get Log Page 0x02 of the controller, without clearing
// the asynchronous event that announced it.
Napi::Value NvmeSmartLog(const Napi::CallbackInfo& info) {
  using Page = std::array<uint8_t, 512>;
  return OnIoThread(
      info.Env(),
      [path = SystemString(info[0]), timeout = info[1].As<Napi::Number>().Uint32Value()] {
        const Descriptor device(Retry([&] { return open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }));
        if (!device) throw SystemError("open", path);
        Page page{};
        struct nvme_admin_cmd command = {};
        command.opcode = 0x02;
        command.nsid = 0xFFFFFFFF;
        command.addr = reinterpret_cast<uintptr_t>(page.data());
        command.data_len = page.size();
        // Log page 0x02, "retain asynchronous event", and the length in words less one.
        command.cdw10 = 0x02 | (1u << 15) | ((page.size() / 4 - 1) << 16);
        command.timeout_ms = timeout;
        // A positive answer is a status of the device.
        const int status = Retry([&] { return ioctl(device.get(), NVME_IOCTL_ADMIN_CMD, &command); });
        if (status < 0) throw SystemError("ioctl", path);
        if (status > 0) throw SystemError(EIO, "ioctl", path);
        return page;
      },
      [](Napi::Env env, const Page& page) -> Napi::Value {
        return Napi::Buffer<uint8_t>::Copy(env, page.data(), page.size());
      });
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("statFileSystem", Napi::Function::New(env, Guarded<StatFileSystem>));
  exports.Set("statFileSystems", Napi::Function::New(env, Guarded<StatFileSystems>));
  exports.Set("fileSystemSizeNow", Napi::Function::New(env, Guarded<FileSystemSizeNow>));
  exports.Set("nvmeSmartLog", Napi::Function::New(env, Guarded<NvmeSmartLog>));
});

}  // namespace

}  // namespace concierge
