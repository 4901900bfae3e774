// SPDX-License-Identifier: Apache-2.0
// A byte stream between the host and JavaScript over any descriptor that can be polled.
#pragma once

#include <napi.h>
#include <uv.h>

#include <cstdint>
#include <memory>

#include "descriptor.h"
#include "loop-handles.h"
#include "output-queue.h"

namespace concierge {

// The bytes of a stream (socket, terminal): reading, the output queue, back-pressure, half-close. What a virtio port has
// beside that is VirtioPort's, which replaces the steps marked virtual.
//
// Reading: bytes land in `inbox`, which all channels share, and `onEvent(kData, count)` is called; they are gone when it
// returns. A stream is read once for each readiness.
//
//   Input           | pause()      | resume() | readable, or its end   | close(), end of file, error
//   ----------------+--------------+----------+------------------------+----------------------------
//   kFlowing        | kPausedQuiet | –        | read: kData            | kEnded
//   kPausedQuiet    | –            | kFlowing | kPausedPending         | kEnded
//   kPausedPending  | –            | kFlowing | – (not polled any more) | kEnded
//   kEnded          | –            | –        | –                      | –
//
// Most requests are answered before anything else comes: a paused stream is polled for input until some does.
//
// Writing: what is written during `onEvent`, its microtasks included, leaves in one write(2) when the event has been
// dealt with, so that answers to pipelined requests cost one call. Otherwise it is tried at once.
//
//   Output   | write(2) takes all | EAGAIN              | another error            | writable
//   ---------+--------------------+---------------------+--------------------------+----------------------------
//   kOpen    | –                  | kBlocked, queued    | kMute, queue dropped     | –
//   kBlocked | –                  | –                   | kMute (queue too long)   | kOpen, flush; then kDrained
//   kMute    | what is written is dropped                                          | –
class Channel {
 public:
  // Keep in step with adapters/linux/channels/channel-binding.ts.
  enum Event : uint32_t {
    kData = 0,         // value: bytes in the inbox
    kDrained = 1,      // `write` had answered false, and all has gone out since
    kHostChanged = 2,  // a port's host has gone for good; its output was dropped
    kEnded = 3,        // nothing more will come; value: errno, 0 for the end of file
    kReleased = 4,     // the descriptor is closed; always last, unless close() or destroy() said so already
    kStuck = 5,        // a port has taken nothing for long, and will not before its device is reset; once
    kDataAfterMiss = 6  // the same as kData, from a port that has been without a host since
  };

  // `write` answers false from here on.
  static constexpr size_t kHighWater = 256 * 1024;
  // Below this, copying into the queue is cheaper than a system call of its own.
  static constexpr size_t kDirect = 16 * 1024;
  // What an event writes is gathered up to here.
  static constexpr size_t kGathered = 64 * 1024;
  // The largest answer that isn't streamed is guest-exec-status with twice 16 MiB in base64: 43 MiB. A writer that goes on
  // beyond this is not heeding `write`.
  static constexpr size_t kMaximumQueued = 96 * 1024 * 1024;

  // `owner` is the JavaScript object; it is kept alive while the descriptor is open.
  Channel(Napi::Reference<Napi::Object>& owner, int fd, Napi::Uint8Array inbox, Napi::Function on_event);
  virtual ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Once, right after the constructor. Throws a JavaScript error.
  void Open();

  void Start();
  bool Write(napi_value latin1_or_bytes);
  // (before: string, bytes: Uint8Array, after: string)
  bool WriteBase64(napi_value before, napi_value bytes, napi_value after);
  void Pause();
  void Resume();
  // True: it is closed already.
  bool Close();
  void Destroy();
  // Whether it can be handed to another process as it is: open, with nothing that waits to be sent.
  bool IsIdle() const { return fd_ && queue_.empty() && input_ != Input::kEnded; }
  // Of a port only.
  virtual void Detach() {}
  virtual void Attach(Descriptor fd) {}

 protected:
  enum class Input { kFlowing, kPausedQuiet, kPausedPending, kEnded };
  enum class Output { kOpen, kBlocked, kMute };

  Napi::Env Env() const { return owner_.Env(); }
  int fd() const { return fd_.get(); }
  // Until its last event has been told; a port without a descriptor for the time of a reset is open.
  virtual bool open() const { return static_cast<bool>(fd_); }
  bool reading() const { return started_ && input_ == Input::kFlowing; }
  bool paused() const { return input_ == Input::kPausedQuiet || input_ == Input::kPausedPending; }
  bool blocked() const { return output_ == Output::kBlocked; }

  // What is polled: the descriptor itself, or what a port has instead.
  virtual int PrepareToPoll() { return fd_.get(); }
  // Before anything else of an event is looked at.
  virtual void OnReady() {}
  virtual void Read();
  // In the place of reading, while a request is worked on.
  virtual void LookWhileBusy();
  // The descriptor was full, and what waited has gone out.
  virtual void OnUnblocked() {}
  virtual void OnResumed() {}
  virtual void OnBlocked() {}
  // Anything was taken.
  virtual void OnTaken() {}
  // write(2) answered 0: it took nothing.
  virtual void OnTakesNothing(bool nothing) {}
  virtual void OnWriteFailed();
  virtual void OnRelease() {}
  virtual bool HasPeer() const { return true; }
  virtual int WantedEvents() const;
  virtual short Poll(short asked);
  virtual bool HungUp();
  // Whether close() has to wait until what is queued has gone out.
  virtual bool Lingers() { return !queue_.empty() && !HungUp(); }

  ssize_t ReadInbox();
  void HandOver();
  void Emit(Event event, uint32_t value);
  void End(int error);
  void TellDrained();
  void Flush();
  void DropOutput();
  void UpdateInterest();
  OwnedHandle<uv_timer_t> NewTimer();
  Napi::Value Self() const { return owner_.Value(); }

  const std::shared_ptr<LoopHandles> handles_;
  Descriptor fd_;
  OutputQueue queue_;
  Output output_ = Output::kOpen;

 private:
  void OnPoll(int status, int events);
  void Release();
  void Released();

  bool WriteText(napi_value text, size_t length);
  bool WriteBytes(const char* bytes, size_t length);
  void FlushUnlessGathering();
  bool Admit(size_t length);
  void SendWith(const char* bytes, size_t length);
  ssize_t OrRefused(ssize_t count);
  ssize_t Send(const char* bytes, size_t length);
  void Stalled(int error);
  bool HasRoom();

  Napi::Reference<Napi::Object>& owner_;
  LoopHandles::Registration registration_;
  OwnedHandle<uv_poll_t> poll_;
  char* const inbox_;
  const size_t inbox_size_;
  Napi::ObjectReference inbox_owner_;
  Napi::FunctionReference on_event_;

  Input input_ = Input::kFlowing;
  int polled_ = 0;
  bool started_ = false;
  bool registered_ = false;
  bool in_event_ = false;      // writes are gathered
  bool awaits_drain_ = false;  // `write` answered false
  bool half_closed_ = false;   // a stream's client has ended its sending side: watching for its leaving would spin
};

}  // namespace concierge
