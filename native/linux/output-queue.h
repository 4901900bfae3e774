// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace concierge {

// Bytes on their way out, in one piece of memory: appended at the tail, taken from the head.
class OutputQueue {
 public:
  bool empty() const { return head_ == tail_; }
  size_t size() const { return tail_ - head_; }
  const char* data() const { return memory_.get() + head_; }

  // Room for `length` bytes at the tail; `Append` says how many were put there.
  char* Reserve(size_t length) {
    if (tail_ + length > capacity_) MakeRoom(length);
    return memory_.get() + tail_;
  }
  void Append(size_t length) { tail_ += length; }
  void Append(const char* bytes, size_t length) {
    memcpy(Reserve(length), bytes, length);
    tail_ += length;
  }
  void Consume(size_t length) {
    head_ += length;
    if (empty()) Clear();
  }
  // An idle connection keeps a page, however large its last answer was.
  void Clear() {
    head_ = tail_ = 0;
    if (capacity_ > kKept) {
      memory_.reset();
      capacity_ = 0;
    }
  }

 private:
  static constexpr size_t kKept = 4096;
  struct Free {
    void operator()(char* memory) const { free(memory); }
  };

  void MakeRoom(size_t length) {
    const size_t used = size();
    if (used + length <= capacity_ && head_ >= capacity_ / 2) {
      memmove(memory_.get(), data(), used);
    } else {
      const size_t grown = capacity_ * 2 > kKept ? capacity_ * 2 : kKept;
      const size_t capacity = used + length > grown ? used + length : grown;
      auto* memory = static_cast<char*>(malloc(capacity));
      if (memory == nullptr) throw std::bad_alloc();
      if (used > 0) memcpy(memory, data(), used);
      memory_.reset(memory);
      capacity_ = capacity;
    }
    head_ = 0;
    tail_ = used;
  }

  std::unique_ptr<char, Free> memory_;
  size_t capacity_ = 0;
  size_t head_ = 0;
  size_t tail_ = 0;
};

}  // namespace concierge
