// A double of vioser's port, with the rules of the driver's source: a read without a host fails with 1450; one with a host
// waits, also when the host goes; a write without a host, or with a full queue, fails with 554; a write that the host has not
// taken is not cancelled; the port is one program's at a time, and stays so while a call of it is on. A sleep forgets input
// and writes, and tells nobody.
#include <windows.h>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>

#include "port-driver.h"

#define EXPORT extern "C" __declspec(dllexport)

namespace {

const wchar_t portPath[] = L"\\\\.\\Global\\concierge.test.port";
const size_t queueLength = 4;
const DWORD portInformation = 0x00222002;

struct Lock {
    static SRWLOCK lock;
    Lock() { AcquireSRWLockExclusive(&lock); }
    ~Lock() { ReleaseSRWLockExclusive(&lock); }
};
SRWLOCK Lock::lock = SRWLOCK_INIT;

struct Write { OVERLAPPED *overlapped; std::string bytes; };

struct Port {
    HANDLE handle = nullptr;
    bool hostIsThere = false, hostTakes = true;
    std::string fromHost, toHost;
    OVERLAPPED *pendingRead = nullptr;
    void *readInto = nullptr;
    DWORD readRoom = 0;
    std::deque<Write> queue;
    // Calls that are on: the file is open until they have come back.
    size_t calls() const { return queue.size() + (pendingRead ? 1 : 0); }
} port;
DWORD handlesMade = 0;

BOOL fails(DWORD code) { SetLastError(code); return FALSE; }

BOOL pends(OVERLAPPED *overlapped) {
    overlapped->Internal = STATUS_PENDING;
    ResetEvent(overlapped->hEvent);
    return fails(ERROR_IO_PENDING);
}

void completes(OVERLAPPED *overlapped, DWORD code, size_t moved) {
    overlapped->Internal = code;
    overlapped->InternalHigh = moved;
    SetEvent(overlapped->hEvent);
}

void deliver() {
    if (!port.pendingRead || port.fromHost.empty()) return;
    size_t length = port.fromHost.size() < port.readRoom ? port.fromHost.size() : port.readRoom;
    memcpy(port.readInto, port.fromHost.data(), length);
    port.fromHost.erase(0, length);
    OVERLAPPED *read = port.pendingRead;
    port.pendingRead = nullptr;
    completes(read, ERROR_SUCCESS, length);
}

void drain() {
    while (port.hostIsThere && port.hostTakes && !port.queue.empty()) {
        Write write = port.queue.front();
        port.queue.pop_front();
        port.toHost += write.bytes;
        completes(write.overlapped, ERROR_SUCCESS, write.bytes.size());
    }
}

} // namespace

bool isPort(const wchar_t *path) { return wcscmp(path, portPath) == 0; }
bool isPort(HANDLE handle) { return handle && handle == port.handle; }

HANDLE openPort() {
    Lock lock;
    if (port.handle || port.calls() > 0) {
        SetLastError(ERROR_ACCESS_DENIED);
        return INVALID_HANDLE_VALUE;
    }
    handlesMade++;
    // Any handle that can be closed and looked at.
    port.handle = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    return port.handle;
}

BOOL readPort(void *into, DWORD length, OVERLAPPED *overlapped) {
    Lock lock;
    if (port.fromHost.empty() && !port.hostIsThere) return fails(ERROR_NO_SYSTEM_RESOURCES);
    if (port.pendingRead) return fails(ERROR_BUSY);
    port.pendingRead = overlapped;
    port.readInto = into;
    port.readRoom = length;
    pends(overlapped);
    deliver();
    return fails(ERROR_IO_PENDING);
}

BOOL askPort(DWORD code, void *out, DWORD size, OVERLAPPED *overlapped) {
    Lock lock;
    // An invalid device request.
    if (code != portInformation) return fails(ERROR_INVALID_FUNCTION);
    const char name[] = "concierge.test.port";
    struct Information { UINT id; BOOLEAN full, host, guest; CHAR name[1]; } information = {1, port.queue.size() >= queueLength, port.hostIsThere, TRUE, {0}};
    if (size < sizeof information + sizeof name) return fails(ERROR_MORE_DATA);
    memcpy(out, &information, sizeof information);
    memcpy((char *)out + offsetof(Information, name), name, sizeof name);
    completes(overlapped, ERROR_SUCCESS, sizeof information + sizeof name);
    return TRUE;
}

EXPORT BOOL WINAPI DoubleWriteFile(HANDLE file, LPCVOID from, DWORD length, LPDWORD written, LPOVERLAPPED overlapped) {
    if (!isPort(file)) return WriteFile(file, from, length, written, overlapped);
    Lock lock;
    if (!port.hostIsThere || port.queue.size() >= queueLength) return fails(554);
    port.queue.push_back({overlapped, std::string((const char *)from, length)});
    pends(overlapped);
    drain();
    return fails(ERROR_IO_PENDING);
}

EXPORT BOOL WINAPI DoubleCancelIoEx(HANDLE file, LPOVERLAPPED overlapped) {
    if (!isPort(file)) return CancelIoEx(file, overlapped);
    Lock lock;
    if (overlapped != port.pendingRead) return TRUE;
    port.pendingRead = nullptr;
    completes(overlapped, ERROR_OPERATION_ABORTED, 0);
    return TRUE;
}

EXPORT BOOL WINAPI DoubleGetOverlappedResult(HANDLE file, LPOVERLAPPED overlapped, LPDWORD moved, BOOL wait) {
    if (!isPort(file)) return GetOverlappedResult(file, overlapped, moved, wait);
    Lock lock;
    if (overlapped->Internal == STATUS_PENDING) return fails(ERROR_IO_INCOMPLETE);
    *moved = (DWORD)overlapped->InternalHigh;
    return overlapped->Internal == ERROR_SUCCESS ? TRUE : fails((DWORD)overlapped->Internal);
}

EXPORT BOOL WINAPI DoubleCloseHandle(HANDLE handle) {
    if (isPort(handle)) {
        Lock lock;
        port.handle = nullptr;
        port.fromHost.clear();
    }
    return CloseHandle(handle);
}

// What the host does. The driver's event is the caller's to send, or to lose.
EXPORT void WINAPI DoublePortHostComes(void) { Lock lock; port.hostIsThere = true; drain(); }
EXPORT void WINAPI DoublePortHostGoes(void) { Lock lock; port.hostIsThere = false; }
EXPORT void WINAPI DoublePortHostTakes(int takes) { Lock lock; port.hostTakes = takes; drain(); }
EXPORT void WINAPI DoublePortHostSends(const char *text) { Lock lock; port.fromHost += text; deliver(); }
// What the host has taken since the last call, up to a size, and zero at its end.
EXPORT DWORD WINAPI DoublePortTaken(char *into, DWORD size) {
    Lock lock;
    DWORD length = port.toHost.size() < size ? (DWORD)port.toHost.size() : size;
    memcpy(into, port.toHost.data(), length);
    port.toHost.erase(0, length);
    return length;
}
// The driver's power-down: input and writes are gone, and nobody is told; a read that waits is forgotten.
EXPORT void WINAPI DoublePortSleeps(int hostAfterwards) {
    Lock lock;
    port.fromHost.clear();
    port.queue.clear();
    port.hostIsThere = hostAfterwards;
}
EXPORT DWORD WINAPI DoublePortHandles(void) { return handlesMade; }
