// SPDX-License-Identifier: Apache-2.0
#include "service_manager.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace concierge::keeper {

void ServiceManager::Find() {
  // A file may lie on a disk that is frozen or dead, and whoever writes to it waits.
  struct stat status;
  speaks_ = fstat(STDERR_FILENO, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode);

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

void ServiceManager::Notify(const char* text, size_t size) const {
  if (!socket_) return;
  sendto(socket_.get(), text, size, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address_), length_);
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
