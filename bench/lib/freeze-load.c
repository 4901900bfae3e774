/*
 * A host that freezes and thaws, and the applications that have to wait for it, in one program, so that both go by one
 * clock. Prints one JSON object with arrays of nanoseconds. Used on both agents alike.
 *
 *   freeze-load SOCKET cold ROUNDS 0 DIRECTORY…        64 files of 16 KiB are written to each before every freeze
 *   freeze-load SOCKET warm ROUNDS 0 DIRECTORY…        one freeze right after the other
 *   freeze-load SOCKET load ROUNDS HOLD-MS DIRECTORY…  in each, a thread writes 4 KiB and calls fsync, again and again
 *   freeze-load - machine ROUNDS 0 DIRECTORY…          what the machine itself takes: the tick of its kernel, posix_spawn
 *                                                      of `true` until it has ended, and bare FIFREEZE of the first
 *
 * Directories are mount points; they alone are frozen, by guest-fsfreeze-freeze-list.
 *
 * `stall` has one figure for each directory and round: the longest single write and fsync that overlaps the time from
 * the freeze request to the thaw's answer, less the time from the freeze's answer to the thaw request, for which the
 * host itself made it wait. `undisturbed` is the longest in the same directory in the 300 ms before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMost = 64, kRing = 1 << 16 };
static const uint64_t kMillisecond = 1000000;

struct operation {
  uint64_t began, took;
};

struct application {
  const char *directory;
  /* The last kRing operations; `done` counts all. */
  struct operation *ring;
  atomic_uint done;
  pthread_t thread;
};

static int channel;
static atomic_int stopping;
static struct application applications[kMost];

static void fail(const char *what) {
  fprintf(stderr, "freeze-load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_ms(uint64_t ms) {
  struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000 * kMillisecond)};
  while (nanosleep(&t, &t) != 0) {
  }
}

static long long call(const char *request) {
  char answer[4096];
  size_t filled = 0;
  for (size_t sent = 0, all = strlen(request); sent < all;) {
    ssize_t n = write(channel, request + sent, all - sent);
    if (n < 0) fail("write");
    sent += (size_t)n;
  }
  while (filled == 0 || answer[filled - 1] != '\n') {
    ssize_t n = read(channel, answer + filled, sizeof answer - 1 - filled);
    if (n <= 0) fail("the agent closed the connection");
    filled += (size_t)n;
  }
  answer[filled] = 0;
  long long count;
  if (sscanf(answer, "{\"return\": %lld", &count) != 1) {
    fprintf(stderr, "freeze-load: %s", answer);
    exit(1);
  }
  return count;
}

static void *apply(void *argument) {
  struct application *self = argument;
  char path[4096], block[4096];
  memset(block, 'x', sizeof block);
  snprintf(path, sizeof path, "%s/application", self->directory);
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0) fail(path);
  while (!stopping) {
    unsigned index = self->done;
    uint64_t began = now();
    if (pwrite(file, block, sizeof block, (off_t)(index % 1024) * 4096) != sizeof block || fsync(file) != 0) fail(path);
    self->ring[index % kRing] = (struct operation){began, now() - began};
    self->done = index + 1;
  }
  close(file);
  return NULL;
}

/* The longest operation that overlaps a time, of those that have ended. */
static uint64_t longest(struct application *application, uint64_t from, uint64_t to) {
  uint64_t most = 0;
  unsigned done = application->done;
  for (unsigned i = done > kRing ? done - kRing : 0; i < done; i++) {
    struct operation *one = &application->ring[i % kRing];
    if (one->began < to && one->began + one->took > from && one->took > most) most = one->took;
  }
  return most;
}

static void dirty(const char *directory) {
  char path[4096], block[16384];
  memset(block, 'y', sizeof block);
  for (int i = 0; i < 64; i++) {
    snprintf(path, sizeof path, "%s/dirty%d", directory, i);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || write(file, block, sizeof block) != sizeof block) fail(path);
    close(file);
  }
}

static void print(const char *name, const uint64_t *samples, long count, const char *end) {
  printf("\"%s\": [", name);
  for (long i = 0; i < count; i++) printf("%s%llu", i > 0 ? ", " : "", (unsigned long long)samples[i]);
  printf("]%s", end);
}

/* FIFREEZE until it returns, in a process that has the file system open; thawed at once. */
static uint64_t freeze_bare(int directory) {
  uint64_t asked = now();
  if (ioctl(directory, FIFREEZE, 0) != 0) fail("FIFREEZE");
  uint64_t took = now() - asked;
  if (ioctl(directory, FITHAW, 0) != 0) fail("FITHAW");
  return took;
}

static uint64_t spawn_true(void) {
  char *words[] = {"true", NULL}, *environment[] = {NULL};
  pid_t pid;
  uint64_t asked = now();
  errno = posix_spawn(&pid, "/bin/true", NULL, NULL, words, environment);
  if (errno != 0) fail("posix_spawn");
  waitpid(pid, NULL, 0);
  return now() - asked;
}

static int tell_machine(long rounds, const char *path) {
  uint64_t *took[3];
  for (int i = 0; i < 3; i++) took[i] = calloc((size_t)rounds, sizeof **took);
  int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) fail(path);
  for (long round = 0; round < rounds; round++) {
    took[0][round] = spawn_true();
    dirty(path);
    sleep_ms(400);
    took[1][round] = freeze_bare(directory);
    took[2][round] = freeze_bare(directory);
  }
  struct timespec tick;
  clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
  printf("{\"hz\": %ld, ", 1000000000 / tick.tv_nsec);
  print("spawn", took[0], rounds, ", ");
  print("cold", took[1], rounds, ", ");
  print("warm", took[2], rounds, "}\n");
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 6 || argc - 5 > kMost) return 2;
  const char *mode = argv[2];
  long rounds = atol(argv[3]);
  uint64_t hold_ms = (uint64_t)atol(argv[4]);
  int count = argc - 5;
  int loaded = strcmp(mode, "load") == 0;
  if (strcmp(mode, "machine") == 0) return tell_machine(rounds, argv[5]);

  char freeze[kMost * 300] = "{\"execute\":\"guest-fsfreeze-freeze-list\",\"arguments\":{\"mountpoints\":[";
  for (int i = 0; i < count; i++) {
    applications[i].directory = argv[5 + i];
    sprintf(freeze + strlen(freeze), "%s\"%.256s\"", i > 0 ? "," : "", argv[5 + i]);
  }
  strcat(freeze, "]}}\n");

  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
  channel = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(channel, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");

  for (int i = 0; loaded && i < count; i++) {
    applications[i].ring = calloc(kRing, sizeof *applications[i].ring);
    if (pthread_create(&applications[i].thread, NULL, apply, &applications[i]) != 0) fail("thread");
  }
  uint64_t *took[4];
  for (int i = 0; i < 4; i++) took[i] = calloc((size_t)(rounds * count + 1), sizeof **took);
  for (long round = 0; round < rounds; round++) {
    if (strcmp(mode, "cold") == 0) {
      for (int i = 0; i < count; i++) dirty(applications[i].directory);
    }
    if (strcmp(mode, "warm") != 0) sleep_ms(400);
    uint64_t asked = now();
    long long frozen = call(freeze);
    uint64_t answered = now();
    sleep_ms(hold_ms);
    uint64_t thaw = now();
    long long thawed = call("{\"execute\":\"guest-fsfreeze-thaw\"}\n");
    uint64_t over = now();
    if (frozen != count || thawed != count) {
      fprintf(stderr, "freeze-load: of %d file systems %lld were frozen and %lld thawed\n", count, frozen, thawed);
      return 1;
    }
    took[0][round] = answered - asked;
    took[1][round] = over - thaw;
    if (!loaded) continue;
    sleep_ms(200);
    for (int i = 0; i < count; i++) {
      uint64_t held = thaw - answered, most = longest(&applications[i], asked, over);
      took[2][round * count + i] = most > held ? most - held : 0;
      took[3][round * count + i] = longest(&applications[i], asked - 300 * kMillisecond, asked);
    }
  }
  stopping = 1;
  for (int i = 0; loaded && i < count; i++) pthread_join(applications[i].thread, NULL);
  printf("{");
  print("freeze", took[0], rounds, ", ");
  print("thaw", took[1], rounds, ", ");
  print("stall", took[2], loaded ? rounds * count : 0, ", ");
  print("undisturbed", took[3], loaded ? rounds * count : 0, "}\n");
  return 0;
}
