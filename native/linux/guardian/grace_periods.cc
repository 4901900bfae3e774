#include "grace_periods.h"

#include <fcntl.h>
#include <unistd.h>

namespace concierge::guardian {
namespace {

// The first character of a file in sysfs; 0 where it is not there or empty.
char FirstCharacter(int file) {
  char character = 0;
  return file >= 0 && pread(file, &character, 1, 0) == 1 ? character : '\0';
}

// Processors that are kept from interrupts (`nohz_full=`): whoever set them apart wants none for this either.
bool HasUndisturbedProcessors() {
  const Descriptor file(open("/sys/devices/system/cpu/nohz_full", O_RDONLY | O_CLOEXEC));
  const char first = FirstCharacter(file.get());
  // A list such as `2-7`; without any it is a blank line or `(null)`.
  return first >= '0' && first <= '9';
}

}  // namespace

void ExpeditedGracePeriods::Open() {
  if (!HasUndisturbedProcessors()) switch_ = Descriptor(open("/sys/kernel/rcu_expedited", O_RDWR | O_CLOEXEC));
}

void ExpeditedGracePeriods::Begin() {
  // What an administrator has switched on stays on.
  if (FirstCharacter(switch_.get()) == '0') begun_ = pwrite(switch_.get(), "1\n", 2, 0) == 2;
}

void ExpeditedGracePeriods::End() {
  if (!begun_) return;
  begun_ = false;
  [[maybe_unused]] const ssize_t written = pwrite(switch_.get(), "0\n", 2, 0);
}

}  // namespace concierge::guardian
