// SPDX-License-Identifier: Apache-2.0
#include "virtio-port.h"

#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>

#include "addon.h"

namespace concierge {

namespace {

bool IsRunning(const OwnedHandle<uv_timer_t>& timer) { return uv_is_active(reinterpret_cast<const uv_handle_t*>(timer.get())) != 0; }

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

// -- polling ----------------------------------------------------------------------------------------------

int VirtioPort::PrepareToPoll() {
  inner_.Reset(epoll_create1(EPOLL_CLOEXEC));
  if (!inner_) throw SystemError("epoll_create1").ToJavaScript(Env());
  Watch();
  grace_ = NewTimer();
  stall_timer_ = NewTimer();
  return inner_.get();
}

void VirtioPort::Watch() {
  epoll_event event{.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {}};
  if (epoll_ctl(inner_.get(), EPOLL_CTL_ADD, fd(), &event) < 0) throw SystemError("epoll_ctl").ToJavaScript(Env());
}

// Makes the inner set report again whatever is the case now. A hang-up is always among what it reports.
void VirtioPort::Rearm() {
  armed_for_room_ = blocked();
  epoll_event event{.events = EPOLLET | EPOLLIN | EPOLLRDHUP | (blocked() ? EPOLLOUT : 0u), .data = {}};
  epoll_ctl(inner_.get(), EPOLL_CTL_MOD, fd(), &event);
}

// The host of what is read now may have gone already, and nothing tells of that again.
void VirtioPort::OnReady() {
  epoll_event consumed;
  if (epoll_wait(inner_.get(), &consumed, 1, 0) > 0 && (consumed.events & EPOLLHUP) != 0) hung_up_ = true;
}

// poll(2) on a port takes over what its device has just put there: the interrupt behind that then finds nothing, and wakes
// nobody. So the look itself has to tell of it.
short VirtioPort::Poll(short asked) {
  const bool awaits_room = blocked() && !claims_room_;
  const auto awaited = static_cast<short>((reading() ? POLLIN : 0) | (awaits_room ? POLLOUT : 0));
  const short state = Channel::Poll(static_cast<short>(asked | awaited));
  if ((state & awaited) != 0) Rearm();
  return state;
}

bool VirtioPort::HungUp() { return (Poll(POLLRDHUP) & (POLLHUP | POLLERR)) != 0; }

bool VirtioPort::HasInput() { return (Poll(POLLIN) & POLLIN) != 0; }

void VirtioPort::Read() {
  for (int reads = kReadsPerTurn; reads > 0; reads--) {
    const ssize_t count = ReadInbox();
    if (count > 0) {
      const Event event = host_ == Host::kMissed ? kDataAfterMiss : kData;
      host_ = Host::kPresent;
      if (stall_turns_due_ == 0) stall_turns_due_ = queue_.empty() ? kStallTurns : kLongStallTurns;
      uv_timer_stop(grace_.get());
      if (blocked()) WatchForStall();
      Emit(event, static_cast<uint32_t>(count));
      if (!open()) return;
      // No event tells again of a host that had gone before this was read.
      if (!reading()) return hung_up_ ? LookWhileBusy() : void();
    } else if (count == 0) {
      return MissHost();
    } else {
      if (!WouldBlock(errno)) return End(errno);
      hung_up_ = false;
      return;
    }
  }
  Rearm();
}

// -- the host ---------------------------------------------------------------------------------------------

// The port says that no host is there. But what the next one has sent is not held up by the control message that announces
// it: its request may have been read already, and its answer waits here for the announcement.
void VirtioPort::MissHost() {
  hung_up_ = true;
  if (host_ == Host::kGone) return;
  host_ = Host::kMissed;
  if (!InGrace()) BeginGrace();
}

// While a request is worked on nothing is read, and its host may go. The next one shows by what it sends: had the request
// been its own, it would wait for the answer. But one that was quick to come is announced after its request, and may send
// another behind it: only a request that outlives the grace period is taken for that of a host which has gone.
void VirtioPort::LookWhileBusy() {
  if (HungUp()) return MissHost();
  hung_up_ = false;
  if (IsContested() && !InGrace()) BeginGrace();
  if (blocked() && HasInput()) WatchForStall();
}

bool VirtioPort::IsContested() { return paused() && host_ == Host::kMissed && HasInput(); }

bool VirtioPort::InGrace() const { return IsRunning(grace_); }

void VirtioPort::BeginGrace() {
  grace_turns_left_ = kGraceTurns;
  uv_update_time(handles_->loop());
  uv_timer_start(
      grace_.get(), [](uv_timer_t* timer) { static_cast<VirtioPort*>(static_cast<Channel*>(timer->data))->OnGraceTurn(); }, kGraceTurn, kGraceTurn);
}

// What can be read then stays: the next host may have sent it, and the guest be slow to hear of it. Requests that the one
// before has left behind are carried out, as those of any host that does not wait for an answer.
void VirtioPort::OnGraceTurn() {
  const Napi::HandleScope scope(Env());
  [[maybe_unused]] const Napi::Value self = Self();
  hung_up_ = HungUp();
  const bool goes = hung_up_ || IsContested();
  if (goes && --grace_turns_left_ > 0) return;
  uv_timer_stop(grace_.get());
  // That a host has come is no event where the port takes nothing and has nothing to read.
  if (!goes) return blocked() ? WatchForStallIfDue() : void();
  host_ = hung_up_ ? Host::kGone : Host::kPresent;
  ChangeHost();
  if (open()) UpdateInterest();
}

// The previous host is gone: its unsent output is dropped. How long the device has refused output counts on: a host may
// give up sooner than it takes to notice, and the turns of several hosts in a row count together.
void VirtioPort::ChangeHost() {
  ClearStall();
  DropOutput();
  Rearm();
  Emit(kHostChanged, 0);
}

// -- the stalled device -----------------------------------------------------------------------------------

void VirtioPort::OnBlocked() {
  if (!armed_for_room_) Rearm();
  // This answer's host has the whole grace period from now on to be announced.
  if (HungUp()) {
    BeginGrace();
  } else {
    WatchForStallIfDue();
  }
}

void VirtioPort::OnTaken() {
  turns_refused_ = 0;
  ClearStall();
}

void VirtioPort::WatchForStall() {
  if (stall_ != Stall::kClear) return;
  stall_ = Stall::kTicking;
  uv_update_time(handles_->loop());
  uv_timer_start(
      stall_timer_.get(), [](uv_timer_t* timer) { static_cast<VirtioPort*>(static_cast<Channel*>(timer->data))->OnStallTurn(); }, kStallTurn, kStallTurn);
}

void VirtioPort::WatchForStallIfDue() {
  if (claims_room_ || IsDue()) WatchForStall();
}

void VirtioPort::ClearStall() {
  stall_ = Stall::kClear;
  stall_turns_due_ = 0;
  uv_timer_stop(stall_timer_.get());
}

// An answer of which nothing was taken, or the rest of one behind which more is asked for.
bool VirtioPort::IsDue() { return stall_turns_due_ > 0 || (paused() && HasInput()); }

// A host that reads slowly is no stall. One shows so: not the first byte of an answer is taken although all answers before
// it were; or for long nothing is, while requests wait.
void VirtioPort::OnStallTurn() {
  const Napi::HandleScope scope(Env());
  [[maybe_unused]] const Napi::Value self = Self();
  if (!blocked() || HungUp()) {
    uv_timer_stop(stall_timer_.get());
    stall_ = Stall::kClear;
    // No event may tell of it: by the next look somebody may be there again.
    if (blocked() && !InGrace()) BeginGrace();
    return;
  }
  const bool says_room = (Poll(POLLOUT) & POLLOUT) != 0;
  const int turns = (stall_turns_due_ > 0 ? stall_turns_due_ : kLongStallTurns) + (says_room ? 1 : 0);
  if (!IsDue() || ++turns_refused_ < turns) {
    if (says_room) Rearm();
    return;
  }
  uv_timer_stop(stall_timer_.get());
  stall_ = Stall::kStuck;
  turns_refused_ = 0;
  Emit(kStuck, 0);
}

// -- the reset of the device ------------------------------------------------------------------------------

// The descriptor is closed, and all else stays: `Attach` gives the next. What has come would be lost with it.
void VirtioPort::Detach() {
  HandOver();
  if (!open()) return;
  uv_timer_stop(grace_.get());
  uv_timer_stop(stall_timer_.get());
  if (stall_ == Stall::kTicking) stall_ = Stall::kClear;
  detached_ = true;
  output_ = Output::kBlocked;
  fd_.Reset();
}

// What waited is sent when the port has said that its host is there.
void VirtioPort::Attach(Descriptor fd) {
  if (!detached_) return;
  fd_ = std::move(fd);
  Watch();
  detached_ = armed_for_room_ = claims_room_ = hung_up_ = false;
  output_ = Output::kOpen;
  if (host_ == Host::kMissed) host_ = Host::kPresent;
  stall_ = Stall::kClear;
  stall_turns_due_ = turns_refused_ = 0;
  Flush();
  TellDrained();
  if (open()) UpdateInterest();
}

void VirtioPort::OnRelease() {
  detached_ = false;
  grace_.Close();
  stall_timer_.Close();
  inner_.Reset();
}

}  // namespace concierge
