// SPDX-License-Identifier: Apache-2.0
// Listening sockets: a Unix socket or AF_VSOCK, bound here or handed over by a service manager.

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

// Older headers of the kernel rely on sys/socket.h having been read.
#include <linux/vm_sockets.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

struct UnixAddress {
  sockaddr_un address{};
  socklen_t length;

  // The whole field may be used: the kernel needs no terminating NUL.
  explicit UnixAddress(const std::string& path) : length(static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size())) {
    if (path.size() > sizeof(address.sun_path)) throw SystemError(ENAMETOOLONG, "bind", path);
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path.data(), path.size());
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

Descriptor StreamSocket(int family) {
  Descriptor descriptor(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!descriptor) throw SystemError("socket");
  return descriptor;
}

// A client of a Unix socket that is busy with what it has got finds more when it looks again: half a piece of a copied file
// (the kernel takes it twice, for its own bookkeeping), where the default is a tenth. Costs nothing while nothing is sent.
constexpr int kSendBuffer = 512 * 1024;

void EnlargeSendBuffer(int fd) {
  // Beyond net.core.wmem_max for root alone; for others up to it.
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof(kSendBuffer)) == 0) return;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof(kSendBuffer));
}

ucred PeerCredentials(int fd) {
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return {};
  return credentials;
}

// Eight hexadecimal digits that nobody can have taken beforehand.
std::string RandomSuffix() {
  unsigned char random[4];
  if (getrandom(random, sizeof random, 0) != static_cast<ssize_t>(sizeof random)) throw SystemError("getrandom");
  char text[2 * sizeof random + 1];
  snprintf(text, sizeof text, "%02x%02x%02x%02x", random[0], random[1], random[2], random[3]);
  return text;
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A socket that listens at `name`. bind(2) gives the file the mode of the socket's own inode (less the umask), so that it
// never exists with another.
Descriptor ListenAt(const std::string& name, const std::string& path, mode_t mode, int backlog) {
  const UnixAddress address(name);
  Descriptor listener = StreamSocket(AF_UNIX);
  if (fchmod(listener.get(), mode) < 0) throw SystemError("fchmod", path);
  if (bind(listener.get(), address.get(), address.length) < 0) throw SystemError("bind", path);
  if (listen(listener.get(), backlog) < 0) {
    const int error = errno;
    unlink(name.c_str());
    throw SystemError(error, "listen", path);
  }
  return listener;
}

// rename(2) that replaces nothing, where the file system can do that; else a hard link in two steps. 0 or an errno.
int MoveWithoutReplacing(const std::string& from, const std::string& to) {
  if (syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (link(from.c_str(), to.c_str()) < 0) return errno;
  unlink(from.c_str());
  return 0;
}

// listenUnix(path, mode, backlog): a descriptor. Between bind(2) and listen(2) a socket refuses whoever finds it, and looks
// like one that its process has left behind: so it listens under another name in the same directory before it gets its own.
Napi::Value ListenUnix(const Napi::CallbackInfo& info) {
  const std::string path = SystemString(info[0]);
  const mode_t mode = info[1].As<Napi::Number>().Uint32Value();
  const int backlog = info[2].As<Napi::Number>().Int32Value();
  // That there is room for the path itself.
  const UnixAddress address(path);
  const std::string suffix = "." + RandomSuffix();
  std::string first = path + suffix;
  Descriptor directory;
  if (first.size() > sizeof(address.address.sun_path)) {
    // By its descriptor the directory has a short name.
    directory = Descriptor(open(DirectoryOf(path).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) throw SystemError("bind", path);
    first = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + suffix;
    // Without /proc it has none.
    if (access(first.substr(0, first.size() - suffix.size()).c_str(), F_OK) < 0) {
      return Napi::Number::New(info.Env(), ListenAt(path, path, mode, backlog).Release());
    }
  }
  Descriptor listener = ListenAt(first, path, mode, backlog);
  const int error = MoveWithoutReplacing(first, path);
  if (error == 0) return Napi::Number::New(info.Env(), listener.Release());
  unlink(first.c_str());
  if (error == EEXIST) throw SystemError(EADDRINUSE, "bind", path);
  // A file system that can neither rename so nor link.
  listener = ListenAt(path, path, mode, backlog);
  return Napi::Number::New(info.Env(), listener.Release());
}

// probeUnix(path): process id of whoever listens there, 0 where it cannot be told; throws what connect(2) says.
Napi::Value ProbeUnix(const Napi::CallbackInfo& info) {
  const std::string path = SystemString(info[0]);
  const UnixAddress address(path);
  const Descriptor client = StreamSocket(AF_UNIX);
  // EAGAIN: somebody listens, and has a full queue.
  if (connect(client.get(), address.get(), address.length) < 0 && errno != EAGAIN) throw SystemError("connect", path);
  return Napi::Number::New(info.Env(), PeerCredentials(client.get()).pid);
}

// listenVsock(cid, port, backlog): a descriptor.
Napi::Value ListenVsock(const Napi::CallbackInfo& info) {
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = info[0].As<Napi::Number>().Uint32Value();
  address.svm_port = info[1].As<Napi::Number>().Uint32Value();
  Descriptor listener = StreamSocket(AF_VSOCK);
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) throw SystemError("bind");
  if (listen(listener.get(), info[2].As<Napi::Number>().Int32Value()) < 0) throw SystemError("listen");
  return Napi::Number::New(info.Env(), listener.Release());
}

// describeSocket(fd): {family, listening, path?, cid?, port?}.
Napi::Value DescribeSocket(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  union {
    sockaddr any;
    sockaddr_un un;
    sockaddr_vm vm;
    sockaddr_storage storage;
  } address{};
  socklen_t length = sizeof(address);
  if (getsockname(fd, &address.any, &length) < 0) throw SystemError("getsockname");
  int listening = 0;
  socklen_t size = sizeof(listening);
  getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);

  const Napi::Env env = info.Env();
  Napi::Object description = Napi::Object::New(env);
  description.Set("listening", Napi::Boolean::New(env, listening != 0));
  const char* family = "other";
  if (address.any.sa_family == AF_UNIX) {
    family = "unix";
    const size_t path = length - offsetof(sockaddr_un, sun_path);
    description.Set("path", Napi::String::New(env, address.un.sun_path, strnlen(address.un.sun_path, path)));
  } else if (address.any.sa_family == AF_VSOCK) {
    family = "vsock";
    description.Set("cid", Napi::Number::New(env, address.vm.svm_cid));
    description.Set("port", Napi::Number::New(env, address.vm.svm_port));
  }
  description.Set("family", Napi::String::New(env, family));
  return description;
}

// setCloseOnExec(fd): also makes it non-blocking. For descriptors that came with the process.
Napi::Value SetCloseOnExec(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) throw SystemError("fcntl");
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) throw SystemError("fcntl");
  return info.Env().Undefined();
}

// `new Listener(fd, onAccept)`; owns `fd`. `onAccept(fd, peer, detail)`: process and user id on a Unix socket, CID and port
// on vsock; a negative `fd` is the errno of accept4(2). While it is paused, clients wait in the socket's queue.
class Listener final : public Napi::ObjectWrap<Listener> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Listener",
                       {InstanceMethod<&Listener::Pause>("pause"), InstanceMethod<&Listener::Resume>("resume"),
                        InstanceMethod<&Listener::Close>("close")});
  }

  explicit Listener(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Listener>(info),
        handles_(AddonData::Of(info.Env()).handles),
        fd_(info[0].As<Napi::Number>().Int32Value()),
        on_accept_(Napi::Persistent(info[1].As<Napi::Function>())) {
    auto poll = std::make_unique<uv_poll_t>();
    const int status = uv_poll_init(handles_->loop(), poll.get(), fd_.get());
    if (status < 0) throw SystemError(-status, "epoll_ctl").ToJavaScript(info.Env());
    poll_ = OwnedHandle<uv_poll_t>(handles_, poll.release());
    poll_.get()->data = this;
    Ref();
    registration_ = handles_->OnEnd([this] {
      poll_.Close();
      fd_.Reset();
    });
    Watch();
  }

  ~Listener() override {
    if (fd_) handles_->Forget(registration_);
  }

 private:
  void Watch() {
    uv_poll_start(poll_.get(), UV_READABLE,
                  [](uv_poll_t* handle, int, int) { static_cast<Listener*>(handle->data)->Accept(); });
  }

  // One at a time: the rest is still there in the loop's next turn.
  void Accept() {
    sockaddr_vm address{};
    socklen_t length = sizeof(address);
    const int fd = Retry([&] {
      return accept4(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    });
    if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED)) return;
    const int error = errno;
    double peer = 0;
    double detail = 0;
    if (fd >= 0 && address.svm_family == AF_VSOCK) {
      peer = address.svm_cid;
      detail = address.svm_port;
    } else if (fd >= 0) {
      const ucred credentials = PeerCredentials(fd);
      peer = credentials.pid;
      detail = credentials.uid;
      EnlargeSendBuffer(fd);
    }
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    const napi_value arguments[] = {Napi::Number::New(env, fd >= 0 ? fd : -error), Napi::Number::New(env, peer),
                                    Napi::Number::New(env, detail)};
    napi_value result;
    if (napi_make_callback(env, nullptr, Value(), on_accept_.Value(), 3, arguments, &result) == napi_pending_exception) {
      napi_value exception;
      if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
    }
  }

  Napi::Value Pause(const Napi::CallbackInfo& info) {
    if (fd_) uv_poll_stop(poll_.get());
    return info.Env().Undefined();
  }

  Napi::Value Resume(const Napi::CallbackInfo& info) {
    if (fd_) Watch();
    return info.Env().Undefined();
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    if (fd_) {
      poll_.Close();
      fd_.Reset();
      on_accept_.Reset();
      handles_->Forget(registration_);
      Unref();
    }
    return info.Env().Undefined();
  }

  const std::shared_ptr<LoopHandles> handles_;
  LoopHandles::Registration registration_;
  Descriptor fd_;
  OwnedHandle<uv_poll_t> poll_;
  Napi::FunctionReference on_accept_;
};

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("Listener", Listener::Define(env));
  exports.Set("listenUnix", Napi::Function::New(env, Guarded<ListenUnix>));
  exports.Set("probeUnix", Napi::Function::New(env, Guarded<ProbeUnix>));
  exports.Set("listenVsock", Napi::Function::New(env, Guarded<ListenVsock>));
  exports.Set("describeSocket", Napi::Function::New(env, Guarded<DescribeSocket>));
  exports.Set("setCloseOnExec", Napi::Function::New(env, Guarded<SetCloseOnExec>));
});

}  // namespace

}  // namespace concierge
