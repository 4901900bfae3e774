// SPDX-License-Identifier: Apache-2.0
// The service manager, where there is one (sd_notify(3)), and standard error, where a line to it waits for nobody.
#pragma once

#include <sys/un.h>

#include <cstddef>

#include "../descriptor.h"

namespace concierge::keeper {

class ServiceManager {
 public:
  // Finds both. To be called once, before anything is said.
  void Find();
  void Notify(const char* text, size_t size) const;
  // One line of text without its end, to the manager as its status and to standard error.
  void Say(const char* format, ...) const __attribute__((format(printf, 2, 3)));

 private:
  sockaddr_un address_{};
  unsigned length_ = 0;
  Descriptor socket_;
  bool speaks_ = false;
};

}  // namespace concierge::keeper
