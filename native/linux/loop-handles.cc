// SPDX-License-Identifier: Apache-2.0
#include "loop-handles.h"

namespace concierge {

std::shared_ptr<LoopHandles> LoopHandles::Create(napi_env env) {
  auto handles = std::make_shared<LoopHandles>();
  napi_get_uv_event_loop(env, &handles->loop_);
  napi_add_async_cleanup_hook(
      env,
      [](napi_async_cleanup_hook_handle, void* data) {
        auto* self = static_cast<LoopHandles*>(data);
        const std::shared_ptr<LoopHandles> alive = self->shared_from_this();
        self->ending_ = true;
        for (const Closer& close : self->closers_) close();
        self->EndIfClosed();
      },
      handles.get(), &handles->hook_);
  return handles;
}

void LoopHandles::EndIfClosed() {
  if (!ending_ || open_ > 0 || hook_ == nullptr) return;
  napi_remove_async_cleanup_hook(std::exchange(hook_, nullptr));
}

}  // namespace concierge
