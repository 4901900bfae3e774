// SPDX-License-Identifier: Apache-2.0
// What the kernel tells by itself: of its devices (kobject uevents) by a netlink socket, in its log, and of the page of a VMClock; all in
// the event loop of everything else.

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

// UEVENT_BUFFER_SIZE and the header of the kernel are less.
constexpr size_t kLongestMessage = 8 * 1024;
// A module of memory is added as hundreds of blocks, a message each, and an agent that sleeps takes a tenth of a second to wake. Only what
// waits takes memory.
constexpr int kQueue = 16 * 1024 * 1024;
// The kernel's own group; udev sends to another.
constexpr uint32_t kKernelGroup = 1;

constexpr uint32_t Word(const char (&text)[5]) {
  return static_cast<uint32_t>(text[0]) << 24 | static_cast<uint32_t>(text[1]) << 16 | static_cast<uint32_t>(text[2]) << 8 |
         static_cast<uint32_t>(text[3]);
}

constexpr sock_filter Load(uint32_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }
constexpr sock_filter IfEqual(const char (&text)[5], uint8_t then, uint8_t otherwise) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, Word(text), then, otherwise);
}
constexpr sock_filter Answer(uint32_t length) { return BPF_STMT(BPF_RET | BPF_K, length); }

// A message begins `ACTION@/devices/…`. What nobody here wants wakes nobody: that is sorted out by the kernel. Wanted are
// changes of devices that are not virtual (those are disks of device-mapper, loop devices and the like, which change all day), where
// a generation is told of, and processors and memory that are added.
constexpr std::array kWanted = {
    Load(0),                    // 0
    IfEqual("chan", 0, 5),      // 1: else 7
    Load(4),                    // 2
    IfEqual("ge@/", 0, 11),     // 3: else 15
    Load(16),                   // 4
    IfEqual("virt", 9, 0),      // 5: then 15
    Answer(kLongestMessage),    // 6
    IfEqual("add@", 0, 7),      // 7: else 15
    Load(12),                   // 8
    IfEqual("/sys", 0, 5),      // 9: else 15
    Load(20),                   // 10
    IfEqual("memo", 2, 0),      // 11: then 14
    IfEqual("cpu/", 1, 0),      // 12: then 14
    Answer(0),                  // 13
    Answer(kLongestMessage),    // 14
    Answer(0),                  // 15
};

// openUevents(): a descriptor that hears of them from now on.
Napi::Value OpenUevents(const Napi::CallbackInfo& info) {
  Descriptor netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  if (!netlink) throw SystemError("socket");
  auto filter = kWanted;
  const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
  if (setsockopt(netlink.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0) throw SystemError("setsockopt");
  // Beyond the limit for all of net.core.rmem_max, or else up to it.
  if (setsockopt(netlink.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kQueue, sizeof kQueue) < 0) setsockopt(netlink.get(), SOL_SOCKET, SO_RCVBUF, &kQueue, sizeof kQueue);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelGroup;
  if (bind(netlink.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) throw SystemError("bind");
  return Napi::Number::New(info.Env(), netlink.Release());
}

// openKernelLog(): a descriptor of /dev/kmsg that reads what is said from now on.
Napi::Value OpenKernelLog(const Napi::CallbackInfo& info) {
  Descriptor log(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!log) throw SystemError("open", "/dev/kmsg");
  if (lseek(log.get(), 0, SEEK_END) < 0) throw SystemError("lseek", "/dev/kmsg");
  return Napi::Number::New(info.Env(), log.Release());
}

// Reads a descriptor of the kernel's in the loop, which it does not keep alive. Owns the descriptor.
template <class Reader>
class KernelReader : public Napi::ObjectWrap<Reader> {
 public:
  explicit KernelReader(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Reader>(info),
        handles_(AddonData::Of(info.Env()).handles),
        fd_(info[0].As<Napi::Number>().Int32Value()),
        listener_(Napi::Persistent(info[1].As<Napi::Function>())) {
    auto poll = std::make_unique<uv_poll_t>();
    const int status = uv_poll_init(handles_->loop(), poll.get(), fd_.get());
    if (status < 0) throw SystemError(-status, "epoll_ctl").ToJavaScript(info.Env());
    poll_ = OwnedHandle<uv_poll_t>(handles_, poll.release());
    poll_.get()->data = this;
    uv_unref(reinterpret_cast<uv_handle_t*>(poll_.get()));
    this->Ref();
    registration_ = handles_->OnEnd([this] {
      poll_.Close();
      fd_.Reset();
    });
    Watch();
  }

  ~KernelReader() override {
    if (fd_) handles_->Forget(registration_);
  }

  Napi::Value CloseIt(const Napi::CallbackInfo& info) {
    if (fd_) {
      poll_.Close();
      fd_.Reset();
      listener_.Reset();
      handles_->Forget(registration_);
      this->Unref();
    }
    return info.Env().Undefined();
  }

 protected:
  int fd() const { return fd_.get(); }

  void Tell(std::string_view bytes) {
    const Napi::Env env = this->Env();
    const Napi::HandleScope scope(env);
    const napi_value arguments[] = {Napi::Buffer<char>::Copy(env, bytes.data(), bytes.size())};
    napi_value result;
    if (napi_make_callback(env, nullptr, this->Value(), listener_.Value(), 1, arguments, &result) == napi_pending_exception) {
      napi_value exception;
      if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
    }
  }

  // After a read that answered `count`: whether there is more to come. ENOBUFS of a socket and EPIPE of the log say that some are lost.
  static bool IsAlive(ssize_t count) { return count > 0 || (count < 0 && (WouldBlock(errno) || errno == ENOBUFS || errno == EPIPE)); }
  static bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

 private:
  void Watch() {
    if (!fd_) return;
    uv_poll_start(poll_.get(), UV_READABLE, [](uv_poll_t* handle, int status, int) { static_cast<KernelReader*>(handle->data)->OnPoll(status); });
  }

  // Where messages were lost the descriptor reports an error, and libuv watches it no more. The read has taken that report.
  void OnPoll(int status) {
    const Napi::HandleScope scope(this->Env());
    [[maybe_unused]] const Napi::Value self = this->Value();  // not collected before this has returned
    const bool is_alive = static_cast<Reader*>(this)->Receive();
    if (status < 0 && is_alive) Watch();
  }

  const std::shared_ptr<LoopHandles> handles_;
  LoopHandles::Registration registration_;
  Descriptor fd_;
  OwnedHandle<uv_poll_t> poll_;
  Napi::FunctionReference listener_;
};

// `new UeventReader(fd, onMessage)`: `onMessage(bytes)`, one message of the kernel, words with a zero byte behind each.
class UeventReader final : public KernelReader<UeventReader> {
 public:
  using KernelReader::KernelReader;
  Napi::Value Close(const Napi::CallbackInfo& info) { return CloseIt(info); }
  static Napi::Function Define(Napi::Env env) { return DefineClass(env, "UeventReader", {InstanceMethod<&UeventReader::Close>("close")}); }

  // One at a time: the rest is still there in the loop's next turn. Answers whether there may be more.
  bool Receive() {
    std::array<char, kLongestMessage> bytes;
    sockaddr_nl sender{};
    iovec part = {bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t count = Retry([&] { return recvmsg(fd(), &message, 0); });
    if (count <= 0) return IsAlive(count);
    // The kernel alone has the number 0; a program may send to the group, too, if it is root's.
    if ((message.msg_flags & MSG_TRUNC) == 0 && sender.nl_pid == 0) Tell({bytes.data(), static_cast<size_t>(count)});
    return true;
  }
};

// What the kernel says when the vmgenid driver has stirred its randomness (add_vmfork_randomness).
constexpr std::string_view kFork = "crng reseeded due to virtual machine fork";

// `new KernelLogReader(fd, onMatch)`: `onMatch(record)` for each record of the kernel's own about a fork of this machine. All others stay here.
class KernelLogReader final : public KernelReader<KernelLogReader> {
 public:
  using KernelReader::KernelReader;
  Napi::Value Close(const Napi::CallbackInfo& info) { return CloseIt(info); }
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "KernelLogReader", {InstanceMethod<&KernelLogReader::Close>("close")});
  }

  // So many at once: the rest is still there in the loop's next turn. A read gives one record, and EPIPE once for those that are lost.
  bool Receive() {
    std::array<char, kLongestMessage> bytes;
    for (int records = 0; records < 64; records++) {
      const ssize_t count = Retry([&] { return read(fd(), bytes.data(), bytes.size()); });
      if (count < 0 && errno == EPIPE) continue;
      if (count <= 0) return IsAlive(count);
      const std::string_view record(bytes.data(), static_cast<size_t>(count));
      if (!IsOfKernel(record) || record.find(kFork) == std::string_view::npos) continue;
      Tell(record);
      break;
    }
    return true;
  }

 private:
  // `PRIORITY,SEQUENCE,TIME,FLAGS;TEXT`: facility 0, above the three bits of the level, is given to nobody else.
  static bool IsOfKernel(std::string_view record) { return record.size() > 1 && record[0] >= '0' && record[0] <= '7' && record[1] == ','; }
};

// `new VmclockReader(fd, onNews)`: `onNews()` each time that the hypervisor says that the page of its clock has changed.
class VmclockReader final : public KernelReader<VmclockReader> {
 public:
  using KernelReader::KernelReader;
  Napi::Value Close(const Napi::CallbackInfo& info) { return CloseIt(info); }
  static Napi::Function Define(Napi::Env env) { return DefineClass(env, "VmclockReader", {InstanceMethod<&VmclockReader::Close>("close")}); }

  // The driver tells of a page as long as it has not been read as it is now.
  bool Receive() {
    std::array<char, 4096> page;
    const ssize_t count = Retry([&] { return pread(fd(), page.data(), page.size(), 0); });
    if (count > 0) Tell({});
    return IsAlive(count);
  }
};

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("openUevents", Napi::Function::New(env, Guarded<OpenUevents>));
  exports.Set("UeventReader", UeventReader::Define(env));
  exports.Set("VmclockReader", VmclockReader::Define(env));
  exports.Set("openKernelLog", Napi::Function::New(env, Guarded<OpenKernelLog>));
  exports.Set("KernelLogReader", KernelLogReader::Define(env));
});

}  // namespace

}  // namespace concierge
