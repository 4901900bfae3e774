// SPDX-License-Identifier: Apache-2.0
// The host's end of a virtio-serial port: whether a host is there, and whether the device still takes anything.
#pragma once

#include "channel.h"

namespace concierge {

// A port (virtio-serial) is polled through an inner epoll set, edge-triggered, and drained: while no host is connected
// the port reports a hang-up for ever, and a level-triggered poll would spin on it. What the descriptor doesn't take is
// kept, and sent when there is room.
//
// The host. A hang-up is not the end: what the next host sends is not held up by the control message that announces it.
// So a host is given a grace period before it counts as gone.
//
//   Host     | read(2) answers data           | hang-up                      | grace period ends, hung up          | … not hung up
//   ---------+--------------------------------+------------------------------+-------------------------------------+---------------
//   kPresent | kData                          | kMissed, grace period begins | kGone, output dropped, kHostChanged | kPresent
//   kMissed  | kDataAfterMiss: kPresent, grace ends | – (grace period goes on) | the same                           | kMissed
//   kGone    | kData: kPresent                | –                            | –                                   | –
//
// While a request is worked on nothing is read: input behind a hang-up (a contested port) begins a grace period too, and
// a request that outlives it is taken for that of a host which has gone: kHostChanged, and the host stays kPresent.
//
// The device. Each time that a host leaves while QEMU (7.2 to 11.1) holds something for it, the port loses one of its 128
// buffers, and without any nothing is taken from the guest again until the device is reset.
//
//   Stall    | output refused, somebody there | anything taken | host gone or changed | refused for long enough
//   ---------+--------------------------------+----------------+----------------------+-------------------------
//   kClear   | kTicking                       | –              | –                    | –
//   kTicking | –                              | kClear         | kClear               | kStuck, event kStuck
//   kStuck   | –                              | kClear         | kClear               | –
class VirtioPort final : public Channel {
 public:
  // Buffers of a virtio port hold at most a page each; after so many the rest of the loop has its turn.
  static constexpr int kReadsPerTurn = 16;

  // The grace period: a port without a host for so long, turns of so many milliseconds, has lost it. The announcement of a
  // host that has sent something already takes as long as the kernel needs to run a work item. A guest that stood still
  // meanwhile gets as many turns as others: however long it stood, that was one of them.
  static constexpr uint64_t kGraceTurn = 100;
  static constexpr int kGraceTurns = 10;

  // How long a port with a host may take nothing before it is stuck, in turns of so many milliseconds as above: when it
  // refuses even the first byte of an answer, and when it has stopped in the middle and another request has come.
  static constexpr uint64_t kStallTurn = 250;
  static constexpr int kStallTurns = 20;
  static constexpr int kLongStallTurns = 120;

  using Channel::Channel;

  void Detach() override;
  void Attach(Descriptor fd) override;

 private:
  enum class Host { kPresent, kMissed, kGone };
  enum class Stall { kClear, kTicking, kStuck };

  bool open() const override { return Channel::open() || detached_; }
  int PrepareToPoll() override;
  void OnReady() override;
  void Read() override;
  void LookWhileBusy() override;
  void OnUnblocked() override { Rearm(); }
  void OnResumed() override { Rearm(); }
  void OnBlocked() override;
  void OnTaken() override;
  void OnTakesNothing(bool nothing) override { claims_room_ = nothing; }
  // A port lives on: reading tells when it is gone for good.
  void OnWriteFailed() override {}
  void OnRelease() override;
  bool HasPeer() const override { return host_ != Host::kGone; }
  int WantedEvents() const override { return UV_READABLE; }
  short Poll(short asked) override;
  bool HungUp() override;
  bool Lingers() override { return false; }

  void Watch();
  void Rearm();
  bool HasInput();

  void MissHost();
  bool IsContested();
  bool InGrace() const;
  void BeginGrace();
  void OnGraceTurn();
  void ChangeHost();

  void WatchForStall();
  void WatchForStallIfDue();
  void ClearStall();
  bool IsDue();
  void OnStallTurn();

  Descriptor inner_;  // the epoll set
  OwnedHandle<uv_timer_t> grace_;
  OwnedHandle<uv_timer_t> stall_timer_;

  Host host_ = Host::kPresent;
  Stall stall_ = Stall::kClear;
  int grace_turns_left_ = 0;
  int stall_turns_due_ = 0;  // turns for what was last read to be answered; 0: something was taken since
  int turns_refused_ = 0;    // since anything was taken, while somebody was there to take it
  bool hung_up_ = false;     // what the port said last: no host is there
  bool claims_room_ = false;     // it took nothing although it said that it had room
  bool armed_for_room_ = false;  // the inner set asks for EPOLLOUT
  bool detached_ = false;        // its device is being reset: what is written waits for its next descriptor
};

}  // namespace concierge
