// SPDX-License-Identifier: Apache-2.0
#include "own_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

namespace concierge::keeper {

void RemoveOwnFile(int descriptor) {
  struct stat ours, there;
  if (fstat(descriptor, &ours) < 0 || ours.st_nlink == 0) return;
  char link[32];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return;
  path[length] = '\0';
  // Somebody else may have put another one there.
  if (lstat(path, &there) < 0 || there.st_dev != ours.st_dev || there.st_ino != ours.st_ino) return;
  unlink(path);
}

}  // namespace concierge::keeper
