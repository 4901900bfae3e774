// SPDX-License-Identifier: Apache-2.0
// What a service of its own needs of the system: a lock that ends with the process, a name in lists of processes, a datagram
// to syslog or to the service manager, a stream to a process that is known by its number, and an end that waits for nobody.

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

// (fd, outlives) → undefined: a write lock on the whole file, as qemu-ga takes on its pid file. One that outlives the process
// belongs to the open file description, and to whoever else holds that.
Napi::Value LockFile(const Napi::CallbackInfo& info) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const int command = info[1].ToBoolean() ? F_OFD_SETLK : F_SETLK;
  if (fcntl(info[0].As<Napi::Number>().Int32Value(), command, &lock) < 0) throw SystemError("fcntl");
  return info.Env().Undefined();
}

// (path, bytes) → undefined. A path that begins with '@' is abstract. Never waits: a full queue is EAGAIN.
Napi::Value SendDatagram(const Napi::CallbackInfo& info) {
  const std::string path = SystemString(info[0]);
  const auto bytes = info[1].As<Napi::Uint8Array>();
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw SystemError(ENAMETOOLONG, "sendto", path);
  std::memcpy(address.sun_path, path.data(), path.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + path.size());

  const Descriptor socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) throw SystemError("socket", path);
  const auto sent = Retry([&] {
    return sendto(socket_.get(), bytes.Data(), bytes.ByteLength(), MSG_NOSIGNAL, reinterpret_cast<struct sockaddr*>(&address), length);
  });
  if (sent < 0) throw SystemError("sendto", path);
  return info.Env().Undefined();
}

// (path) → { fd, pid, uid }: a stream to who listens at a path, and who that was when it began to listen (SO_PEERCRED,
// unix(7)). Never waits: a full queue is EAGAIN.
Napi::Value ConnectToPeer(const Napi::CallbackInfo& info) {
  const std::string path = SystemString(info[0]);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw SystemError(ENAMETOOLONG, "connect", path);
  std::memcpy(address.sun_path, path.data(), path.size());
  Descriptor stream(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!stream) throw SystemError("socket", path);
  if (Retry([&] { return connect(stream.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address); }) < 0) throw SystemError("connect", path);
  struct ucred peer = {};
  socklen_t size = sizeof peer;
  if (getsockopt(stream.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) throw SystemError("getsockopt", path);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("pid", Napi::Number::New(info.Env(), peer.pid));
  result.Set("uid", Napi::Number::New(info.Env(), peer.uid));
  result.Set("fd", Napi::Number::New(info.Env(), stream.Release()));
  return result;
}

// (name) → undefined. The calling thread is the first one, whose name is that of the process.
Napi::Value NameProcess(const Napi::CallbackInfo& info) {
  prctl(PR_SET_NAME, SystemString(info[0]).c_str());
  return info.Env().Undefined();
}

// (status): ends the process at once. exit(3) would wait for threads of the pool that a dead disk holds.
Napi::Value ExitNow(const Napi::CallbackInfo& info) { _exit(info[0].As<Napi::Number>().Int32Value()); }

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("lockFile", Napi::Function::New(env, Guarded<LockFile>));
  exports.Set("sendDatagram", Napi::Function::New(env, Guarded<SendDatagram>));
  exports.Set("connectToPeer", Napi::Function::New(env, Guarded<ConnectToPeer>));
  exports.Set("nameProcess", Napi::Function::New(env, Guarded<NameProcess>));
  exports.Set("exitNow", Napi::Function::New(env, ExitNow));
});

}  // namespace

}  // namespace concierge
