#pragma once

#include "target.h"

namespace concierge::guardian {

// Opens the mount point of a target for FIFREEZE. Looks first and opens then, so that a FIFO or device that was mounted
// over, or a hung FUSE file system that covers the mount, is never opened.
// 0 or errno: ESTALE where another mount than the wanted one is on top.
int OpenMountPoint(Target& target);

}  // namespace concierge::guardian
