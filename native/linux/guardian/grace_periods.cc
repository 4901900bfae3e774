// SPDX-License-Identifier: Apache-2.0
#include "grace_periods.h"

#include <fcntl.h>
#include <unistd.h>

namespace concierge::guardian {

void ExpeditedGracePeriods::Open() { switch_ = Descriptor(open("/sys/kernel/rcu_expedited", O_RDWR | O_CLOEXEC)); }

void ExpeditedGracePeriods::Begin() {
  [[maybe_unused]] const ssize_t written = switch_ ? pwrite(switch_.get(), "1\n", 2, 0) : 0;
}

void ExpeditedGracePeriods::End() {
  [[maybe_unused]] const ssize_t written = switch_ ? pwrite(switch_.get(), "0\n", 2, 0) : 0;
  // Once: what somebody sets later is that somebody's.
  switch_.Reset();
}

}  // namespace concierge::guardian
