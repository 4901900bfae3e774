// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <windows.h>

// A double of vioser's port, in this process, with the rules that its source states: see port-driver.cpp.
bool isPort(const wchar_t *path);
bool isPort(HANDLE handle);
HANDLE openPort();
BOOL readPort(void *into, DWORD length, OVERLAPPED *overlapped);
BOOL askPort(DWORD code, void *out, DWORD size, OVERLAPPED *overlapped);

// mingw-w64 of Debian 12 does not have it (powerbase.h of the SDK).
typedef struct { ULONG (CALLBACK *Callback)(PVOID, ULONG, PVOID); PVOID Context; } DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS;
