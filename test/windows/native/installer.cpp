// In place of the provider's functions for the installer: each writes down that it was called. C:\concierge-installer.log
#include <windows.h>
#include <cstring>

static UINT called(const char *function) {
    HANDLE file = CreateFileA("C:\\concierge-installer.log", FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_ALWAYS, 0, nullptr);
    DWORD written;
    WriteFile(file, function, strlen(function), &written, nullptr);
    WriteFile(file, "\n", 1, &written, nullptr);
    CloseHandle(file);
    return ERROR_SUCCESS;
}

extern "C" __declspec(dllexport) UINT WINAPI ConciergeVssInstall(unsigned long) { return called("ConciergeVssInstall"); }
extern "C" __declspec(dllexport) UINT WINAPI ConciergeVssRemove(unsigned long) { return called("ConciergeVssRemove"); }
extern "C" __declspec(dllexport) UINT WINAPI ConciergeServiceRecovery(unsigned long) { return called("ConciergeServiceRecovery"); }
