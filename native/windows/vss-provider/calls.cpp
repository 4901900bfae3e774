// Calls of VSS on threads of their own. They may hang for minutes where the service does: the threads of libuv's pool
// are few, file operations need them, and the end of the process waits for them.
#include <windows.h>
#include <objbase.h>

#include "calls.h"

// A thread routine. Every argument is a number or an address, so that all prototypes are the same to the x64 convention, which
// lets the caller pass more than the callee takes.
extern "C" DWORD WINAPI ConciergeVssThread(void *memory) {
    auto worker = static_cast<calls::Worker *>(memory);
    using Function = INT32 (*)(UINT64, UINT64, UINT64, UINT64, UINT64, UINT64, UINT64, UINT64);
    HRESULT joined = CoInitializeEx(nullptr, COINIT_MULTITHREADED);
    while (WaitForSingleObject(worker->wanted, INFINITE) == WAIT_OBJECT_0 && worker->call) {
        calls::Call *call = worker->call;
        const UINT64 *a = call->arguments;
        call->result = reinterpret_cast<Function>(call->function)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
        SetEvent(worker->done);
    }
    if (SUCCEEDED(joined)) CoUninitialize();
    return 0;
}
