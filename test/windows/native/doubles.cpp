// Doubles of what must not really happen in a test, or what Wine only stubs. Each call is a line of the file that
// CONCIERGE_DOUBLES_LOG names; CONCIERGE_DOUBLES_FAIL="Function=code,..." makes calls fail.
#define _WIN32_WINNT 0x0A00
#include <winsock2.h>
#include <windows.h>
#include <cfgmgr32.h>
#include <lm.h>
#include <powrprof.h>
#include <wtsapi32.h>
#include <sddl.h>
#include <cstdarg>
#include <string>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "port-driver.h"

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
    able->HiberFilePresent = fault("HiberFile") == 0;
    return answer("GetPwrCapabilities");
}

// -- files: which rights they are made with, and what reaches the disk
static std::string rights(SECURITY_ATTRIBUTES *security) {
    char *text = nullptr;
    if (!security || !ConvertSecurityDescriptorToStringSecurityDescriptorA(security->lpSecurityDescriptor, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, &text, nullptr)) return "-";
    std::string copy = text;
    LocalFree(text);
    return copy;
}
EXPORT HANDLE WINAPI DoubleCreateFileW(LPCWSTR path, DWORD access, DWORD share, SECURITY_ATTRIBUTES *security, DWORD disposition, DWORD flags, HANDLE like) {
    if (isPort(path)) return openPort();
    // The device of viosock, below.
    if (wcscmp(path, L"\\\\.\\Viosock") == 0) return CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0, nullptr);
    if (security) record("CreateFile %s disposition=%lu rights=%s", utf8(path).c_str(), disposition, rights(security).c_str());
    return CreateFileW(path, access, share, security, disposition, flags, like);
}
EXPORT BOOL WINAPI DoubleCreateDirectoryW(LPCWSTR path, SECURITY_ATTRIBUTES *security) {
    record("CreateDirectory %s rights=%s", utf8(path).c_str(), rights(security).c_str());
    return CreateDirectoryW(path, security);
}
EXPORT BOOL WINAPI DoubleFlushFileBuffers(HANDLE file) { record("FlushFileBuffers"); return FlushFileBuffers(file) && answer("FlushFileBuffers"); }
EXPORT BOOL WINAPI DoubleMoveFileExW(LPCWSTR from, LPCWSTR to, DWORD flags) {
    record("MoveFileEx %s flags=%lu", utf8(to).c_str(), flags);
    return answer("MoveFileEx") && MoveFileExW(from, to, flags);
}

// Rights by the last part of a path, `NAME=SDDL|NAME=SDDL`; a name that contains NAME counts. All else is administrators'.
EXPORT BOOL WINAPI DoubleGetKernelObjectSecurity(HANDLE handle, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR into, DWORD size, DWORD *needed) {
    char list[4096] = "", path[1024] = "";
    DWORD length = GetEnvironmentVariableA("CONCIERGE_DOUBLES_SDDL", list, sizeof list);
    if (length >= sizeof list) length = 0;
    list[length] = 0;
    if (!GetFinalPathNameByHandleA(handle, path, sizeof path, 0)) return FALSE;
    const char *name = strrchr(path, '\\') ? strrchr(path, '\\') + 1 : path;
    std::string sddl = "O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
    for (char *at = strtok(list, "|"); at; at = strtok(nullptr, "|")) {
        char *equals = strchr(at, '=');
        if (equals && strstr(name, std::string(at, equals).c_str())) sddl = equals + 1;
    }
    PSECURITY_DESCRIPTOR made = nullptr;
    ULONG its = 0;
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl.c_str(), SDDL_REVISION_1, &made, &its)) return FALSE;
    *needed = its;
    if (its <= size) memcpy(into, made, its);
    LocalFree(made);
    SetLastError(its <= size ? 0 : ERROR_INSUFFICIENT_BUFFER);
    return its <= size;
}

// The security of COM, as it is asked for, and the end of the provider's process.
EXPORT HRESULT WINAPI DoubleCoInitializeSecurity(PSECURITY_DESCRIPTOR descriptor, LONG, void *, void *, DWORD authentication, DWORD, void *, DWORD, void *) {
    char *text = nullptr;
    if (descriptor && !ConvertSecurityDescriptorToStringSecurityDescriptorA(descriptor, SDDL_REVISION_1, DACL_SECURITY_INFORMATION | OWNER_SECURITY_INFORMATION, &text, nullptr)) text = nullptr;
    record("CoInitializeSecurity %s authentication=%lu", text ? text : "-", authentication);
    if (text) LocalFree(text);
    return (HRESULT)fault("CoInitializeSecurity");
}
EXPORT HRESULT WINAPI DoubleConciergeVssStop(void) { record("ConciergeVssStop"); return S_OK; }

// -- accounts: Alice of this machine, Bob of a domain, a group, and an administrator
static const struct { const wchar_t *name; DWORD rid; SID_NAME_USE use; const wchar_t *group; DWORD level; } known[] = {
    {L"alice", 1001, SidTypeUser, L"Users", USER_PRIV_USER}, {L"CORP\\bob", 1105, SidTypeUser, L"Users", USER_PRIV_USER},
    {L"stranger", 1009, SidTypeUser, L"Users", USER_PRIV_USER}, {L"everyone-of-us", 1200, SidTypeGroup, nullptr, 0},
    {L"boss", 1002, SidTypeUser, L"Administrators", USER_PRIV_ADMIN},
};
EXPORT BOOL WINAPI DoubleLookupAccountNameW(LPCWSTR, LPCWSTR name, PSID sid, DWORD *, LPWSTR domain, DWORD *, SID_NAME_USE *use) {
    SID_IDENTIFIER_AUTHORITY nt = SECURITY_NT_AUTHORITY;
    SetLastError(wcsncmp(name, L"LOST\\", 5) == 0 ? ERROR_TRUSTED_RELATIONSHIP_FAILURE : ERROR_NONE_MAPPED);
    for (auto &one : known) {
        if (wcscmp(one.name, name)) continue;
        InitializeSid(sid, &nt, 5);
        const DWORD parts[] = {21, 1, 2, 3, one.rid};
        for (int i = 0; i < 5; i++) *GetSidSubAuthority(sid, i) = parts[i];
        wcscpy(domain, L"X");
        *use = one.use;
        return TRUE;
    }
    return FALSE;
}
EXPORT NET_API_STATUS WINAPI DoubleNetUserGetLocalGroups(LPCWSTR, LPCWSTR user, DWORD, DWORD, LPBYTE *buffer, DWORD, DWORD *count, DWORD *) {
    for (auto &one : known) {
        if (wcscmp(one.name, user)) continue;
        auto groups = (LOCALGROUP_USERS_INFO_0 *)malloc(sizeof(LOCALGROUP_USERS_INFO_0));
        groups->lgrui0_name = (LPWSTR)one.group;
        *buffer = (LPBYTE)groups;
        *count = 1;
        return 0;
    }
    return NERR_UserNotFound;
}
EXPORT NET_API_STATUS WINAPI DoubleNetUserGetInfo(LPCWSTR, LPCWSTR user, DWORD, LPBYTE *buffer) {
    for (auto &one : known) {
        if (wcscmp(one.name, user)) continue;
        auto info = (USER_INFO_1 *)calloc(1, sizeof(USER_INFO_1));
        info->usri1_priv = one.level;
        *buffer = (LPBYTE)info;
        return 0;
    }
    return NERR_UserNotFound;
}
EXPORT NET_API_STATUS WINAPI DoubleNetApiBufferFree(void *memory) { free(memory); return 0; }

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

// -- sleep: `Resume` makes the callback, as the system does on a thread of its own
static DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS sleeper;
EXPORT DWORD WINAPI DoublePowerRegisterSuspendResumeNotification(DWORD flags, HANDLE recipient, PVOID *registered) {
    if (flags != 2) return ERROR_INVALID_PARAMETER;
    sleeper = *(DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS *)recipient;
    *registered = &sleeper;
    return ERROR_SUCCESS;
}
EXPORT DWORD WINAPI DoubleResume(void) {
    const ULONG resumeAutomatic = 0x12;
    return sleeper.Callback ? sleeper.Callback(sleeper.Context, resumeAutomatic, nullptr) : ERROR_NOT_FOUND;
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
    if (isPort(file)) return readPort(into, length, overlapped);
    return answer("ReadFile") ? ReadFile(file, into, length, read, overlapped) : FALSE;
}

EXPORT BOOL WINAPI DoubleQueryServiceConfig2W(SC_HANDLE, DWORD level, LPBYTE into, DWORD size, DWORD *needed) {
    if (level != SERVICE_CONFIG_FAILURE_ACTIONS || size < sizeof(SERVICE_FAILURE_ACTIONSW)) return FALSE;
    memset(into, 0, *needed = sizeof(SERVICE_FAILURE_ACTIONSW));
    ((SERVICE_FAILURE_ACTIONSW *)into)->cActions = fault("Actions");
    return TRUE;
}

// -- viosock: a device that names family 77, and a provider of it over TCP of this machine. A client's CID is CONCIERGE_DOUBLES_CID.
static const int vsockFamily = 77;
struct VsockAddress { USHORT family, reserved; UINT port, cid; };
EXPORT BOOL WINAPI DoubleDeviceIoControl(HANDLE device, DWORD code, LPVOID in, DWORD inSize, LPVOID out, DWORD outSize, LPDWORD returned, LPOVERLAPPED overlapped) {
    if (isPort(device)) return askPort(code, out, outSize, overlapped);
    if (code != CTL_CODE(0x0801, 0xC03, METHOD_BUFFERED, FILE_ANY_ACCESS)) return DeviceIoControl(device, code, in, inSize, out, outSize, returned, overlapped);
    *(DWORD *)out = vsockFamily;
    *returned = sizeof(DWORD);
    return answer("GetAF");
}
EXPORT SOCKET WINAPI DoubleWSASocketW(int family, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP group, DWORD flags) {
    DWORD code = fault("WSASocket");
    if (family != vsockFamily) code = WSAEAFNOSUPPORT;
    if (!code) return WSASocketW(AF_INET, type, protocol, info, group, flags);
    WSASetLastError(code);
    return INVALID_SOCKET;
}
EXPORT int WINAPI Doublebind(SOCKET socket, const VsockAddress *address, int) {
    record("bind family=%u cid=%u", address->family, address->cid);
    sockaddr_in its{};
    its.sin_family = AF_INET;
    its.sin_port = htons((USHORT)address->port);
    its.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind(socket, (sockaddr *)&its, sizeof its);
}
EXPORT SOCKET WINAPI Doubleaccept(SOCKET socket, VsockAddress *address, int *length) {
    sockaddr_in its{};
    int room = sizeof its;
    SOCKET made = accept(socket, (sockaddr *)&its, &room);
    if (made == INVALID_SOCKET) return made;
    char cid[16] = "";
    GetEnvironmentVariableA("CONCIERGE_DOUBLES_CID", cid, sizeof cid);
    *address = {(USHORT)vsockFamily, 0, ntohs(its.sin_port), (UINT)strtoul(cid, nullptr, 10)};
    *length = sizeof *address;
    return made;
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
