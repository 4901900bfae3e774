// SPDX-License-Identifier: Apache-2.0
#include "conversation-record.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "system-error.h"

namespace concierge {

namespace {

constexpr off_t kPage = 4096;
// Given back at once, so that not every exchange costs a system call.
constexpr off_t kWorthwhile = 64 * 1024;

// Bytes before `before`, where they are enough.
void GiveBack(int file, off_t& forgotten, off_t before) {
  const off_t from = forgotten / kPage * kPage;
  const off_t to = before / kPage * kPage;
  if (to - from < kWorthwhile) return;
  if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, to - from) == 0) forgotten = to;
}

}  // namespace

bool OutputRecord::Make(bool of_terminal) {
  file_.Reset(memfd_create("conversation-output", MFD_CLOEXEC));
  int ends[2];
  if (file_ && of_terminal) {
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
      out_of_.Reset(ends[0]);
      into_.Reset(ends[1]);
    } else {
      file_.Reset();
    }
  }
  return exists();
}

void OutputRecord::Adopt(Descriptor file, Descriptor out_of, Descriptor into) {
  file_ = std::move(file);
  out_of_ = std::move(out_of);
  into_ = std::move(into);
  // What an earlier process had on its way.
  while (out_of_ && Retry([&] { return splice(out_of_.get(), nullptr, file_.get(), nullptr, kWorthwhile, SPLICE_F_NONBLOCK); }) > 0);
}

off_t OutputRecord::end() const { return lseek(file_.get(), 0, SEEK_CUR); }

ssize_t OutputRecord::Deliver(char* into, size_t size) {
  const auto most = std::min(size, static_cast<size_t>(end() - told_));
  const ssize_t count = Retry([&] { return pread(file_.get(), into, most, told_); });
  if (count > 0) told_ += count;
  return count;
}

ssize_t OutputRecord::Take(int from, char* into, size_t size) {
  if (HasMore()) return Deliver(into, size);
  if (is_broken_ && out_of_) {
    const ssize_t rest = Retry([&] { return read(out_of_.get(), into, size); });
    if (rest > 0) return rest;
  }
  if (is_broken_) return Retry([&] { return read(from, into, size); });
  int source = from;
  if (into_) {
    const ssize_t count = Retry([&] { return splice(from, nullptr, into_.get(), nullptr, size, SPLICE_F_NONBLOCK); });
    // A kernel that cannot do that with a terminal.
    if (count < 0 && errno == EINVAL) is_broken_ = true;
    if (is_broken_) return Retry([&] { return read(from, into, size); });
    if (count <= 0) return count;
    source = out_of_.get();
  }
  const ssize_t count = Retry([&] { return splice(source, nullptr, file_.get(), nullptr, size, SPLICE_F_NONBLOCK); });
  if (count > 0) return Deliver(into, size);
  if (count == 0 || errno == EAGAIN) return count;
  is_broken_ = true;
  return Retry([&] { return read(source, into, size); });
}

void OutputRecord::Forget(off_t before) {
  if (exists()) GiveBack(file_.get(), forgotten_, std::min(before, told_));
}

bool InputRecord::Make() {
  file_.Reset(memfd_create("conversation-input", MFD_CLOEXEC));
  return exists();
}

off_t InputRecord::accepted() const { return lseek(file_.get(), 0, SEEK_CUR); }

ssize_t InputRecord::Give(int to, bool is_pipe, const char* bytes, size_t size) {
  const off_t at = accepted();
  for (size_t placed = 0; placed < size && !is_broken_;) {
    const ssize_t count = Retry([&] { return pwrite(file_.get(), bytes + placed, size - placed, at + static_cast<off_t>(placed)); });
    if (count > 0) placed += static_cast<size_t>(count);
    else is_broken_ = true;
  }
  ssize_t given = -1;
  if (is_broken_) return Retry([&] { return write(to, bytes, size); });
  given = Retry([&] {
    return is_pipe ? splice(file_.get(), nullptr, to, nullptr, size, SPLICE_F_NONBLOCK) : sendfile(to, file_.get(), nullptr, size);
  });
  if (given < 0 && errno == EINVAL) {
    // A kernel that cannot do that with a terminal: a death between the two would have the host repeat it.
    given = Retry([&] { return write(to, bytes, size); });
    if (given > 0) PassOver(given);
  }
  // The last byte stays: whether a line was begun is told by it.
  if (given > 0) GiveBack(file_.get(), forgotten_, at + given - 1);
  return given;
}

void InputRecord::PassOver(off_t count) { lseek(file_.get(), count, SEEK_CUR); }

char InputRecord::Last() const {
  char last = '\n';
  const off_t at = accepted();
  if (at > 0) [[maybe_unused]] const ssize_t count = pread(file_.get(), &last, 1, at - 1);
  return last;
}

}  // namespace concierge
