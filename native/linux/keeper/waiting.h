// SPDX-License-Identifier: Apache-2.0
// Waiting on channels while no agent does.
#pragma once

#include <cstdint>

#include "holdings.h"

namespace concierge::keeper {

class Waiting {
 public:
  // `epoll`: the set that the caller waits on. An event of a channel has `kChannel` more than its index as its datum.
  static constexpr uint32_t kChannel = 16;
  Waiting(int epoll, Holdings& holdings) : epoll_(epoll), holdings_(holdings) {}

  // Whether it is of a sort that can be waited for; errno says why not.
  bool CanWaitFor(int descriptor) const;

  void Begin();
  void End();
  // Of one that is about to be closed: another process may have the same, and what is waited for would stay in the set.
  void Forget(const Held& held);

  // What an event says: whether an agent has to look at it. Lets a client go that has left.
  bool Wakes(uint32_t datum, uint32_t events);

 private:
  bool PortWakes(Held& held, uint32_t events);
  bool StreamWakes(Held& held);
  void ThrowAway(Held& held);

  const int epoll_;
  Holdings& holdings_;
};

}  // namespace concierge::keeper
