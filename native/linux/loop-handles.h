// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <node_api.h>
#include <uv.h>

#include <functional>
#include <list>
#include <memory>
#include <utility>

namespace concierge {

// The libuv handles of one environment. Node frees the loop only after the last of them has closed, which takes a turn
// of the loop: each is counted, and the environment waits for them when it ends.
class LoopHandles : public std::enable_shared_from_this<LoopHandles> {
 public:
  // Called once when the environment ends: closes what is still open.
  using Closer = std::function<void()>;
  using Registration = std::list<Closer>::iterator;

  static std::shared_ptr<LoopHandles> Create(napi_env env);

  uv_loop_t* loop() const { return loop_; }
  bool ending() const { return ending_; }

  Registration OnEnd(Closer closer) { return closers_.insert(closers_.end(), std::move(closer)); }
  void Forget(Registration registration) {
    if (!ending_) closers_.erase(registration);
  }

  // Closes an initialised handle that was made by `new Handle` and frees it when libuv has let go of it.
  template <class Handle>
  void Close(Handle* handle) {
    struct Closing {
      std::shared_ptr<LoopHandles> owner;
    };
    handle->data = new Closing{shared_from_this()};
    open_++;
    uv_close(reinterpret_cast<uv_handle_t*>(handle), [](uv_handle_t* closed) {
      auto* closing = static_cast<Closing*>(closed->data);
      const std::shared_ptr<LoopHandles> owner = std::move(closing->owner);
      delete closing;
      delete reinterpret_cast<Handle*>(closed);
      owner->open_--;
      owner->EndIfClosed();
    });
  }

 private:
  void EndIfClosed();

  uv_loop_t* loop_ = nullptr;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  std::list<Closer> closers_;
  int open_ = 0;
  bool ending_ = false;
};

// A handle that closes itself.
template <class Handle>
class OwnedHandle {
 public:
  OwnedHandle() = default;
  OwnedHandle(std::shared_ptr<LoopHandles> owner, Handle* handle) : owner_(std::move(owner)), handle_(handle) {}
  OwnedHandle(const OwnedHandle&) = delete;
  OwnedHandle& operator=(OwnedHandle&& other) noexcept {
    Close();
    owner_ = std::move(other.owner_);
    handle_ = std::exchange(other.handle_, nullptr);
    return *this;
  }
  ~OwnedHandle() { Close(); }

  Handle* get() const { return handle_; }
  explicit operator bool() const { return handle_ != nullptr; }
  void Close() {
    if (handle_ != nullptr) owner_->Close(std::exchange(handle_, nullptr));
  }

 private:
  std::shared_ptr<LoopHandles> owner_;
  Handle* handle_ = nullptr;
};

}  // namespace concierge
