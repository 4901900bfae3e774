// SPDX-License-Identifier: Apache-2.0
#include "uncovered.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "../mount-point.h"
#include "thaw_completely.h"

namespace concierge::guardian {
namespace {

// Mounts that are looked at. A machine with more has its covered file systems thawed once they are uncovered.
constexpr int kMostMounts = 16384;
constexpr size_t kMostBytes = 8 << 20;

struct Mount {
  int64_t id = 0;
  const char* device = nullptr;
  const char* place = nullptr;
};

// `\040` for a blank and the like, in place.
void Unescape(char* text) {
  char* out = text;
  for (const char* in = text; *in != '\0';) {
    if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] != '\0' && in[3] != '\0') {
      *out++ = static_cast<char>((in[1] - '0') * 64 + (in[2] - '0') * 8 + (in[3] - '0'));
      in += 4;
    } else {
      *out++ = *in++;
    }
  }
  *out = '\0';
}

class MountTable {
 public:
  MountTable() = default;
  ~MountTable() {
    free(text_);
    free(mounts_);
  }
  MountTable(const MountTable&) = delete;
  MountTable& operator=(const MountTable&) = delete;

  bool Read() {
    text_ = static_cast<char*>(malloc(kMostBytes));
    mounts_ = static_cast<Mount*>(calloc(kMostMounts, sizeof(Mount)));
    const Descriptor file(open("/proc/thread-self/mountinfo", O_RDONLY | O_CLOEXEC));
    if (text_ == nullptr || mounts_ == nullptr || !file) return false;
    size_t length = 0;
    for (ssize_t got = 1; got > 0 && length < kMostBytes - 1; length += got > 0 ? static_cast<size_t>(got) : 0) {
      got = read(file.get(), text_ + length, kMostBytes - 1 - length);
    }
    text_[length] = '\0';
    char* rest = text_;
    for (char* line = strsep(&rest, "\n"); line != nullptr && count_ < kMostMounts; line = strsep(&rest, "\n")) Add(line);
    return true;
  }

  int count() const { return count_; }
  const Mount& operator[](int index) const { return mounts_[index]; }

  const Mount* Find(int64_t id) const {
    for (int i = 0; i < count_; ++i) {
      if (mounts_[i].id == id) return &mounts_[i];
    }
    return nullptr;
  }

 private:
  // 36 35 98:0 /root /mount/point …
  void Add(char* line) {
    Mount mount;
    mount.id = strtoll(strsep(&line, " "), nullptr, 10);
    if (line != nullptr) strsep(&line, " ");
    if (line != nullptr) mount.device = strsep(&line, " ");
    if (line != nullptr) strsep(&line, " ");
    if (line == nullptr) return;
    char* place = strsep(&line, " ");
    Unescape(place);
    mount.place = place;
    mounts_[count_++] = mount;
  }

  char* text_ = nullptr;
  Mount* mounts_ = nullptr;
  int count_ = 0;
};

// `/mnt` covers `/mnt/a`, and so does another mount at `/mnt/a`.
bool Covers(const char* place, const char* path) {
  const size_t length = strlen(place);
  if (length == 1) return false;
  return strncmp(place, path, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

bool IsOn(const MountTable& table, const Descriptor& opened, const char* device) {
  const Mount* mount = table.Find(MountIdOf(opened.get()));
  return mount != nullptr && strcmp(mount->device, device) == 0;
}

int OpenUncovered(const char* path, const char* device, Descriptor& directory) {
  if (unshare(CLONE_NEWNS) != 0) return errno;
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno;
  MountTable table;
  if (!table.Read()) return ENOMEM;
  int wanted = -1;
  for (int i = 0; i < table.count(); ++i) {
    if (strcmp(table[i].device, device) == 0 && strcmp(table[i].place, path) == 0) wanted = i;
  }
  if (wanted < 0) return ESTALE;
  // What covers it was mounted later; the last is on top.
  for (int i = table.count() - 1; i > wanted; --i) {
    if (Covers(table[i].place, path)) umount2(table[i].place, MNT_DETACH | UMOUNT_NOFOLLOW);
  }
  Descriptor opened;
  const int error = OpenMountPoint(path, 0, opened);
  if (error != 0) return error;
  if (!IsOn(table, opened, device)) return ESTALE;
  directory = std::move(opened);
  return 0;
}

struct Result {
  int error;
  int64_t thawed_at;
};

}  // namespace

int ThawUncovered(const char* path, const char* device, int64_t& thawed_at) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) return errno;
  Result result{ECANCELED, 0};
  if (pid == 0) {
    Descriptor directory;
    result.error = OpenUncovered(path, device, directory);
    if (result.error == 0) result.error = ThawCompletely(directory.get(), result.thawed_at);
    _exit(write(to.get(), &result, sizeof result) == sizeof result ? 0 : 1);
  }
  to.Reset();
  while (read(from.get(), &result, sizeof result) < 0 && errno == EINTR) {
  }
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  thawed_at = result.thawed_at;
  return result.error;
}

}  // namespace concierge::guardian
