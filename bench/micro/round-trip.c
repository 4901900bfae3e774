// Client of the channel benchmark: `round-trip SOCKET COUNT BURST` sends COUNT bursts of BURST pings, each when the one before
// is answered, and prints the times of a burst in microseconds as JSON.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char ping[] = "{\"execute\":\"guest-ping\"}\n";

static int ascending(const void *one, const void *other) {
  const double a = *(const double *)one, b = *(const double *)other;
  return (a > b) - (a < b);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, arguments[1], sizeof(address.sun_path) - 1);
  const int rounds = atoi(arguments[2]), burst = atoi(arguments[3]);
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(server, (struct sockaddr *)&address, sizeof(address)) < 0) return perror("connect"), 1;

  const size_t length = sizeof(ping) - 1;
  char *request = malloc(length * burst);
  for (int i = 0; i < burst; i++) memcpy(request + i * length, ping, length);
  double *times = malloc(rounds * sizeof(double));
  double total = 0;
  long reads = 0;
  static char answer[65536];
  for (int round = 0; round < rounds; round++) {
    const double start = now();
    if (write(server, request, length * burst) < 0) return perror("write"), 1;
    for (int lines = 0; lines < burst;) {
      const ssize_t got = read(server, answer, sizeof(answer));
      if (got <= 0) return perror("read"), 1;
      reads++;
      for (ssize_t i = 0; i < got; i++) lines += answer[i] == '\n';
    }
    times[round] = now() - start;
    total += times[round];
  }
  qsort(times, rounds, sizeof(double), ascending);
  printf("{\"median\": %.1f, \"p99\": %.1f, \"perSecond\": %.0f, \"readsPerBurst\": %.2f}\n", times[rounds / 2],
         times[(int)(rounds * 0.99)], rounds * burst / (total / 1e6), (double)reads / rounds);
}
