// SPDX-License-Identifier: Apache-2.0
// Process 1 of a container is the parent of whatever has lost its own: nobody else takes their ends.

#include <signal.h>

#include <algorithm>
#include <memory>

#include "addon.h"
#include "own-children.h"

namespace concierge {

namespace {

// While a child of the agent's own is being started, which can wait for a disk, strangers wait for so long.
constexpr uint64_t kFirstPauseMs = 100;
constexpr uint64_t kLongestPauseMs = 10'000;

class OrphanWatch {
 public:
  explicit OrphanWatch(std::shared_ptr<LoopHandles> handles) : handles_(std::move(handles)) {
    auto* signal = new uv_signal_t;
    uv_signal_init(handles_->loop(), signal);
    signal->data = this;
    uv_unref(reinterpret_cast<uv_handle_t*>(signal));
    signal_ = OwnedHandle<uv_signal_t>(handles_, signal);
    auto* timer = new uv_timer_t;
    uv_timer_init(handles_->loop(), timer);
    timer->data = this;
    uv_unref(reinterpret_cast<uv_handle_t*>(timer));
    timer_ = OwnedHandle<uv_timer_t>(handles_, timer);
    handles_->OnEnd([this] {
      signal_.Close();
      timer_.Close();
    });
    uv_signal_start(signal, [](uv_signal_t* handle, int) { static_cast<OrphanWatch*>(handle->data)->Look(kFirstPauseMs); }, SIGCHLD);
    Look(kFirstPauseMs);
  }

 private:
  void Look(uint64_t pause) {
    if (ReapOrphans()) return;
    pause_ = pause;
    uv_timer_start(
        timer_.get(),
        [](uv_timer_t* handle) {
          auto* self = static_cast<OrphanWatch*>(handle->data);
          self->Look(std::min(self->pause_ * 2, kLongestPauseMs));
        },
        pause, 0);
  }

  const std::shared_ptr<LoopHandles> handles_;
  OwnedHandle<uv_signal_t> signal_;
  OwnedHandle<uv_timer_t> timer_;
  uint64_t pause_ = kFirstPauseMs;
};

// () → undefined: from now on the ends of children that were not started here are taken.
Napi::Value ReapOrphansFromNowOn(const Napi::CallbackInfo& info) {
  std::shared_ptr<OrphanWatch>& watch = AddonData::Of(info.Env()).PartData<std::shared_ptr<OrphanWatch>>();
  if (watch == nullptr) watch = std::make_shared<OrphanWatch>(AddonData::Of(info.Env()).handles);
  return info.Env().Undefined();
}

const Part part([](Napi::Env env, Napi::Object exports) { exports.Set("reapOrphans", Napi::Function::New(env, Guarded<ReapOrphansFromNowOn>)); });

}  // namespace

}  // namespace concierge
