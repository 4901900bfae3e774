// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "../descriptor.h"

namespace concierge::guardian {

// Somebody at the other end of a stream socket, with whom lines are exchanged. Never blocks; a peer that does not take
// what it is told loses the rest of it, and nothing waits for it.
class Peer {
 public:
  // Output that the socket does not take at once is kept up to `capacity` bytes. False: no memory.
  bool Attach(Descriptor socket, size_t capacity);
  void Close();
  explicit operator bool() const { return static_cast<bool>(socket_); }
  int fd() const { return socket_.get(); }
  bool wants_to_write() const { return static_cast<bool>(socket_) && out_size_ > 0; }

  void Say(const char* format, ...) __attribute__((format(printf, 2, 3)));
  // Hands on what waits. Closes on failure.
  void Write();
  // Waits until another line can be said.
  void MakeRoom();
  // Reads what there is. False: the other side is gone.
  bool Read();
  // The next whole line without its end, or null. Valid until the next Read.
  char* NextLine();

 private:
  Descriptor socket_;
  char* out_ = nullptr;
  size_t out_size_ = 0, out_capacity_ = 0;
  // Two hexadecimal digits for each byte of the longest path, and the rest of a line.
  char in_[2 * 4096 + 1024];
  size_t in_start_ = 0, in_size_ = 0;
};

}  // namespace concierge::guardian
