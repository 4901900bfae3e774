// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>

#include "../mount-point.h"
#include "target.h"

namespace concierge::guardian {

// Calls until the kernel says that nothing is frozen. 0, also where nothing was or could be, or errno.
inline int ThawCompletely(int directory, int64_t& thawed_at) {
  int error = 0;
  while ((error = ThawOnce(directory)) == 0) thawed_at = Nanoseconds(CLOCK_REALTIME);
  return thawed_at != 0 || error == EINVAL || error == EOPNOTSUPP || error == ENOTTY ? 0 : error;
}

}  // namespace concierge::guardian
