// Facts of block devices and file systems that Node can't ask for off libuv's pool.
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

#include <array>
#include <string>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

// statFileSystem(path) => Promise<{ fragmentSize, blocks, blocksFree, blocksAvailable }>, all BigInt: statvfs(3).
Napi::Value StatFileSystem(const Napi::CallbackInfo& info) {
  return OnIoThread(
      info.Env(),
      [path = SystemString(info[0])] {
        struct statvfs size;
        if (Retry([&] { return statvfs(path.c_str(), &size); }) < 0) throw SystemError("statvfs", path);
        return size;
      },
      [](Napi::Env env, const struct statvfs& size) -> Napi::Value {
        Napi::Object result = Napi::Object::New(env);
        result.Set("fragmentSize", Napi::BigInt::New(env, static_cast<uint64_t>(size.f_frsize)));
        result.Set("blocks", Napi::BigInt::New(env, static_cast<uint64_t>(size.f_blocks)));
        result.Set("blocksFree", Napi::BigInt::New(env, static_cast<uint64_t>(size.f_bfree)));
        result.Set("blocksAvailable", Napi::BigInt::New(env, static_cast<uint64_t>(size.f_bavail)));
        return result;
      });
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
  exports.Set("nvmeSmartLog", Napi::Function::New(env, Guarded<NvmeSmartLog>));
});

}  // namespace

}  // namespace concierge
