// SPDX-License-Identifier: Apache-2.0
// Loaded before an agent (LD_PRELOAD): ends it by SIGKILL before or behind one system call, once. The file that KILLED_AT names says
// which, `FUNCTION before|after NUMBER`, and is gone when it has happened. `answer` is what writes the answer of an exchange.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <fcntl.h>

static int is_agent(void) {
  static int known;
  if (known == 0) {
    char words[4096] = "";
    FILE *file = fopen("/proc/self/cmdline", "r");
    size_t size = file ? fread(words, 1, sizeof words - 1, file) : 0;
    if (file) fclose(file);
    known = memmem(words, size, "concierge-ga", 12) && memmem(words, size, "unix-listen", 11) && !memmem(words, size, "concierge-keeper", 16) ? 1 : -1;
  }
  return known > 0;
}

// Whether it is the turn of this call.
static int meant(const char *function, const char *when) {
  static int seen;
  const char *path = getenv("KILLED_AT");
  char name[32], moment[32];
  int number;
  if (!path || access(path, F_OK) != 0 || !is_agent()) return 0;
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  int words = fscanf(file, "%31s %31s %d", name, moment, &number);
  fclose(file);
  return words == 3 && strcmp(name, function) == 0 && strcmp(moment, when) == 0 && ++seen == number;
}

static void end_if(const char *function, const char *when) {
  if (!meant(function, when)) return;
  unlink(getenv("KILLED_AT"));
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define AROUND(function, call)                   \
  end_if(function, "before");                    \
  ssize_t count = call;                          \
  if (count > 0) end_if(function, "after");      \
  return count

ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t size, unsigned flags) {
  AROUND("splice", REAL(splice)(in, in_at, out, out_at, size, flags));
}
ssize_t sendfile64(int out, int in, off64_t *at, size_t size) { AROUND("sendfile", REAL(sendfile64)(out, in, at, size)); }
ssize_t sendfile(int out, int in, off_t *at, size_t size) { AROUND("sendfile", REAL(sendfile)(out, in, at, size)); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) { AROUND("pwrite", REAL(pwrite64)(fd, bytes, size, at)); }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { AROUND("pwrite", REAL(pwrite)(fd, bytes, size, at)); }

static int is_answer(const void *bytes, size_t size) { return size > 30 && memcmp(bytes, "{\"return\": {\"input-accepted\"", 28) == 0; }

ssize_t write(int fd, const void *bytes, size_t size) {
  if (!is_answer(bytes, size)) return REAL(write)(fd, bytes, size);
  AROUND("answer", REAL(write)(fd, bytes, size));
}
ssize_t send(int fd, const void *bytes, size_t size, int flags) {
  if (!is_answer(bytes, size)) return REAL(send)(fd, bytes, size, flags);
  AROUND("answer", REAL(send)(fd, bytes, size, flags));
}
ssize_t writev(int fd, const struct iovec *parts, int number) {
  if (number < 1 || !is_answer(parts[0].iov_base, parts[0].iov_len)) return REAL(writev)(fd, parts, number);
  AROUND("answer", REAL(writev)(fd, parts, number));
}
