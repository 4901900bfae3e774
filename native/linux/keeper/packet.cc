// SPDX-License-Identifier: Apache-2.0
#include "packet.h"

#include <cerrno>
#include <cstring>

namespace concierge::keeper {
namespace {

// More than one in a packet is against the agreement; they are taken in order to be closed.
constexpr size_t kMostDescriptors = 4;

}  // namespace

WithDescriptor::WithDescriptor(msghdr& message, int descriptor) {
  if (descriptor < 0) return;
  message.msg_control = control_;
  message.msg_controllen = sizeof control_;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof descriptor);
  memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
}

bool Send(int socket, const void* bytes, size_t size, int descriptor) {
  iovec part{const_cast<void*>(bytes), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  WithDescriptor with(message, descriptor);
  ssize_t sent;
  do {
    sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

Received Receive(int socket, char* buffer, size_t size) {
  Received received;
  iovec part{buffer, size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))];
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  do {
    received.size = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received.size < 0 && errno == EINTR);
  if (received.size < 0) return received;
  buffer[received.size] = '\0';
  received.cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < count; index++) {
      int number;
      memcpy(&number, CMSG_DATA(header) + index * sizeof number, sizeof number);
      Descriptor one(number);
      if (!received.descriptor) received.descriptor = static_cast<Descriptor&&>(one);
    }
  }
  return received;
}

char* NextWord(char** rest) {
  char* word = strsep(rest, " ");
  return word == nullptr ? const_cast<char*>("") : word;
}

}  // namespace concierge::keeper
