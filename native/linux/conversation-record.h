// SPDX-License-Identifier: Apache-2.0
// What of a conversation outlives this process where somebody else holds the descriptors: memory files whose positions say how far a
// stream has come. Bytes and position move in one system call, so that whenever this process ends each byte is in one place.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "descriptor.h"

namespace concierge {

// One stream of output: the file has what was read of it, at the offsets that it has in the stream.
class OutputRecord {
 public:
  // False: there is no memory for it. A terminal is read by way of a pipe, for splice(2) needs one.
  bool Make(bool of_terminal);
  // One that an earlier process of ours has made; what it has from `told` on is delivered again.
  void Adopt(Descriptor file, Descriptor out_of, Descriptor into);
  void DeliverFrom(off_t told) { told_ = forgotten_ = told; }

  bool exists() const { return static_cast<bool>(file_); }
  // No memory was left for it: what was read since is known to this process only.
  bool is_broken() const { return is_broken_; }
  // Offset behind the last byte that it has.
  off_t end() const;
  // Whether it has something that was not delivered.
  bool HasMore() const { return exists() && told_ < end(); }
  // As read(2) of `from`, a pipe or a terminal, which may be closed as long as `HasMore`.
  ssize_t Take(int from, char* into, size_t size);
  // Gives back memory before an offset.
  void Forget(off_t before);

  int file() const { return file_.get(); }
  int out_of() const { return out_of_.get(); }
  int into() const { return into_.get(); }

 private:
  ssize_t Deliver(char* into, size_t size);

  Descriptor file_;
  // The pipe behind a terminal.
  Descriptor out_of_, into_;
  off_t told_ = 0;
  off_t forgotten_ = 0;
  bool is_broken_ = false;
};

// The input: the position of the file is the number of bytes that the program was given.
class InputRecord {
 public:
  bool Make();
  void Adopt(Descriptor file) { file_ = static_cast<Descriptor&&>(file); }

  bool exists() const { return static_cast<bool>(file_); }
  bool is_broken() const { return is_broken_; }
  off_t accepted() const;
  // As write(2) to `to`.
  ssize_t Give(int to, bool is_pipe, const char* bytes, size_t size);
  // Something counts as given that was not, so that it is not given twice.
  void PassOver(off_t count);
  // The byte that was given last; a line feed where there is none.
  char Last() const;

  int file() const { return file_.get(); }

 private:
  Descriptor file_;
  off_t forgotten_ = 0;
  bool is_broken_ = false;
};

}  // namespace concierge
