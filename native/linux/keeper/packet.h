// SPDX-License-Identifier: Apache-2.0
// Messages of docs/keeper.md: packets of words, each with at most one descriptor.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>

#include "../descriptor.h"

namespace concierge::keeper {

// A message with the most bytes of input that go with it.
constexpr size_t kLargestPacket = 8192;

// The control message that takes a descriptor along; to live as long as `message` is used.
class WithDescriptor {
 public:
  WithDescriptor(msghdr& message, int descriptor);

 private:
  alignas(cmsghdr) char control_[CMSG_SPACE(sizeof(int))] = {};
};

// Whether it went. False with EAGAIN: the other end has to read first.
bool Send(int socket, const void* bytes, size_t size, int descriptor = -1);

struct Received {
  // As recvmsg(2) answers: 0 is the end, -1 an error.
  ssize_t size = -1;
  bool cut = false;  // the packet, or its descriptors, did not fit
  Descriptor descriptor;
};

// Takes one packet into `buffer`, which is ended by a zero; needs one byte more than `size`. Descriptors beyond the first are closed.
Received Receive(int socket, char* buffer, size_t size);

// Cuts the next word off; an empty one at the end.
char* NextWord(char** rest);

}  // namespace concierge::keeper
