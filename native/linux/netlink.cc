// SPDX-License-Identifier: Apache-2.0
// The kernel's lists of links and addresses, raw, as rtnetlink(7) sends them.

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <vector>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

using Bytes = std::vector<char>;

// A list that changed while it was sent is asked for again, so often at most.
constexpr int kAttempts = 5;

// The kernel sends a dump in pieces of at most this (NLMSG_GOODSIZE for who asks with a large buffer).
constexpr size_t kMessages = 32 * 1024;

struct Dump {
  Bytes messages;
  bool interrupted = false;
};

Dump Receive(const Descriptor& socket, uint32_t sequence, std::vector<char>& buffer) {
  Dump dump;
  for (;;) {
    const ssize_t count = Retry([&] { return recv(socket.get(), buffer.data(), buffer.size(), 0); });
    if (count < 0) throw SystemError("recv");
    auto* header = reinterpret_cast<struct nlmsghdr*>(buffer.data());
    for (auto left = static_cast<unsigned>(count); NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_seq != sequence) continue;
      if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) dump.interrupted = true;
      if (header->nlmsg_type == NLMSG_DONE) return dump;
      if (header->nlmsg_type == NLMSG_ERROR) {
        const auto* failure = static_cast<const struct nlmsgerr*>(NLMSG_DATA(header));
        throw SystemError(-failure->error, "netlink");
      }
      const char* start = reinterpret_cast<const char*>(header);
      dump.messages.insert(dump.messages.end(), start, start + NLMSG_ALIGN(header->nlmsg_len));
    }
  }
}

Bytes Ask(const Descriptor& socket, uint16_t type, std::vector<char>& buffer) {
  Dump dump;
  for (uint32_t sequence = 1; sequence <= kAttempts; sequence++) {
    struct {
      struct nlmsghdr header;
      struct rtgenmsg message;
    } request = {};
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.message);
    request.header.nlmsg_type = type;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.header.nlmsg_seq = sequence << 16 | type;
    request.message.rtgen_family = AF_UNSPEC;
    if (Retry([&] { return send(socket.get(), &request, request.header.nlmsg_len, 0); }) < 0) throw SystemError("send");
    dump = Receive(socket, request.header.nlmsg_seq, buffer);
    if (!dump.interrupted) break;
  }
  return std::move(dump.messages);
}

// → [links, addresses]: the messages of RTM_GETLINK and RTM_GETADDR. Waits for the kernel's network lock.
Napi::Value NetlinkInterfaces(const Napi::CallbackInfo& info) {
  auto work = [] {
    const Descriptor netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!netlink) throw SystemError("socket");
    std::vector<char> buffer(kMessages);
    // In this order: each link is known by the time its addresses are.
    Bytes links = Ask(netlink, RTM_GETLINK, buffer);
    return std::array<Bytes, 2>{std::move(links), Ask(netlink, RTM_GETADDR, buffer)};
  };
  return OnIoThread(info.Env(), std::move(work), [](Napi::Env env, const std::array<Bytes, 2>& dumps) {
    Napi::Array result = Napi::Array::New(env, dumps.size());
    for (uint32_t index = 0; index < dumps.size(); index++) {
      result.Set(index, Napi::Buffer<char>::Copy(env, dumps[index].data(), dumps[index].size()));
    }
    return result;
  });
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("netlinkInterfaces", Napi::Function::New(env, Guarded<NetlinkInterfaces>));
});

}  // namespace

}  // namespace concierge
