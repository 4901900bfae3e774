// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace concierge::guardian {

// concierge-guardian thaw DIRECTORY: tells the guardian of a freeze that listens there to thaw, and waits until it has.
// For the moment after an agent's death, in which every millisecond stops a writer and memory may be too short for the
// agent's own way: it takes no marker away and runs no hook. Without a guardian there is nothing to do. Answers the exit
// status.
int OrderThaw(const char* directory);

}  // namespace concierge::guardian
