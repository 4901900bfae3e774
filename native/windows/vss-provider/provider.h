// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <windows.h>

// Objects and locks that keep the DLL loaded.
extern LONG liveObjects;

HRESULT createProvider(REFIID interfaceId, void **made);
