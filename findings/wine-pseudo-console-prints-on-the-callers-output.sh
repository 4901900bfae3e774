#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Wine 8.0 (Debian 12, 8.0~repack-4; mingw-w64 compiles the program; 2026-12-01): CreatePseudoConsole answers S_OK, and a program is started on
# that console without an error, but what the program writes goes to the standard output of whoever started it. The console's own pipe
# stays empty. Only ResizePseudoConsole tells that nothing is there: E_NOTIMPL. Who asks whether there are terminals has to resize one.
#
# Seen:
#   CreatePseudoConsole:                                 0x00000000
#   CreateProcess on it, exit code:                      1 0
#   bytes in the pipe of the console:                    0
#   what the caller's standard output has got:           written-by-the-child
#   ResizePseudoConsole:                                 0x80004001
source "$(dirname "$0")/lib.sh"
wine=/usr/lib/wine/wine64
[ "$("$wine" --version 2>/dev/null)" = 'wine-8.0 (Debian 8.0~repack-4)' ] && command -v x86_64-w64-mingw32-g++ >/dev/null || { echo 'wine64=8.0~repack-4 or g++-mingw-w64-x86-64 is not installed'; exit 2; }
cat >"$work/console.cpp" <<'END'
#include <windows.h>
#include <cstdio>
typedef HRESULT(WINAPI *Create)(COORD, HANDLE, HANDLE, DWORD, void **);
typedef HRESULT(WINAPI *Resize)(void *, COORD);
int main() {
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    auto create = (Create)(void *)GetProcAddress(kernel, "CreatePseudoConsole");
    auto resize = (Resize)(void *)GetProcAddress(kernel, "ResizePseudoConsole");
    HANDLE inRead, inWrite, outRead, outWrite;
    CreatePipe(&inRead, &inWrite, nullptr, 0);
    CreatePipe(&outRead, &outWrite, nullptr, 0);
    void *console = nullptr;
    HRESULT made = create({80, 24}, inRead, outWrite, 0, &console);
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
    auto list = (LPPROC_THREAD_ATTRIBUTE_LIST)HeapAlloc(GetProcessHeap(), 0, size);
    InitializeProcThreadAttributeList(list, 1, 0, &size);
    UpdateProcThreadAttribute(list, 0, 0x00020016 /* PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE */, console, sizeof console, nullptr, nullptr);
    STARTUPINFOEXW start{};
    start.StartupInfo.cb = sizeof start;
    start.lpAttributeList = list;
    PROCESS_INFORMATION child{};
    wchar_t line[] = L"cmd.exe /c echo written-by-the-child";
    BOOL started = CreateProcessW(nullptr, line, nullptr, nullptr, FALSE, EXTENDED_STARTUPINFO_PRESENT, nullptr, nullptr, &start.StartupInfo, &child);
    WaitForSingleObject(child.hProcess, 60000);
    DWORD code = 99, there = 0;
    GetExitCodeProcess(child.hProcess, &code);
    Sleep(1000);
    PeekNamedPipe(outRead, nullptr, 0, nullptr, &there, nullptr);
    FILE *told = fopen("told", "wb");
    fprintf(told, "0x%08lX\n%d %lu\n%lu\n0x%08lX\n", (unsigned long)made, started, code, there, (unsigned long)resize(console, {100, 30}));
    fclose(told);
}
END
x86_64-w64-mingw32-g++ -O1 -static -o "$work/console.exe" "$work/console.cpp"
export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree=d;mshtml=d'
unset DISPLAY
# Wine writes to no pipe of this system.
(cd "$work" && timeout 120 "$wine" console.exe >said 2>complaints </dev/null) || true
timeout 60 /usr/lib/wine/wineserver -k || true
timeout 60 /usr/lib/wine/wineserver -w || true
mapfile -t line <"$work/told"

expect 'CreatePseudoConsole' "${line[0]}" 0x00000000
expect 'CreateProcess on it, exit code' "${line[1]}" '1 0'
expect 'bytes in the pipe of the console' "${line[2]}" 0
expect "what the caller's standard output has got" "$(tr -d '\r' <"$work/said" | grep written)" written-by-the-child
expect 'ResizePseudoConsole' "${line[3]}" 0x80004001
