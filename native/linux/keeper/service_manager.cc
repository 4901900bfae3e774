// SPDX-License-Identifier: Apache-2.0
#include "service_manager.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "packet.h"

namespace concierge::keeper {
namespace {

// The manager may be busy with others; it is not waited for beyond that.
constexpr int kBarrierMs = 5000;

}  // namespace

void ServiceManager::Find() {
  // A file may lie on a disk that is frozen or dead, and whoever writes to it waits.
  struct stat status;
  speaks_ = fstat(STDERR_FILENO, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode);

  // systemd.service(5), FileDescriptorStoreMax=: said since version 254. Earlier ones (252 was tried) do not let another process
  // become the main one in a service that is being stopped.
  const char* store = getenv("FDSTORE");
  stores_ = store != nullptr && atoi(store) > 0;

  const char* path = getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  const size_t size = strlen(path);
  if (size >= sizeof address_.sun_path) return;
  address_.sun_family = AF_UNIX;
  memcpy(address_.sun_path, path, size);
  if (path[0] == '@') address_.sun_path[0] = '\0';
  length_ = static_cast<unsigned>(offsetof(sockaddr_un, sun_path) + size);
  socket_.Reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

void ServiceManager::Notify(const char* text, size_t size, int descriptor) const {
  if (!socket_) return;
  if (descriptor < 0) {
    sendto(socket_.get(), text, size, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address_), length_);
    return;
  }
  sockaddr_un address = address_;
  iovec part{const_cast<char*>(text), size};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = length_;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  WithDescriptor with(message, descriptor);
  sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
}

// sd_notify(3), BARRIER=1: it closes the descriptor once it has come so far.
bool ServiceManager::Waited() const {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return false;
  const Descriptor reads(ends[0]);
  Descriptor writes(ends[1]);
  constexpr char kBarrier[] = "BARRIER=1";
  Notify(kBarrier, sizeof kBarrier - 1, writes.get());
  writes.Reset();
  pollfd closed{reads.get(), 0, 0};
  return poll(&closed, 1, kBarrierMs) > 0;
}

void ServiceManager::Say(const char* format, ...) const {
  char text[320] = "STATUS=";
  constexpr size_t kPrefix = sizeof "STATUS=" - 1;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text + kPrefix, sizeof text - kPrefix - 1, format, arguments);
  va_end(arguments);
  if (length < 0) return;
  if (static_cast<size_t>(length) > sizeof text - kPrefix - 2) length = sizeof text - kPrefix - 2;
  Notify(text, kPrefix + static_cast<size_t>(length));
  if (!speaks_) return;
  // A pipe with room takes a short line whole.
  pollfd room{STDERR_FILENO, POLLOUT, 0};
  if (poll(&room, 1, 0) <= 0 || (room.revents & POLLOUT) == 0) return;
  char line[sizeof text + 32];
  const int size = snprintf(line, sizeof line, "concierge-keeper: %s\n", text + kPrefix);
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line, static_cast<size_t>(size));
}

}  // namespace concierge::keeper
