// A byte stream between the host and JavaScript over any descriptor that can be polled.
#pragma once

#include <napi.h>
#include <uv.h>

#include <cstdint>

#include "descriptor.h"
#include "loop-handles.h"
#include "output-queue.h"

namespace concierge {

// `new Channel(fd, isPort, inbox, onEvent)`; owns `fd` from then on.
//
// Reading: bytes land in `inbox`, which all channels share, and `onEvent(kData, count)` is called; they are gone when it
// returns. A stream (socket, terminal) is read once for each readiness. A port (virtio-serial) is polled through an
// inner epoll set, edge-triggered, and drained: while no host is connected the port reports a hang-up for ever, and a
// level-triggered poll would spin on it.
//
// Writing: what is written during `onEvent`, its microtasks included, leaves in one write(2) when the event has been
// dealt with, so that answers to pipelined requests cost one call. Otherwise it is tried at once. What the descriptor
// doesn't take is kept, and sent when there is room.
class Channel final : public Napi::ObjectWrap<Channel> {
 public:
  // Keep in step with adapters/linux/channels/channel-binding.ts.
  enum Event : uint32_t {
    kData = 0,         // value: bytes in the inbox
    kDrained = 1,      // `write` had answered false, and all has gone out since
    kHostChanged = 2,  // a port's host has gone for good; its output was dropped
    kEnded = 3,        // nothing more will come; value: errno, 0 for the end of file
    kReleased = 4,     // the descriptor is closed; always last, unless close() or destroy() said so already
    kStuck = 5,        // a port has taken nothing for long, and will not before its device is reset; once
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
  // Buffers of a virtio port hold at most a page each; after so many the rest of the loop has its turn.
  static constexpr int kReadsPerTurn = 16;
  // More than any channel holds.
  static constexpr int kReadsAtOnce = 1024;

  // A port without a host for so long, turns of so many milliseconds, has lost it. The announcement of a host that has sent
  // something already takes as long as the kernel needs to run a work item. A guest that stood still meanwhile gets as many
  // turns as others: however long it stood, that was one of them.
  static constexpr uint64_t kFarewellTurn = 100;
  static constexpr int kFarewellTurns = 10;

  // How long a port with a host may take nothing before it is given up, in turns of so many milliseconds as above: when it
  // refuses even the first byte of an answer, and when it has stopped in the middle and another request has come.
  static constexpr uint64_t kPatienceTurn = 250;
  static constexpr int kPatience = 20;
  static constexpr int kLongPatience = 120;

  static Napi::Function Define(Napi::Env env);
  explicit Channel(const Napi::CallbackInfo& info);
  ~Channel() override;

 private:
  Napi::Value Start(const Napi::CallbackInfo& info);
  Napi::Value Write(const Napi::CallbackInfo& info);
  Napi::Value WriteBase64(const Napi::CallbackInfo& info);
  Napi::Value Pause(const Napi::CallbackInfo& info);
  Napi::Value Resume(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);
  Napi::Value Destroy(const Napi::CallbackInfo& info);
  Napi::Value Detach(const Napi::CallbackInfo& info);
  Napi::Value Attach(const Napi::CallbackInfo& info);

  bool open() const { return fd_ || detached_; }
  bool reading() const { return started_ && !paused_ && !ended_; }

  OwnedHandle<uv_timer_t> NewTimer();
  void OnPoll(int status, int events);
  void Read();
  void TellDrained();
  void Emit(Event event, uint32_t value);
  void NoticeLeaving();
  void HandOver();
  void MissHost();
  bool TakesLeave() const;
  void TakeLeave();
  void LookForHost();
  bool IsContested();
  bool HasInput();
  void BePatient();
  void AwaitRoom();
  bool IsDue();
  void OnPatience();
  void OnFarewell();
  void ChangeHost();
  void End(int error);
  void Release();
  void Released();
  short State(short asked);
  bool HungUp();

  bool WriteText(napi_value text, size_t length);
  bool WriteBytes(const char* bytes, size_t length);
  void FlushUnlessGathering();
  bool Admit(size_t length);
  void Flush();
  void SendWith(const char* bytes, size_t length);
  ssize_t OrRefused(ssize_t count);
  ssize_t Send(const char* bytes, size_t length);
  void Stalled(int error);
  bool HasRoom();
  void Taken();
  void WatchPort();
  void UpdateInterest();
  void Rearm();

  const std::shared_ptr<LoopHandles> handles_;
  LoopHandles::Registration registration_;
  Descriptor fd_;
  Descriptor inner_;  // the port's epoll set
  OwnedHandle<uv_poll_t> poll_;
  OwnedHandle<uv_timer_t> farewell_;  // a port's
  OwnedHandle<uv_timer_t> patience_;  // a port's
  const bool is_port_;
  char* inbox_ = nullptr;
  size_t inbox_size_ = 0;
  Napi::ObjectReference inbox_owner_;
  Napi::FunctionReference on_event_;

  OutputQueue queue_;
  int polled_ = 0;
  bool started_ = false;
  bool paused_ = false;
  bool lingering_ = false;     // paused, and nothing has come since
  bool ended_ = false;         // no more input is wanted or to be had
  bool in_event_ = false;      // writes are gathered
  bool blocked_ = false;       // the descriptor takes nothing: waiting until it is writable
  bool awaits_drain_ = false;  // `write` answered false
  bool half_closed_ = false;   // a stream's client has ended its sending side: watching for its leaving would spin
  bool mute_ = false;          // a write failed: a stream takes nothing more
  bool claims_room_ = false;   // a port took nothing although it said that it had room
  bool armed_for_room_ = false;  // a port's inner set asks for EPOLLOUT
  bool hung_up_ = false;       // what a port said last: no host is there
  bool missed_ = false;        // it said so, and nothing was read since
  int turns_left_ = 0;         // of a farewell
  int patience_due_ = 0;       // turns for what was last read to be answered; 0: something was taken since
  int turns_refused_ = 0;      // since anything was taken, while somebody was there to take it
  bool stuck_ = false;
  bool detached_ = false;      // a port whose device is being reset: what is written waits for its next descriptor
  bool host_present_ = true;
};

}  // namespace concierge
