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
  void Notify(const char* text, size_t size, int descriptor = -1) const;
  // Whether there is one. It may have no place for descriptors nevertheless.
  bool exists() const { return static_cast<bool>(socket_); }
  // Whether it stores descriptors for the next start.
  bool stores() const { return stores_; }
  // Until it has heard everything so far, and not for ever. False: it may not have.
  bool Waited() const;
  // One line of text without its end, to the manager as its status and to standard error.
  void Say(const char* format, ...) const __attribute__((format(printf, 2, 3)));

 private:
  sockaddr_un address_{};
  unsigned length_ = 0;
  Descriptor socket_;
  bool speaks_ = false;
  bool stores_ = false;
};

}  // namespace concierge::keeper
