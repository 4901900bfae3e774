// SPDX-License-Identifier: Apache-2.0
// The page in which a hypervisor tells of its clock (VMClock): looked at without a system call.

#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <iterator>
#include <optional>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

// struct vmclock_abi of linux/vmclock-abi.h, which is younger than the headers that this is built with.
struct Page {
  uint32_t magic;
  uint32_t size;
  uint8_t constants[4];
  uint32_t seq_count;
  uint64_t disruption_marker;
  uint64_t flags;
  uint8_t unused[72];
  uint64_t vm_generation_counter;
};
static_assert(offsetof(Page, seq_count) == 12 && offsetof(Page, flags) == 24 && offsetof(Page, vm_generation_counter) == 104);

constexpr size_t kPageSize = 4096;
constexpr uint32_t kMagic = 0x4b4c4356;  // "VCLK"
constexpr uint64_t kGenerationCounterPresent = 1 << 8;
constexpr uint64_t kNotificationPresent = 1 << 9;
// A page that is being written: the hypervisor needs a microsecond for that.
constexpr int kTries = 1000;

// What `look` answers.
constexpr int kSame = 0;
constexpr int kDisruption = 1;
constexpr int kGeneration = 2;

struct Marks {
  uint64_t disruption;
  uint64_t flags;
  uint64_t generation;
};

// `new VmclockPage(fd, since?)`, which keeps no descriptor; `since` are marks of an earlier one. Throws EINVAL for what is none.
class VmclockPage final : public Napi::ObjectWrap<VmclockPage> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "VmclockPage",
                       {InstanceMethod<&VmclockPage::Look>("look"), InstanceMethod<&VmclockPage::MarksSeen>("marks"), InstanceMethod<&VmclockPage::Notifies>("notifies"),
                        InstanceMethod<&VmclockPage::Close>("close")});
  }

  explicit VmclockPage(const Napi::CallbackInfo& info) : Napi::ObjectWrap<VmclockPage>(info) {
    void* mapped = mmap(nullptr, kPageSize, PROT_READ, MAP_SHARED, info[0].As<Napi::Number>().Int32Value(), 0);
    if (mapped == MAP_FAILED) throw SystemError("mmap").ToJavaScript(info.Env());
    page_ = static_cast<const volatile Page*>(mapped);
    const std::optional<Marks> marks = Read();
    if (le32toh(page_->magic) == kMagic && le32toh(page_->size) >= sizeof(Page) && marks) {
      last_ = *marks;
      if (info[1].IsArray()) last_ = MarksOf(info[1].As<Napi::Array>());
      return;
    }
    Unmap();
    throw SystemError(EINVAL, "mmap").ToJavaScript(info.Env());
  }

  ~VmclockPage() override { Unmap(); }

 private:
  // What has changed since it was looked at last.
  Napi::Value Look(const Napi::CallbackInfo& info) {
    int news = kSame;
    if (page_ != nullptr) {
      const std::optional<Marks> now = Read();
      if (now) {
        const bool counts = (now->flags & last_.flags & kGenerationCounterPresent) != 0;
        if (counts && now->generation != last_.generation) {
          news = kGeneration;
        } else if (now->disruption != last_.disruption) {
          news = kDisruption;
        }
        last_ = *now;
      }
    }
    return Napi::Number::New(info.Env(), news);
  }

  // [disruption marker, flags, generation counter] of the last look.
  Napi::Value MarksSeen(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const uint64_t values[] = {last_.disruption, last_.flags, last_.generation};
    Napi::Array marks = Napi::Array::New(env, std::size(values));
    for (uint32_t index = 0; index < std::size(values); index++) marks.Set(index, Napi::BigInt::New(env, values[index]));
    return marks;
  }

  static Marks MarksOf(const Napi::Array& given) {
    const auto value = [&](uint32_t index) {
      bool lossless;
      return given.Get(index).As<Napi::BigInt>().Uint64Value(&lossless);
    };
    return {value(0), value(1), value(2)};
  }

  // Whether a descriptor of it becomes readable when it changes.
  Napi::Value Notifies(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), (last_.flags & kNotificationPresent) != 0); }

  void Close(const Napi::CallbackInfo&) { Unmap(); }

  void Unmap() {
    if (page_ != nullptr) munmap(const_cast<Page*>(page_), kPageSize);
    page_ = nullptr;
  }

  // All of one moment: the count is odd while the page is being written.
  std::optional<Marks> Read() const {
    for (int tries = 0; tries < kTries; tries++) {
      const uint32_t before = le32toh(page_->seq_count);
      std::atomic_thread_fence(std::memory_order_acquire);
      const Marks marks = {le64toh(page_->disruption_marker), le64toh(page_->flags), le64toh(page_->vm_generation_counter)};
      std::atomic_thread_fence(std::memory_order_acquire);
      if ((before & 1) == 0 && le32toh(page_->seq_count) == before) return marks;
    }
    return std::nullopt;
  }

  const volatile Page* page_ = nullptr;
  Marks last_{};
};

// (path) → a descriptor of the device.
Napi::Value OpenVmclock(const Napi::CallbackInfo& info) {
  const std::string path = SystemString(info[0]);
  Descriptor device(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!device) throw SystemError("open", path);
  return Napi::Number::New(info.Env(), device.Release());
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("openVmclock", Napi::Function::New(env, Guarded<OpenVmclock>));
  exports.Set("VmclockPage", VmclockPage::Define(env));
});

}  // namespace

}  // namespace concierge
