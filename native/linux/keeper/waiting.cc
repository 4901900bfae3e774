// SPDX-License-Identifier: Apache-2.0
#include "waiting.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace concierge::keeper {

namespace {

// Of a pipe, before others have their turn.
constexpr int kReadsAtOnce = 16;

}  // namespace

bool Waiting::CanWaitFor(int descriptor) const {
  epoll_event event{};
  event.events = EPOLLET;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) < 0) return false;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  return true;
}

// To be added is to be told what is the case now, edge-triggered too: what came while nobody looked is not missed.
void Waiting::Begin() {
  for (size_t index = 0; index < holdings_.end(); index++) {
    const Held& held = holdings_.at(index);
    if (!held.used() || !IsWaitedFor(held.kind)) continue;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    if (held.kind == Kind::kPort) event.events |= EPOLLET;
    event.data.u32 = kChannel + static_cast<uint32_t>(index);
    epoll_ctl(epoll_, EPOLL_CTL_ADD, held.descriptor, &event);
  }
}

void Waiting::End() {
  for (size_t index = 0; index < holdings_.end(); index++) {
    const Held& held = holdings_.at(index);
    if (held.used()) Forget(held);
  }
}

void Waiting::Forget(const Held& held) {
  if (IsWaitedFor(held.kind)) epoll_ctl(epoll_, EPOLL_CTL_DEL, held.descriptor, nullptr);
}

bool Waiting::Wakes(uint32_t datum, uint32_t events) {
  const size_t index = datum - kChannel;
  // Let go by an event before this one.
  if (index >= holdings_.end() || !holdings_.at(index).used()) return false;
  Held& held = holdings_.at(index);
  switch (held.kind) {
    case Kind::kPlain:
    case Kind::kFile:
    case Kind::kKeeper: return false;
    case Kind::kPort: return PortWakes(held, events);
    case Kind::kStream: return StreamWakes(held);
    case Kind::kListener: return true;
    case Kind::kWaste: ThrowAway(held); return false;
  }
  return false;
}

// virtio_console says of a port without a host that it is hung up and readable, whether anything is there or not. A host that
// comes and a host that goes are events too; the next one is told of by itself.
bool Waiting::PortWakes(Held& held, uint32_t events) {
  if ((events & EPOLLHUP) == 0) return (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR)) != 0;
  Input* input = holdings_.PlaceFor(held);
  if (input == nullptr) return true;
  ssize_t count;
  do {
    count = read(held.descriptor, input->bytes, sizeof input->bytes);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    input->size = static_cast<size_t>(count);
    return true;
  }
  holdings_.Took(held);
  // ENODEV: unplugged, and that is for an agent to say.
  return count < 0 && errno != EAGAIN;
}

// What programs in the background write to a pipe that nobody reads any more: they are to go on, and not to be ended by SIGPIPE.
void Waiting::ThrowAway(Held& held) {
  char bytes[4096];
  for (int times = kReadsAtOnce; times > 0; times--) {
    const ssize_t count = read(held.descriptor, bytes, sizeof bytes);
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    if (count < 0 && errno == EAGAIN) return;
    epoll_ctl(epoll_, EPOLL_CTL_DEL, held.descriptor, nullptr);
    holdings_.Drop(held);
    return;
  }
}

// A client that has left behind nothing to be read is let go. Of a terminal only an agent can tell.
bool Waiting::StreamWakes(Held& held) {
  char byte;
  ssize_t count;
  do {
    count = recv(held.descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  if (count > 0 || (count < 0 && errno == ENOTSOCK)) return true;
  if (count < 0 && errno == EAGAIN) return false;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, held.descriptor, nullptr);
  holdings_.Drop(held);
  return false;
}

}  // namespace concierge::keeper
