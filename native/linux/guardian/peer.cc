// SPDX-License-Identifier: Apache-2.0
#include "peer.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace concierge::guardian {
namespace {

constexpr size_t kLongestLine = 512;

}  // namespace

bool Peer::Attach(Descriptor socket, size_t capacity) {
  if (capacity > out_capacity_) {
    char* grown = static_cast<char*>(realloc(out_, capacity));
    if (grown == nullptr) return false;
    out_ = grown;
    out_capacity_ = capacity;
  }
  if (socket) {
    socket_ = std::move(socket);
    out_size_ = in_start_ = in_size_ = 0;
  }
  return true;
}

void Peer::Close() {
  socket_.Reset();
  out_size_ = 0;
}

void Peer::Say(const char* format, ...) {
  if (!socket_) return;
  char line[kLongestLine];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length <= 0 || static_cast<size_t>(length) >= sizeof line) return;
  if (out_size_ + static_cast<size_t>(length) > out_capacity_) return;
  memcpy(out_ + out_size_, line, static_cast<size_t>(length));
  out_size_ += static_cast<size_t>(length);
}

void Peer::Write() {
  while (socket_ && out_size_ > 0) {
    const ssize_t sent = send(socket_.get(), out_, out_size_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) out_size_ = 0;
      return;
    }
    out_size_ -= static_cast<size_t>(sent);
    memmove(out_, out_ + sent, out_size_);
  }
}

void Peer::MakeRoom() {
  while (socket_ && out_capacity_ - out_size_ < kLongestLine) {
    pollfd polled{socket_.get(), POLLOUT, 0};
    poll(&polled, 1, -1);
    Write();
  }
}

bool Peer::Read() {
  if (in_start_ > 0) {
    memmove(in_, in_ + in_start_, in_size_);
    in_start_ = 0;
  }
  // A line that does not fit is none of the protocol.
  if (in_size_ == sizeof in_) return false;
  const ssize_t got = recv(socket_.get(), in_ + in_size_, sizeof in_ - in_size_, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  in_size_ += static_cast<size_t>(got);
  return got > 0;
}

char* Peer::NextLine() {
  char* start = in_ + in_start_;
  char* end = static_cast<char*>(memchr(start, '\n', in_size_));
  if (end == nullptr) return nullptr;
  *end = '\0';
  const size_t length = static_cast<size_t>(end - start) + 1;
  in_start_ += length;
  in_size_ -= length;
  return start;
}

}  // namespace concierge::guardian
