/*
 * A host in C, so that what is measured is the agent and not the measuring: sends requests over a Unix socket and
 * prints one JSON object with nanoseconds. Used on both agents alike.
 *
 *   load SOCKET ping ROUNDS              one ping at a time: median, p99
 *   load SOCKET burst ROUNDS PER_BURST   pings sent in one piece: median of a whole burst
 *   load SOCKET call ROUNDS REQUEST      one request at a time: median, p99, answer's size
 *   load SOCKET read PATH PIECE          guest-file-open, -read until eof, -close: total, bytes of base64
 *   load SOCKET write PATH PIECE TOTAL   guest-file-open, -write, -close: total
 *   load SOCKET fetch PATH PIECE TARGET  as read, and the bytes go into a file here: total, bytes, microseconds of processor time
 *   load SOCKET store PATH PIECE SOURCE  as write, and the bytes come from a file here: the same
 *   load SOCKET exec ROUNDS REQUEST      guest-exec and guest-exec-status until exited: median, p99
 *   load SOCKET start PROGRAM ARGS…      starts the agent; until it answered its first ping; ends it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int channel = -1;
static char *inbox;
static size_t capacity, filled, taken;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int try_connect(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

static void send_all(const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(channel, bytes, length);
    if (n < 0) {
      if (errno == EINTR) continue;
      fail("write");
    }
    bytes += n;
    length -= (size_t)n;
  }
}

/* The next line without its end; valid until the next call. */
static char *next_line(size_t *length) {
  size_t searched = taken;
  for (;;) {
    char *end = filled > searched ? memchr(inbox + searched, '\n', filled - searched) : NULL;
    if (end != NULL) {
      char *line = inbox + taken;
      *length = (size_t)(end - line);
      *end = 0;
      taken = (size_t)(end - inbox) + 1;
      if (taken == filled) taken = filled = 0;
      return line;
    }
    searched = filled;
    if (taken > 0 && taken == filled) taken = filled = searched = 0;
    if (capacity - filled < 65536) {
      if (taken > 0) {
        memmove(inbox, inbox + taken, filled - taken);
        filled -= taken;
        searched -= taken;
        taken = 0;
      }
      if (capacity - filled < 65536) {
        capacity = capacity * 2 + 1048576;
        inbox = realloc(inbox, capacity);
        if (inbox == NULL) fail("memory");
      }
    }
    ssize_t n = read(channel, inbox + filled, capacity - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("the agent closed the connection");
    filled += (size_t)n;
  }
}

static char *call(const char *request, size_t *length) {
  send_all(request, strlen(request));
  return next_line(length);
}

static long long integer_after(const char *line, const char *key) {
  const char *at = strstr(line, key);
  if (at == NULL) {
    fprintf(stderr, "load: no %s in %.200s\n", key, line);
    exit(1);
  }
  return atoll(at + strlen(key));
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* Base64 by tables for two characters at a time. The text is an agent's: nothing is checked. */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static uint16_t encoded_pair[4096], decoded_pair[65536];

static void make_tables(void) {
  for (int i = 0; i < 4096; i++) {
    char pair[2] = {alphabet[i >> 6], alphabet[i & 63]};
    memcpy(&encoded_pair[i], pair, 2);
    decoded_pair[encoded_pair[i]] = (uint16_t)i;
  }
  /* Padding, which costs bytes and not bits. */
  for (int i = 0; i < 64; i++) {
    char pair[2] = {alphabet[i], '='};
    uint16_t index;
    memcpy(&index, pair, 2);
    decoded_pair[index] = (uint16_t)(i << 6);
  }
}

static size_t decode(const char *text, size_t length, unsigned char *bytes) {
  unsigned char *at = bytes;
  for (size_t i = 0; i + 4 <= length; i += 4, at += 3) {
    uint16_t high, low;
    memcpy(&high, text + i, 2);
    memcpy(&low, text + i + 2, 2);
    uint32_t bits = (uint32_t)decoded_pair[high] << 12 | decoded_pair[low];
    at[0] = (unsigned char)(bits >> 16);
    at[1] = (unsigned char)(bits >> 8);
    at[2] = (unsigned char)bits;
  }
  size_t padding = length >= 2 && text[length - 1] == '=' ? (text[length - 2] == '=' ? 2 : 1) : 0;
  return (size_t)(at - bytes) - padding;
}

static size_t encode(const unsigned char *bytes, size_t length, char *text) {
  char *at = text;
  for (; length >= 3; length -= 3, bytes += 3, at += 4) {
    uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
    memcpy(at, &encoded_pair[bits >> 12], 2);
    memcpy(at + 2, &encoded_pair[bits & 4095], 2);
  }
  if (length > 0) {
    uint32_t bits = (uint32_t)bytes[0] << 16 | (length == 2 ? (uint32_t)bytes[1] << 8 : 0);
    memcpy(at, &encoded_pair[bits >> 12], 2);
    at[2] = length == 2 ? alphabet[bits >> 6 & 63] : '=';
    at[3] = '=';
    at += 4;
  }
  return (size_t)(at - text);
}

static void print_copy(uint64_t took, long long bytes) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  printf("{\"total\": %llu, \"bytes\": %lld, \"processor\": %lld}\n", (unsigned long long)took, bytes,
         (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000ll + use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static void print_distribution(uint64_t *samples, long rounds, size_t size) {
  qsort(samples, (size_t)rounds, sizeof *samples, by_value);
  printf("{\"median\": %llu, \"p99\": %llu, \"minimum\": %llu, \"size\": %zu}\n", (unsigned long long)samples[rounds / 2],
         (unsigned long long)samples[rounds * 99 / 100], (unsigned long long)samples[0], size);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const char *mode = argv[2];
  char request[8192];
  size_t length = 0;
  const char *ping = "{\"execute\":\"guest-ping\"}\n";

  if (strcmp(mode, "start") == 0) {
    uint64_t began = now();
    pid_t child = fork();
    if (child == 0) {
      execv(argv[3], argv + 3);
      _exit(127);
    }
    while ((channel = try_connect(argv[1])) < 0) {
      if (waitpid(child, NULL, WNOHANG) == child) {
        errno = ECHILD;
        fail("the agent ended");
      }
      usleep(100);
    }
    call(ping, &length);
    uint64_t ended = now();
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    printf("{\"total\": %llu}\n", (unsigned long long)(ended - began));
    return 0;
  }

  channel = try_connect(argv[1]);
  if (channel < 0) fail("connect");
  long rounds = atol(argv[3]);
  make_tables();

  if (strcmp(mode, "ping") == 0 || strcmp(mode, "call") == 0) {
    const char *text = strcmp(mode, "ping") == 0 ? ping : argv[4];
    uint64_t *samples = calloc((size_t)rounds, sizeof *samples);
    for (long i = 0; i < rounds; i++) {
      uint64_t began = now();
      char *line = call(text, &length);
      samples[i] = now() - began;
      if (strncmp(line, "{\"return\"", 9) != 0) {
        fprintf(stderr, "load: %.300s\n", line);
        return 1;
      }
    }
    print_distribution(samples, rounds, length);
  } else if (strcmp(mode, "burst") == 0) {
    long per = atol(argv[4]);
    char *text = calloc((size_t)per, 64);
    for (long i = 0; i < per; i++) strcat(text + i * (long)strlen(ping), ping);
    uint64_t *samples = calloc((size_t)rounds, sizeof *samples);
    for (long i = 0; i < rounds; i++) {
      uint64_t began = now();
      send_all(text, strlen(ping) * (size_t)per);
      for (long j = 0; j < per; j++) next_line(&length);
      samples[i] = now() - began;
    }
    print_distribution(samples, rounds, length);
  } else if (strcmp(mode, "read") == 0 || strcmp(mode, "fetch") == 0) {
    int target = strcmp(mode, "fetch") == 0 ? open(argv[5], O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    unsigned char *decoded = malloc((size_t)atoll(argv[4]) + 3);
    snprintf(request, sizeof request, "{\"execute\":\"guest-file-open\",\"arguments\":{\"path\":\"%s\"}}\n", argv[3]);
    long long handle = integer_after(call(request, &length), "\"return\": ");
    snprintf(request, sizeof request, "{\"execute\":\"guest-file-read\",\"arguments\":{\"handle\":%lld,\"count\":%s}}\n", handle, argv[4]);
    uint64_t began = now();
    long long total = 0;
    for (;;) {
      char *line = call(request, &length);
      size_t shown = length < 120 ? length : 120;
      char ends[241];
      memcpy(ends, line, shown);
      memcpy(ends + shown, line + length - shown, shown);
      ends[2 * shown] = 0;
      total += integer_after(ends, "\"count\": ");
      if (target >= 0) {
        char *text = strstr(line, "\"buf-b64\": \"") + strlen("\"buf-b64\": \"");
        size_t bytes = decode(text, (size_t)((char *)memchr(text, '"', length) - text), decoded);
        for (size_t done = 0; done < bytes;) {
          ssize_t n = write(target, decoded + done, bytes - done);
          if (n < 0) fail(argv[5]);
          done += (size_t)n;
        }
      }
      if (strstr(ends, "\"eof\": true") != NULL) break;
    }
    uint64_t ended = now();
    snprintf(request, sizeof request, "{\"execute\":\"guest-file-close\",\"arguments\":{\"handle\":%lld}}\n", handle);
    call(request, &length);
    print_copy(ended - began, total);
  } else if (strcmp(mode, "write") == 0 || strcmp(mode, "store") == 0) {
    int source = strcmp(mode, "store") == 0 ? open(argv[5], O_RDONLY) : -1;
    long long piece = atoll(argv[4]), all = source >= 0 ? (long long)lseek(source, 0, SEEK_END) : atoll(argv[5]);
    if (source >= 0) lseek(source, 0, SEEK_SET);
    unsigned char *plain = malloc((size_t)piece);
    snprintf(request, sizeof request, "{\"execute\":\"guest-file-open\",\"arguments\":{\"path\":\"%s\",\"mode\":\"w\"}}\n", argv[3]);
    long long handle = integer_after(call(request, &length), "\"return\": ");
    char head[200];
    int head_length = snprintf(head, sizeof head, "{\"execute\":\"guest-file-write\",\"arguments\":{\"handle\":%lld,\"buf-b64\":\"", handle);
    size_t encoded = ((size_t)piece + 2) / 3 * 4;
    char *text = malloc((size_t)head_length + encoded + 8);
    memcpy(text, head, (size_t)head_length);
    for (size_t i = 0; i < encoded; i++) text[(size_t)head_length + i] = alphabet[(i * 2654435761u >> 7) & 63];
    memcpy(text + head_length + encoded, "\"}}\n", 4);
    uint64_t began = now();
    for (long long done = 0; done < all; done += piece) {
      if (source >= 0) {
        ssize_t n = read(source, plain, (size_t)piece);
        if (n <= 0) fail(argv[5]);
        encoded = encode(plain, (size_t)n, text + head_length);
        memcpy(text + head_length + encoded, "\"}}\n", 4);
      }
      send_all(text, (size_t)head_length + encoded + 4);
      char *line = next_line(&length);
      if (strstr(line, "\"count\"") == NULL) {
        fprintf(stderr, "load: %.300s\n", line);
        return 1;
      }
    }
    uint64_t ended = now();
    snprintf(request, sizeof request, "{\"execute\":\"guest-file-close\",\"arguments\":{\"handle\":%lld}}\n", handle);
    call(request, &length);
    print_copy(ended - began, all);
  } else if (strcmp(mode, "exec") == 0) {
    uint64_t *samples = calloc((size_t)rounds, sizeof *samples);
    for (long i = 0; i < rounds; i++) {
      uint64_t began = now();
      long long pid = integer_after(call(argv[4], &length), "\"pid\": ");
      snprintf(request, sizeof request, "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":%lld}}\n", pid);
      for (;;) {
        char *line = call(request, &length);
        if (strstr(line + (length > 40 ? length - 40 : 0), "\"exited\": true") != NULL || strncmp(line, "{\"return\": {\"exited\": true", 26) == 0) break;
        if (strncmp(line, "{\"error\"", 8) == 0) {
          fprintf(stderr, "load: %.300s\n", line);
          return 1;
        }
        usleep(100);
      }
      samples[i] = now() - began;
    }
    print_distribution(samples, rounds, length);
  } else {
    return 2;
  }
  return 0;
}
