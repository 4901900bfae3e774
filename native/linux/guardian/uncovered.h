// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace concierge::guardian {

// Thaws a file system that other mounts cover: in a process with a mount namespace of its own, from which the covering
// mounts are taken off. `device` as in mountinfo, `7:0`; nothing changes for anybody else.
// 0, or errno: ESTALE where it is mounted nowhere. `thawed_at`: nanoseconds since 1970, 0 where nothing was frozen.
int ThawUncovered(const char* path, const char* device, int64_t& thawed_at);

}  // namespace concierge::guardian
