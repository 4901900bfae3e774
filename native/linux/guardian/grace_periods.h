// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../descriptor.h"

namespace concierge::guardian {

// FIFREEZE waits for RCU grace periods, one after the other: to turn writers away (percpu_down_write() in the kernel's
// freeze_super()) and once more for page faults and the journal. An ordinary one takes 10 to 30 ms, in two of which every
// writer is held up already; an expedited one, for which the kernel asks each processor by an interrupt, takes a few
// microseconds. /sys/kernel/rcu_expedited has the kernel expedite all of them, for the moment in which it is set.
//
// The agent looks whether it may be used, and notes in the marker that it is about to be changed: whoever is left puts it
// back. The kernel does not forget it when a process ends.
class ExpeditedGracePeriods {
 public:
  void Open();
  // The switch, opened by somebody else; none: lets go of it.
  void Take(Descriptor opened) { switch_ = static_cast<Descriptor&&>(opened); }
  int get() const { return switch_.get(); }
  void Begin();
  // Puts back what was there. Also for the watch of a guardian that is gone.
  void End();

 private:
  Descriptor switch_;
};

}  // namespace concierge::guardian
