// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include "../descriptor.h"

namespace concierge::keeper {

// Whether the service manager has started this very process, and would be the parent of what this one leaves behind.
bool IsOfServiceManager();

// A child of this process's parent that ends with `status` as soon as `go` is closed. −1: it could not be made.
pid_t StartFront(Descriptor& go, int status);

}  // namespace concierge::keeper
