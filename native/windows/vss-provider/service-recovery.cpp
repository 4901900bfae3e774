// For the installer, whose own table for it does not work: the service is started again 1, 5 and 30 seconds after it failed,
// as `concierge-ga service install` sets it up. A deferred custom action; its handle is not needed.
#include <windows.h>
#include <sddl.h>

// The folder of configuration and state, for SYSTEM and administrators: every user may make one in ProgramData. One that is
// there is left as it is, and the agent judges it.
static void makeOwnFolder() {
    wchar_t path[MAX_PATH];
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, nullptr, FALSE};
    DWORD length = ExpandEnvironmentStringsW(L"%ProgramData%\\concierge-ga", path, MAX_PATH);
    if (length == 0 || length > MAX_PATH) return;
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", SDDL_REVISION_1, &attributes.lpSecurityDescriptor, nullptr)) return;
    CreateDirectoryW(path, &attributes);
    LocalFree(attributes.lpSecurityDescriptor);
}

extern "C" UINT WINAPI ConciergeServiceRecovery(unsigned long) {
    makeOwnFolder();
    SC_HANDLE manager = OpenSCManagerW(nullptr, nullptr, SC_MANAGER_CONNECT);
    // To start a service again is a right of its own, and asked for when it is set up.
    SC_HANDLE service = manager ? OpenServiceW(manager, L"concierge-ga", SERVICE_CHANGE_CONFIG | SERVICE_START) : nullptr;
    if (service) {
        SC_ACTION actions[] = {{SC_ACTION_RESTART, 1000}, {SC_ACTION_RESTART, 5000}, {SC_ACTION_RESTART, 30000}};
        SERVICE_FAILURE_ACTIONSW recovery = {86400, nullptr, nullptr, 3, actions};
        // A service that nothing starts again is still a service: doctor tells.
        ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS, &recovery);
        // Ending with an error is a failure too.
        SERVICE_FAILURE_ACTIONS_FLAG always = {TRUE};
        ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &always);
        CloseServiceHandle(service);
    }
    if (manager) CloseServiceHandle(manager);
    return ERROR_SUCCESS;
}
