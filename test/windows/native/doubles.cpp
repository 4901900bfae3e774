// Doubles of what must not really happen in a test, or what Wine only stubs. Each call is a line of the file that
// CONCIERGE_DOUBLES_LOG names; CONCIERGE_DOUBLES_FAIL="Function=code,..." makes calls fail.
#define _WIN32_WINNT 0x0A00
#include <winsock2.h>
#include <windows.h>
#include <cfgmgr32.h>
#include <lm.h>
#include <powrprof.h>
#include <wtsapi32.h>
#include <cstdarg>
#include <string>
#include <cstdio>
#include <cstdlib>
#include <cstring>

static void record(const char *format, ...) {
    char path[MAX_PATH];
    DWORD length = GetEnvironmentVariableA("CONCIERGE_DOUBLES_LOG", path, sizeof path);
    if (length == 0 || length >= sizeof path) return;
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[size++] = '\n';
    HANDLE file = CreateFileA(path, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_ALWAYS, 0, nullptr);
    if (file == INVALID_HANDLE_VALUE) return;
    DWORD written;
    WriteFile(file, line, size, &written, nullptr);
    CloseHandle(file);
}

static std::string utf8(const wchar_t *text) {
    char bytes[512];
    WideCharToMultiByte(CP_UTF8, 0, text ? text : L"-", -1, bytes, sizeof bytes, nullptr, nullptr);
    return bytes;
}

/** The code that a call has to fail with; 0 for none. */
static DWORD fault(const char *function) {
    char list[512];
    DWORD length = GetEnvironmentVariableA("CONCIERGE_DOUBLES_FAIL", list, sizeof list);
    if (length == 0 || length >= sizeof list) return 0;
    size_t name = strlen(function);
    for (char *at = strtok(list, ","); at; at = strtok(nullptr, ",")) {
        if (strncmp(at, function, name) == 0 && at[name] == '=') return strtoul(at + name + 1, nullptr, 0);
    }
    return 0;
}

static BOOL answer(const char *function) {
    DWORD code = fault(function);
    SetLastError(code);
    return code == 0;
}

#define EXPORT extern "C" __declspec(dllexport)

// -- kernel32, advapi32, powrprof
EXPORT BOOL WINAPI DoubleSetSystemTime(const SYSTEMTIME *t) {
    record("SetSystemTime %04d-%02d-%02dT%02d:%02d:%02d.%03d", t->wYear, t->wMonth, t->wDay, t->wHour, t->wMinute, t->wSecond, t->wMilliseconds);
    return answer("SetSystemTime");
}
EXPORT BOOL WINAPI DoubleInitiateSystemShutdownExW(LPWSTR machine, LPWSTR message, DWORD seconds, BOOL force, BOOL reboot, DWORD reason) {
    record("InitiateSystemShutdownEx machine=%ls seconds=%lu force=%d reboot=%d reason=0x%lx", machine ? machine : L"-", seconds, force, reboot, reason);
    return answer("InitiateSystemShutdownEx");
}
EXPORT BOOLEAN WINAPI DoubleSetSuspendState(BOOLEAN hibernate, BOOLEAN force, BOOLEAN noWake) {
    record("SetSuspendState hibernate=%d force=%d noWake=%d", hibernate, force, noWake);
    return answer("SetSuspendState");
}
EXPORT BOOLEAN WINAPI DoubleGetPwrCapabilities(SYSTEM_POWER_CAPABILITIES *able) {
    memset(able, 0, sizeof *able);
    able->SystemS3 = fault("S3") == 0;
    able->SystemS4 = fault("S4") == 0;
    return answer("GetPwrCapabilities");
}

// -- the event log, and a service manager that refuses
EXPORT HANDLE WINAPI DoubleRegisterEventSourceW(LPCWSTR, LPCWSTR source) {
    record("RegisterEventSource %s", utf8(source).c_str());
    return (HANDLE)1;
}
EXPORT BOOL WINAPI DoubleReportEventW(HANDLE, WORD type, WORD category, DWORD id, PSID, WORD count, DWORD, LPCWSTR *texts, LPVOID) {
    record("ReportEvent type=%u category=%u id=%lu texts=%u %s", type, category, id, count, utf8(texts[0]).c_str());
    return answer("ReportEvent");
}
EXPORT SC_HANDLE WINAPI DoubleOpenSCManagerW(LPCWSTR machine, LPCWSTR database, DWORD access) {
    return answer("OpenSCManager") ? OpenSCManagerW(machine, database, access) : nullptr;
}
EXPORT SC_HANDLE WINAPI DoubleOpenServiceW(SC_HANDLE manager, LPCWSTR name, DWORD access) {
    return answer("OpenService") ? OpenServiceW(manager, name, access) : nullptr;
}

// -- devices that come and go: `Notify` makes the callbacks, as the system does on a thread of its own
static struct { PCM_NOTIFY_CALLBACK callback; void *context; CM_NOTIFY_FILTER filter; } watches[16];
static SRWLOCK watching = SRWLOCK_INIT;
EXPORT CONFIGRET WINAPI DoubleCM_Register_Notification(PCM_NOTIFY_FILTER filter, PVOID context, PCM_NOTIFY_CALLBACK callback, PHCMNOTIFICATION registered) {
    if (filter->cbSize != sizeof *filter) return CR_INVALID_DATA;
    for (auto &one : watches) {
        if (one.callback) continue;
        record("CM_Register_Notification type=%d", filter->FilterType);
        one = {callback, context, *filter};
        *registered = (HCMNOTIFICATION)&one;
        return CR_SUCCESS;
    }
    return CR_OUT_OF_MEMORY;
}
EXPORT CONFIGRET WINAPI DoubleCM_Unregister_Notification(HCMNOTIFICATION registered) {
    // It waits for callbacks that are under way.
    AcquireSRWLockExclusive(&watching);
    ((decltype(&watches[0]))registered)->callback = nullptr;
    ReleaseSRWLockExclusive(&watching);
    record("CM_Unregister_Notification");
    return CR_SUCCESS;
}
EXPORT DWORD WINAPI DoubleNotify(int action, const GUID *guid) {
    DWORD heard = 0;
    AcquireSRWLockShared(&watching);
    for (auto &one : watches) {
        bool ofInterface = action <= CM_NOTIFY_ACTION_DEVICEINTERFACEREMOVAL;
        if (!one.callback || ofInterface != (one.filter.FilterType == CM_NOTIFY_FILTER_TYPE_DEVICEINTERFACE)) continue;
        if (ofInterface && memcmp(&one.filter.u.DeviceInterface.ClassGuid, guid, sizeof *guid) != 0) continue;
        CM_NOTIFY_EVENT_DATA event{};
        event.FilterType = one.filter.FilterType;
        event.u.DeviceHandle.EventGuid = *guid; // where the class of an interface is, too
        heard++;
        one.callback((HCMNOTIFICATION)&one, one.context, (CM_NOTIFY_ACTION)action, &event, sizeof event);
        DWORD flags;
        if (action == CM_NOTIFY_ACTION_DEVICEQUERYREMOVE) record("handle %s", GetHandleInformation(one.filter.u.DeviceHandle.hTarget, &flags) ? "open" : "closed");
    }
    ReleaseSRWLockShared(&watching);
    return heard;
}
EXPORT BOOL WINAPI DoubleReadFile(HANDLE file, LPVOID into, DWORD length, LPDWORD read, LPOVERLAPPED overlapped) {
    record("ReadFile");
    return answer("ReadFile") ? ReadFile(file, into, length, read, overlapped) : FALSE;
}

// -- netapi32
EXPORT NET_API_STATUS WINAPI DoubleNetUserSetInfo(LPCWSTR server, LPCWSTR user, DWORD level, LPBYTE info, LPDWORD) {
    record("NetUserSetInfo server=%s user=%s level=%lu password=%s", utf8(server).c_str(), utf8(user).c_str(), level, utf8(((USER_INFO_1003 *)info)->usri1003_password).c_str());
    if (wcscmp(user, L"nobody at all") == 0) return NERR_UserNotFound;
    return fault("NetUserSetInfo");
}

// -- wtsapi32: two people on three sessions, and one session without anybody
static const struct { DWORD id; const wchar_t *domain, *user; long long logon; } people[] = {
    {1, L"HOST", L"Alice", 133444736000000000LL}, {2, L"", L"", 0}, {3, L"CORP", L"B\u00f6b", 133444736005000000LL}, {4, L"HOST", L"Alice", 133400000000000000LL},
};
EXPORT BOOL WINAPI DoubleWTSEnumerateSessionsW(HANDLE, DWORD, DWORD, PWTS_SESSION_INFOW *sessions, DWORD *count) {
    *count = sizeof people / sizeof *people;
    *sessions = (PWTS_SESSION_INFOW)calloc(*count, sizeof **sessions);
    for (DWORD i = 0; i < *count; i++) (*sessions)[i].SessionId = people[i].id;
    return answer("WTSEnumerateSessions");
}
EXPORT BOOL WINAPI DoubleWTSQuerySessionInformationW(HANDLE, DWORD session, WTS_INFO_CLASS kind, LPWSTR *buffer, DWORD *bytes) {
    if (kind != WTSSessionInfo) return FALSE;
    auto info = (WTSINFOW *)calloc(1, sizeof(WTSINFOW));
    for (auto &one : people) {
        if (one.id != session) continue;
        wcscpy(info->Domain, one.domain);
        wcscpy(info->UserName, one.user);
        info->LogonTime.QuadPart = one.logon;
    }
    *buffer = (LPWSTR)info;
    *bytes = sizeof *info;
    return answer("WTSQuerySessionInformation");
}
EXPORT void WINAPI DoubleWTSFreeMemory(void *memory) { record("WTSFreeMemory"); free(memory); }

// -- pdh: a queue of three
EXPORT DWORD WINAPI DoublePdhOpenQueryW(LPCWSTR, DWORD_PTR, void **query) { *query = (void *)1; return fault("PdhOpenQuery"); }
EXPORT DWORD WINAPI DoublePdhAddEnglishCounterW(void *, LPCWSTR path, DWORD_PTR, void **counter) {
    record("PdhAddEnglishCounter %ls", path);
    *counter = (void *)2;
    return fault("PdhAddEnglishCounter");
}
EXPORT DWORD WINAPI DoublePdhCollectQueryData(void *) { record("PdhCollectQueryData"); return fault("PdhCollectQueryData"); }
EXPORT DWORD WINAPI DoublePdhGetFormattedCounterValue(void *, DWORD, DWORD *, void *value) { ((LONG *)value)[2] = 3; return 0; }
EXPORT DWORD WINAPI DoublePdhCloseQuery(void *) { record("PdhCloseQuery"); return 0; }
