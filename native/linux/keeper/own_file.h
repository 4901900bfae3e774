// SPDX-License-Identifier: Apache-2.0
// A file that is there for as long as somebody serves behind it: the path of a socket.
#pragma once

namespace concierge::keeper {

// Takes away the file that `descriptor` stands for (O_PATH), if it lies where it lay. May wait for its disk.
void RemoveOwnFile(int descriptor);

}  // namespace concierge::keeper
