#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# libuv 1.44.2 of Debian 12 (2026-11-30): a uv_poll_t is called back once with UV_EBADF when its descriptor reports an error, and is stopped by
# that: whatever can be read afterwards nobody is told of, until uv_poll_start is called again. But on a socket an error may be news and
# not the end: the kernel reports that a datagram was refused, or on netlink that messages were lost, the next read takes the report
# away, and the socket works on. The callback that reads whatever its status is and expects to be called again is deaf from there.
#
# Seen (a UDP socket: a datagram to nobody, the error is read, then three datagrams come):
#   status of the first callback:                        EBADF
#   what the read in it says:                            Connection refused
#   is it active afterwards:                             no
#   callbacks for three datagrams:                       0
#   after uv_poll_start, callbacks:                      3
source "$(dirname "$0")/lib.sh"
cd "$work"
for package in libuv1=1.44.2-1+deb12u1 libuv1-dev=1.44.2-1+deb12u1; do
  apt-get download -qq -o APT::Sandbox::User=root "$package" || { echo "$package cannot be had"; exit 2; }
done
for archive in *.deb; do dpkg -x "$archive" "$work/root"; done
command -v cc >/dev/null || { echo 'needs a C compiler'; exit 2; }
cat >poll.c <<'END'
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

static int fd, calls, first;
static void called(uv_poll_t* poll, int status, int events) {
  (void)poll, (void)events;
  char bytes[16];
  const ssize_t count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (!first++) printf("status %s\nread %s\n", status == UV_EBADF ? "EBADF" : "another", count < 0 ? strerror(errno) : "data");
  else if (count > 0) calls++;
}

static void turns(uv_loop_t* loop) {
  for (int turn = 0; turn < 100; turn++) uv_run(loop, UV_RUN_NOWAIT), usleep(1000);
}

int main(void) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  // A port that was somebody's a moment ago, and is nobody's now.
  const int gone = socket(AF_INET, SOCK_DGRAM, 0);
  bind(gone, (struct sockaddr*)&at, sizeof at);
  getsockname(gone, (struct sockaddr*)&at, &size);
  close(gone);
  fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  connect(fd, (struct sockaddr*)&at, sizeof at);
  uv_poll_t poll;
  uv_poll_init(loop, &poll, fd);
  uv_poll_start(&poll, UV_READABLE, called);
  send(fd, "x", 1, 0);
  turns(loop);
  printf("active %s\n", uv_is_active((uv_handle_t*)&poll) ? "yes" : "no");
  // Now somebody is there, and answers.
  struct sockaddr_in own;
  size = sizeof own;
  getsockname(fd, (struct sockaddr*)&own, &size);
  const int peer = socket(AF_INET, SOCK_DGRAM, 0);
  bind(peer, (struct sockaddr*)&at, sizeof at);
  for (int count = 0; count < 3; count++) sendto(peer, "y", 1, 0, (struct sockaddr*)&own, sizeof own);
  turns(loop);
  printf("deaf %d\n", calls);
  uv_poll_start(&poll, UV_READABLE, called);
  turns(loop);
  printf("again %d\n", calls);
  return 0;
}
END
cc -o poll poll.c -I"$work/root/usr/include" "$work"/root/usr/lib/x86_64-linux-gnu/libuv.so.1
LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu ./poll >said
seen() { sed -n "s/^$1 //p" said; }

expect 'status of the first callback' "$(seen status)" 'EBADF'
expect 'what the read in it says' "$(seen read)" 'Connection refused'
expect 'is it active afterwards' "$(seen active)" 'no'
expect 'callbacks for three datagrams' "$(seen deaf)" '0'
expect 'after uv_poll_start, callbacks' "$(seen again)" '3'
