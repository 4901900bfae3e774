// SPDX-License-Identifier: Apache-2.0
// What the agent and a thread that makes its calls share.
#pragma once
#include <windows.h>

namespace calls {

// adapters/windows/own-thread.ts has the same two.
struct Call {
    void *function;
    UINT64 arguments[8];
    INT32 result;
};

struct Worker {
    HANDLE wanted; // set by the agent: there is a call, or none any more
    HANDLE done;   // set by the thread
    Call *call;    // null: the thread is to end
};

} // namespace calls
