// Registers the provider with COM+ and with VSS, and takes it out again. Called by the agent and by the installer: no
// console and no script. The step that failed is named.
#include <initguid.h>
#include <windows.h>
#include <comadmin.h>
#include <sddl.h>
#include <vss.h>
#include <vsadmin.h>
#include <vsserror.h>
#include <cwchar>

#include "channel.h"

namespace {

const wchar_t name[] = L"Concierge VSS Provider";
const wchar_t className[] = L"{63AD1F54-1700-4F3B-B9E3-2C47A3BF43BC}";
const wchar_t classKey[] = L"SOFTWARE\\Classes\\CLSID\\{63AD1F54-1700-4F3B-B9E3-2C47A3BF43BC}";

constexpr GUID catalogClass = {0xF618C514, 0xDFB8, 0x11D1, {0xA2, 0xCF, 0x00, 0x80, 0x5F, 0xC7, 0x92, 0x35}};
constexpr GUID coordinatorClass = {0xE579AB5F, 0x1CC4, 0x44B4, {0xBE, 0xD9, 0xDE, 0x09, 0x91, 0xFF, 0x06, 0x23}};

template <class T> struct Reference {
    T *object = nullptr;
    Reference() = default;
    ~Reference() { if (object) object->Release(); }
    Reference(const Reference &) = delete;
    Reference &operator=(const Reference &) = delete;
    T *operator->() const { return object; }
    void **out() { return reinterpret_cast<void **>(&object); }
};

struct Text {
    BSTR text;
    explicit Text(const wchar_t *from) : text(SysAllocString(from)) {}
    ~Text() { SysFreeString(text); }
    Text(const Text &) = delete;
    Text &operator=(const Text &) = delete;
    operator BSTR() const { return text; }
};

struct Value : VARIANT {
    Value() { VariantInit(this); }
    explicit Value(const wchar_t *from) : Value() { vt = VT_BSTR; bstrVal = SysAllocString(from); }
    explicit Value(LONG from) : Value() { vt = VT_I4; lVal = from; }
    explicit Value(bool from) : Value() { vt = VT_BOOL; boolVal = from ? VARIANT_TRUE : VARIANT_FALSE; }
    ~Value() { VariantClear(this); }
    Value(const Value &) = delete;
    Value &operator=(const Value &) = delete;
};

// Steps one after the other: after one that failed the others do nothing, and its name stays.
class Steps {
public:
    Steps(wchar_t *failed, DWORD length) : failed_(failed), length_(length) {}
    template <class Call> void step(const wchar_t *what, Call call) {
        if (FAILED(code)) return;
        code = call();
        if (FAILED(code) && failed_ && length_) {
            wcsncpy(failed_, what, length_ - 1);
            failed_[length_ - 1] = 0;
        }
    }
    HRESULT code = S_OK;

private:
    wchar_t *failed_;
    DWORD length_;
};

// The multithreaded apartment, for a call; one that the caller is in already is as good.
struct Apartment {
    HRESULT joined = CoInitializeEx(nullptr, COINIT_MULTITHREADED);
    ~Apartment() { if (SUCCEEDED(joined)) CoUninitialize(); }
};

// `object` by reference: it is only written while the first argument is made.
template <class T> HRESULT converted(HRESULT code, IDispatch *&object, REFIID id, Reference<T> &to) {
    if (FAILED(code)) return code;
    code = object->QueryInterface(id, to.out());
    object->Release();
    return code;
}

// A well-known account in the language of the system: `.\Administrators`.
HRESULT accountOf(const wchar_t *sidText, wchar_t (&account)[600]) {
    PSID sid = nullptr;
    if (!ConvertStringSidToSidW(sidText, &sid)) return HRESULT_FROM_WIN32(GetLastError());
    wchar_t user[256], domain[256];
    DWORD users = 256, domains = 256;
    SID_NAME_USE use;
    HRESULT code = LookupAccountSidW(nullptr, sid, user, &users, domain, &domains, &use) ? S_OK : HRESULT_FROM_WIN32(GetLastError());
    LocalFree(sid);
    if (SUCCEEDED(code)) {
        wcscpy(account, use == SidTypeAlias ? L"." : domain);
        wcscat(account, L"\\");
        wcscat(account, user);
    }
    return code;
}

HRESULT put(ICatalogObject *object, const wchar_t *property, const Value &value) { return object->put_Value(Text(property), value); }

HRESULT added(ICatalogCollection *collection, Reference<ICatalogObject> &made) {
    IDispatch *object = nullptr;
    HRESULT code = collection->Add(&object);
    return converted(code, object, IID_ICatalogObject, made);
}

HRESULT below(ICatalogCollection *collection, const wchar_t *which, ICatalogObject *of, Reference<ICatalogCollection> &found) {
    Value key;
    HRESULT code = of->get_Key(&key);
    if (FAILED(code)) return code;
    IDispatch *object = nullptr;
    code = collection->GetCollection(Text(which), key, &object);
    return converted(code, object, IID_ICatalogCollection, found);
}

HRESULT saved(ICatalogCollection *collection) {
    LONG changes = 0;
    return collection->SaveChanges(&changes);
}

HRESULT removeApplications(ICatalogCollection *applications) {
    LONG count = 0;
    HRESULT code = applications->Populate();
    if (SUCCEEDED(code)) code = applications->get_Count(&count);
    for (LONG index = count - 1; SUCCEEDED(code) && index >= 0; index--) {
        IDispatch *item = nullptr;
        Reference<ICatalogObject> object;
        Value its;
        code = converted(applications->get_Item(index, &item), item, IID_ICatalogObject, object);
        if (SUCCEEDED(code)) code = object->get_Name(&its);
        if (SUCCEEDED(code) && its.vt == VT_BSTR && wcscmp(its.bstrVal, name) == 0) code = applications->Remove(index);
    }
    return SUCCEEDED(code) ? saved(applications) : code;
}

LSTATUS setText(HKEY key, const wchar_t *value, const wchar_t *text) {
    return RegSetValueExW(key, value, 0, REG_SZ, reinterpret_cast<const BYTE *>(text), (wcslen(text) + 1) * sizeof *text);
}

HRESULT registerClass(const wchar_t *library) {
    HKEY key = nullptr, server = nullptr;
    LSTATUS code = RegCreateKeyExW(HKEY_LOCAL_MACHINE, classKey, 0, nullptr, 0, KEY_WRITE, nullptr, &key, nullptr);
    if (code == ERROR_SUCCESS) code = setText(key, nullptr, name);
    if (code == ERROR_SUCCESS) code = RegCreateKeyExW(key, L"InprocServer32", 0, nullptr, 0, KEY_WRITE, nullptr, &server, nullptr);
    if (code == ERROR_SUCCESS) code = setText(server, nullptr, library);
    // CommitSnapshots blocks: it must not do so in an apartment of one thread.
    if (code == ERROR_SUCCESS) code = setText(server, L"ThreadingModel", L"Free");
    if (server) RegCloseKey(server);
    if (key) RegCloseKey(key);
    return HRESULT_FROM_WIN32(code);
}

HRESULT openCatalog(Reference<ICOMAdminCatalog2> &catalog, Reference<ICatalogCollection> &applications) {
    HRESULT code = CoCreateInstance(catalogClass, nullptr, CLSCTX_INPROC_SERVER, IID_ICOMAdminCatalog2, catalog.out());
    if (FAILED(code)) return code;
    IDispatch *object = nullptr;
    return converted(catalog->GetCollection(Text(L"Applications"), &object), object, IID_ICatalogCollection, applications);
}

// Ends the process in which COM+ has the provider: it would keep the DLL loaded, and the service marked for deletion.
HRESULT stopApplication() {
    Reference<ICOMAdminCatalog2> catalog;
    HRESULT code = CoCreateInstance(catalogClass, nullptr, CLSCTX_INPROC_SERVER, IID_ICOMAdminCatalog2, catalog.out());
    return FAILED(code) ? code : catalog->ShutdownApplication(Text(name));
}

// The kind of backup that somebody has chosen. Its key is that of the service, which goes with the application.
class ChosenOption {
public:
    ChosenOption() { chosen_ = RegGetValueW(HKEY_LOCAL_MACHINE, optionKey, L"VssOption", RRF_RT_REG_DWORD, nullptr, &value_, &size_) == ERROR_SUCCESS; }
    void restore() const {
        if (chosen_) RegSetKeyValueW(HKEY_LOCAL_MACHINE, optionKey, L"VssOption", REG_DWORD, &value_, sizeof value_);
    }

private:
    static constexpr wchar_t optionKey[] = L"SYSTEM\\CurrentControlSet\\Services\\Concierge VSS Provider";
    bool chosen_ = false;
    DWORD value_ = 0, size_ = sizeof value_;
};

// A service that was just deleted is there until its last handle is closed.
template <class Call> HRESULT whileMarkedForDelete(Call call) {
    HRESULT code = call();
    for (int left = 20; left > 0 && code == HRESULT_FROM_WIN32(ERROR_SERVICE_MARKED_FOR_DELETE); left--) {
        Sleep(500);
        code = call();
    }
    return code;
}

HRESULT unregister(wchar_t *failed, DWORD length) {
    Apartment apartment;
    stopApplication();
    Steps steps(failed, length);
    steps.step(L"removing the provider from VSS", [] {
        Reference<IVssAdmin> admin;
        HRESULT code = CoCreateInstance(coordinatorClass, nullptr, CLSCTX_ALL, IID_IVssAdmin, admin.out());
        if (SUCCEEDED(code)) code = admin->UnregisterProvider(channel::providerId);
        return code == VSS_E_OBJECT_NOT_FOUND || code == VSS_E_PROVIDER_NOT_REGISTERED ? S_OK : code;
    });
    // Whatever came of that: nothing else is to stay behind.
    Steps rest(SUCCEEDED(steps.code) ? failed : nullptr, length);
    rest.step(L"removing the COM+ application", [] {
        Reference<ICOMAdminCatalog2> catalog;
        Reference<ICatalogCollection> applications;
        HRESULT code = openCatalog(catalog, applications);
        return FAILED(code) ? code : removeApplications(applications.object);
    });
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, classKey);
    return FAILED(steps.code) ? steps.code : rest.code;
}

} // namespace

// Both answer an HRESULT, and write the name of the step that failed where there is room for it.
extern "C" HRESULT WINAPI ConciergeVssUnregister(wchar_t *failed, DWORD length) { return unregister(failed, length); }

extern "C" HRESULT WINAPI ConciergeVssRegister(const wchar_t *library, const wchar_t *version, wchar_t *failed, DWORD length) {
    Apartment apartment;
    ChosenOption option;
    unregister(nullptr, 0);
    Reference<ICOMAdminCatalog2> catalog;
    Reference<ICatalogCollection> applications, roles, users;
    Reference<ICatalogObject> application, role, administrators, system;
    Reference<IVssAdmin> admin;
    Value applicationKey;
    wchar_t administratorsName[600], systemName[600];
    Steps steps(failed, length);

    steps.step(L"registering the class", [&] { return registerClass(library); });
    steps.step(L"opening the COM+ catalogue", [&] { return openCatalog(catalog, applications); });
    steps.step(L"creating the COM+ application", [&] { return added(applications.object, application); });
    steps.step(L"naming the COM+ application", [&] { return put(application.object, L"Name", Value(name)); });
    steps.step(L"describing the COM+ application", [&] { return put(application.object, L"Description", Value(name)); });
    steps.step(L"demanding access checks", [&] { return put(application.object, L"ApplicationAccessChecksEnabled", Value(true)); });
    steps.step(L"demanding privacy", [&] { return put(application.object, L"Authentication", Value(6L)); });
    steps.step(L"demanding secure references", [&] { return put(application.object, L"AuthenticationCapability", Value(2L)); });
    steps.step(L"restricting impersonation", [&] { return put(application.object, L"ImpersonationLevel", Value(2L)); });
    steps.step(L"saving the COM+ application", [&] { return saved(applications.object); });
    steps.step(L"asking for the COM+ application's key", [&] { return application->get_Key(&applicationKey); });
    steps.step(L"creating the provider's service", [&] {
        return whileMarkedForDelete([&] {
            return catalog->CreateServiceForApplication(applicationKey.bstrVal, Text(name), Text(L"SERVICE_DEMAND_START"), Text(L"SERVICE_ERROR_NORMAL"),
                Text(L""), Text(L".\\localsystem"), Text(L""), VARIANT_FALSE);
        });
    });
    steps.step(L"adding the class to the COM+ application", [&] { return catalog->ImportComponent(applicationKey.bstrVal, Text(className)); });
    steps.step(L"opening the roles", [&] { return below(applications.object, L"Roles", application.object, roles); });
    steps.step(L"creating a role", [&] { return added(roles.object, role); });
    steps.step(L"naming the role", [&] { return put(role.object, L"Name", Value(L"Administrators and the system")); });
    steps.step(L"saving the role", [&] { return saved(roles.object); });
    steps.step(L"opening the users of the role", [&] { return below(roles.object, L"UsersInRole", role.object, users); });
    steps.step(L"looking up the administrators", [&] { return accountOf(L"S-1-5-32-544", administratorsName); });
    steps.step(L"looking up the system's account", [&] { return accountOf(L"S-1-5-18", systemName); });
    steps.step(L"adding the administrators", [&] { return added(users.object, administrators); });
    steps.step(L"naming the administrators", [&] { return put(administrators.object, L"User", Value(administratorsName)); });
    steps.step(L"adding the system's account", [&] { return added(users.object, system); });
    steps.step(L"naming the system's account", [&] { return put(system.object, L"User", Value(systemName)); });
    steps.step(L"saving the users of the role", [&] { return saved(users.object); });
    steps.step(L"opening the VSS coordinator", [&] { return CoCreateInstance(coordinatorClass, nullptr, CLSCTX_ALL, IID_IVssAdmin, admin.out()); });
    steps.step(L"registering with VSS", [&] {
        wchar_t its[64];
        wcsncpy(its, version, 63);
        its[63] = 0;
        return admin->RegisterProvider(channel::providerId, channel::classId, const_cast<wchar_t *>(name), VSS_PROV_SOFTWARE, its, channel::providerVersionId);
    });
    // All or nothing.
    if (FAILED(steps.code)) unregister(nullptr, 0);
    option.restore();
    return steps.code;
}

// Best effort, after each freeze.
extern "C" HRESULT WINAPI ConciergeVssStop() {
    Apartment apartment;
    return stopApplication();
}

// A line of the installer's log. Its functions are looked for: the agent loads this DLL too, and has no use for them.
static void tellInstaller(unsigned long session, const wchar_t *step, HRESULT code) {
    using CreateRecord = unsigned long (WINAPI *)(UINT);
    using SetString = UINT (WINAPI *)(unsigned long, UINT, const wchar_t *);
    using Process = int (WINAPI *)(unsigned long, int, unsigned long);
    using Close = UINT (WINAPI *)(unsigned long);
    HMODULE msi = LoadLibraryExW(L"msi.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (!msi) return;
    auto create = reinterpret_cast<CreateRecord>(reinterpret_cast<void *>(GetProcAddress(msi, "MsiCreateRecord")));
    auto set = reinterpret_cast<SetString>(reinterpret_cast<void *>(GetProcAddress(msi, "MsiRecordSetStringW")));
    auto process = reinterpret_cast<Process>(reinterpret_cast<void *>(GetProcAddress(msi, "MsiProcessMessage")));
    auto close = reinterpret_cast<Close>(reinterpret_cast<void *>(GetProcAddress(msi, "MsiCloseHandle")));
    if (create && set && process && close) {
        wchar_t text[400];
        _snwprintf(text, 399, L"Concierge: the VSS provider is not registered, so that nothing can be frozen: %ls failed with 0x%08lX", step, static_cast<unsigned long>(code));
        text[399] = 0;
        const int warning = 0x02000000; // INSTALLMESSAGE_WARNING
        unsigned long record = create(1);
        set(record, 0, L"[1]");
        set(record, 1, text);
        process(session, warning, record);
        close(record);
    }
    FreeLibrary(msi);
}

// For the installer: deferred custom actions, which find the DLL's path by themselves.
extern "C" UINT WINAPI ConciergeVssInstall(unsigned long session) {
    HMODULE self = nullptr;
    wchar_t path[MAX_PATH];
    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, reinterpret_cast<const wchar_t *>(&ConciergeVssInstall), &self);
    GetModuleFileNameW(self, path, MAX_PATH);
    // A machine without working COM+ can have everything but freezing: the log and the agent say so.
    wchar_t step[100] = L"";
    HRESULT code = ConciergeVssRegister(path, L"1.0", step, 100);
    if (FAILED(code)) tellInstaller(session, step, code);
    return ERROR_SUCCESS;
}

extern "C" UINT WINAPI ConciergeVssRemove(unsigned long) {
    unregister(nullptr, 0);
    return ERROR_SUCCESS;
}
