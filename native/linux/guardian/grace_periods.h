#pragma once

#include "../descriptor.h"

namespace concierge::guardian {

// FIFREEZE waits for RCU grace periods, one after the other: to turn writers away (percpu_down_write() in the kernel's
// freeze_super()) and once more for page faults and the journal. An ordinary one takes 10 to 30 ms, in two of which every
// writer is held up already; an expedited one, for which the kernel asks each processor by an interrupt, takes a few
// microseconds. /sys/kernel/rcu_expedited has the kernel expedite all of them, for the moment in which it is set.
class ExpeditedGracePeriods {
 public:
  // Opens the switch, where there is one that may be used.
  void Open();
  void Begin();
  // Puts back what was there.
  void End();

 private:
  Descriptor switch_;
  bool begun_ = false;
};

}  // namespace concierge::guardian
