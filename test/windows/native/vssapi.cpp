// A double of vssapi.dll. It keeps the order of calls that the real one demands (VSS_E_BAD_STATE), has two writers with
// components, runs every asynchronous step on a thread of its own, and drives the real provider DLL
// (CONCIERGE_VSS_PROVIDER) as the VSS service does. Each call is a line of CONCIERGE_VSS_LOG.
//   CONCIERGE_VSS_FAIL  "Step=0xCODE,..."  makes a call or an asynchronous step fail; `Writer=` fails the second writer
//   CONCIERGE_VSS_SLOW  "Step=ms,..."      makes an asynchronous step, or AddToSnapshotSet, take so long
#include <initguid.h>
#include <windows.h>
#include <oleauto.h>
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>
#include <vsprov.h>
#include <vsserror.h>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "channel.h"

static bool variable(const char *name, char *value, DWORD size) {
    DWORD length = GetEnvironmentVariableA(name, value, size);
    return length > 0 && length < size;
}

static void record(const char *format, ...) {
    char path[MAX_PATH], line[1024];
    if (!variable("CONCIERGE_VSS_LOG", path, sizeof path)) return;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[size++] = '\n';
    HANDLE file = CreateFileA(path, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_ALWAYS, 0, nullptr);
    if (file == INVALID_HANDLE_VALUE) return;
    DWORD written;
    WriteFile(file, line, size, &written, nullptr);
    CloseHandle(file);
}

static bool listed(const char *list, const char *step, unsigned long *value) {
    char text[512];
    if (!variable(list, text, sizeof text)) return false;
    size_t length = strlen(step);
    for (const char *at = text; at; at = strchr(at, ',')) {
        if (*at == ',') at++;
        if (strncmp(at, step, length) != 0 || at[length] != '=') continue;
        *value = strtoul(at + length + 1, nullptr, 0);
        return true;
    }
    return false;
}

static HRESULT fault(const char *step) {
    unsigned long code;
    return listed("CONCIERGE_VSS_FAIL", step, &code) ? (HRESULT)code : S_OK;
}

// For the test of leaks: what has been made and not released. The last line about it is the last count: threads release too.
static LONG objects = 0;
static SRWLOCK counting = SRWLOCK_INIT;

template <class Interface> class Counted : public Interface {
public:
    Counted() {
        AcquireSRWLockExclusive(&counting);
        objects++;
        ReleaseSRWLockExclusive(&counting);
    }
    virtual ~Counted() {
        AcquireSRWLockExclusive(&counting);
        record("objects %ld", --objects);
        ReleaseSRWLockExclusive(&counting);
    }
    STDMETHODIMP QueryInterface(REFIID, void **found) override { *found = nullptr; return E_NOINTERFACE; }
    STDMETHODIMP_(ULONG) AddRef() override { return InterlockedIncrement(&references); }
    STDMETHODIMP_(ULONG) Release() override {
        LONG left = InterlockedDecrement(&references);
        if (left == 0) delete this;
        return left;
    }

protected:
    LONG references = 1;
};

class Async final : public Counted<IVssAsync> {
public:
    using Work = HRESULT (*)(void *);
    Async(const char *name, Work work, void *argument) : name(name), work(work), argument(argument), done(CreateEventW(nullptr, TRUE, FALSE, nullptr)) {
        AddRef();
        CloseHandle(CreateThread(nullptr, 0, run, this, 0, nullptr));
    }
    ~Async() override { CloseHandle(done); }
    STDMETHODIMP Cancel() override { record("%s.Cancel", name); return S_OK; }
    STDMETHODIMP Wait(DWORD ms) override { WaitForSingleObject(done, ms); return S_OK; }
    STDMETHODIMP QueryStatus(HRESULT *status, INT *) override { *status = result; return S_OK; }

private:
    static DWORD WINAPI run(void *self) {
        auto async = static_cast<Async *>(self);
        unsigned long ms;
        if (listed("CONCIERGE_VSS_SLOW", async->name, &ms)) Sleep(ms);
        HRESULT code = fault(async->name);
        if (SUCCEEDED(code) && async->work) code = async->work(async->argument);
        async->result = SUCCEEDED(code) ? VSS_S_ASYNC_FINISHED : code;
        SetEvent(async->done);
        async->Release();
        return 0;
    }
    const char *name;
    Work work;
    void *argument;
    HANDLE done;
    HRESULT result = VSS_S_ASYNC_PENDING;
};

static const struct { GUID instance, writer; const wchar_t *name, *component; } writers[] = {
    {{1, 0, 0, {0}}, {2, 0, 0, {0}}, L"System Writer", L"System Files"},
    {{3, 0, 0, {0}}, {4, 0, 0, {0}}, L"SqlServerWriter", L"master"},
    {{5, 0, 0, {0}}, {6, 0, 0, {0}}, L"ElsewhereWriter", L"far"},
};
constexpr UINT writerCount = 3;
// Where the database of a writer lies: as writers say it, with a variable of the environment.
static const wchar_t *const places[] = {nullptr, L"%SystemDrive%\\data\\", L"Y:\\elsewhere\\"};

#define NEVER(name, ...) STDMETHODIMP name(__VA_ARGS__) override { record(#name " is not expected"); return E_NOTIMPL; }

class FileDescription final : public Counted<IVssWMFiledesc> {
public:
    explicit FileDescription(UINT writer) : writer(writer) {}
    STDMETHODIMP GetPath(BSTR *path) override { *path = SysAllocString(places[writer]); return S_OK; }
    NEVER(GetFilespec, BSTR *)
    NEVER(GetRecursive, boolean *)
    NEVER(GetAlternateLocation, BSTR *)
    NEVER(GetBackupTypeMask, DWORD *)

private:
    UINT writer;
};

// A component is selectable where its writer is not the system's.
class Component final : public Counted<IVssWMComponent> {
public:
    explicit Component(UINT writer) : writer(writer) {}
    STDMETHODIMP GetComponentInfo(PVSSCOMPONENTINFO *info) override {
        auto made = new _VSS_COMPONENTINFO{};
        made->type = VSS_CT_DATABASE;
        made->bstrLogicalPath = writer == 1 ? SysAllocString(L"VM\\SQL") : nullptr;
        made->bstrComponentName = SysAllocString(writers[writer].component);
        made->bSelectable = writer != 0;
        made->cDatabases = writer == 0 ? 0 : 1;
        *info = made;
        return S_OK;
    }
    STDMETHODIMP FreeComponentInfo(PVSSCOMPONENTINFO info) override {
        SysFreeString(info->bstrLogicalPath);
        SysFreeString(info->bstrComponentName);
        delete info;
        return S_OK;
    }
    NEVER(GetFile, UINT, IVssWMFiledesc **)
    STDMETHODIMP GetDatabaseFile(UINT, IVssWMFiledesc **description) override { *description = new FileDescription(writer); return S_OK; }
    NEVER(GetDatabaseLogFile, UINT, IVssWMFiledesc **)
    NEVER(GetDependency, UINT, IVssWMDependency **)

private:
    UINT writer;
};

class Metadata final : public Counted<IVssExamineWriterMetadata> {
public:
    explicit Metadata(UINT writer) : writer(writer) {}
    STDMETHODIMP GetIdentity(VSS_ID *instance, VSS_ID *id, BSTR *name, VSS_USAGE_TYPE *usage, VSS_SOURCE_TYPE *source) override {
        *instance = writers[writer].instance;
        *id = writers[writer].writer;
        *name = SysAllocString(writers[writer].name);
        *usage = VSS_UT_USERDATA;
        *source = VSS_ST_TRANSACTEDDB;
        return S_OK;
    }
    STDMETHODIMP GetFileCounts(UINT *included, UINT *excluded, UINT *components) override { *included = *excluded = 0; *components = 1; return S_OK; }
    STDMETHODIMP GetComponent(UINT, IVssWMComponent **component) override { *component = new Component(writer); return S_OK; }
    NEVER(GetIncludeFile, UINT, IVssWMFiledesc **)
    NEVER(GetExcludeFile, UINT, IVssWMFiledesc **)
    NEVER(GetRestoreMethod, VSS_RESTOREMETHOD_ENUM *, BSTR *, BSTR *, VSS_WRITERRESTORE_ENUM *, boolean *, UINT *)
    NEVER(GetAlternateLocationMapping, UINT, IVssWMFiledesc **)
    NEVER(GetBackupSchema, DWORD *)
    NEVER(GetDocument, IXMLDOMDocument **)
    NEVER(SaveAsXML, BSTR *)
    NEVER(LoadFromXML, BSTR)

private:
    UINT writer;
};

enum class State { fresh, initialized, withContext, gathered, started, prepared, done, over };

class Backup final : public Counted<IVssBackupComponents> {
public:
    ~Backup() override {
        if (provider) provider->Release();
    }
    NEVER(GetWriterComponentsCount, UINT *)
    NEVER(GetWriterComponents, UINT, IVssWriterComponentsExt **)
    STDMETHODIMP InitializeForBackup(BSTR) override { return step("InitializeForBackup", State::fresh, State::initialized); }
    STDMETHODIMP SetBackupState(boolean components, boolean system, VSS_BACKUP_TYPE type, boolean partial) override {
        record("SetBackupState components=%d system=%d type=%d partial=%d", components, system, (int)type, partial);
        return state >= State::initialized ? fault("SetBackupState") : VSS_E_BAD_STATE;
    }
    NEVER(InitializeForRestore, BSTR)
    NEVER(SetRestoreState, VSS_RESTORE_TYPE)
    STDMETHODIMP GatherWriterMetadata(IVssAsync **async) override { return begin("GatherWriterMetadata", State::withContext, State::gathered, async); }
    STDMETHODIMP GetWriterMetadataCount(UINT *count) override { *count = writerCount; return S_OK; }
    STDMETHODIMP GetWriterMetadata(UINT index, VSS_ID *instance, IVssExamineWriterMetadata **metadata) override {
        *instance = writers[index].instance;
        *metadata = new Metadata(index);
        return fault("GetWriterMetadata");
    }
    STDMETHODIMP FreeWriterMetadata() override { record("FreeWriterMetadata"); return S_OK; }
    STDMETHODIMP AddComponent(VSS_ID instance, VSS_ID writer, VSS_COMPONENT_TYPE type, LPCWSTR path, LPCWSTR name) override {
        record("AddComponent %lu %lu type=%d path=%ls name=%ls", instance.Data1, writer.Data1, (int)type, path ? path : L"-", name);
        return fault("AddComponent");
    }
    STDMETHODIMP PrepareForBackup(IVssAsync **async) override {
        if (volumes == 0) return VSS_E_BAD_STATE;
        return begin("PrepareForBackup", State::started, State::prepared, async);
    }
    STDMETHODIMP AbortBackup() override { record("AbortBackup"); state = State::over; return S_OK; }
    STDMETHODIMP GatherWriterStatus(IVssAsync **async) override { return begin("GatherWriterStatus", state, state, async); }
    STDMETHODIMP GetWriterStatusCount(UINT *count) override { *count = writerCount; return S_OK; }
    STDMETHODIMP FreeWriterStatus() override { record("FreeWriterStatus"); return S_OK; }
    STDMETHODIMP GetWriterStatus(UINT index, VSS_ID *instance, VSS_ID *writer, BSTR *name, VSS_WRITER_STATE *its, HRESULT *failure) override {
        *instance = writers[index].instance;
        *writer = writers[index].writer;
        *name = SysAllocString(writers[index].name);
        // `WriterAtThaw`: one that notices only while it is frozen that it cannot.
        HRESULT code = fault(state == State::done ? "WriterAtThaw" : "Writer");
        // `WriterOnce`: one that may not fail the next time.
        static bool failedOnce = false;
        if (index == 1 && FAILED(fault("WriterOnce")) && !failedOnce) {
            failedOnce = true;
            code = fault("WriterOnce");
        }
        *failure = index == 1 ? code : index == 2 ? fault("WriterElsewhere") : S_OK;
        *its = FAILED(*failure) ? VSS_WS_FAILED_AT_PREPARE_SNAPSHOT : VSS_WS_STABLE;
        return S_OK;
    }
    NEVER(SetBackupSucceeded, VSS_ID, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, boolean)
    NEVER(SetBackupOptions, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR)
    NEVER(SetSelectedForRestore, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, boolean)
    NEVER(SetRestoreOptions, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR)
    NEVER(SetAdditionalRestores, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, boolean)
    NEVER(SetPreviousBackupStamp, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR)
    NEVER(SaveAsXML, BSTR *)
    STDMETHODIMP BackupComplete(IVssAsync **async) override { return begin("BackupComplete", State::done, State::over, async); }
    NEVER(AddAlternativeLocationMapping, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR, LPCWSTR, boolean, LPCWSTR)
    NEVER(AddRestoreSubcomponent, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR, LPCWSTR, boolean)
    NEVER(SetFileRestoreStatus, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, VSS_FILE_RESTORE_STATUS)
    NEVER(AddNewTarget, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR, LPCWSTR, boolean, LPCWSTR)
    NEVER(SetRangesFilePath, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, UINT, LPCWSTR)
    NEVER(PreRestore, IVssAsync **)
    NEVER(PostRestore, IVssAsync **)
    STDMETHODIMP SetContext(LONG context) override {
        record("SetContext 0x%08lx", context);
        if (fault("Transportable") && (context & VSS_VOLSNAP_ATTR_TRANSPORTABLE)) return VSS_E_UNSUPPORTED_CONTEXT;
        if (state != State::initialized) return VSS_E_BAD_STATE;
        state = State::withContext;
        return fault("SetContext");
    }
    STDMETHODIMP StartSnapshotSet(VSS_ID *id) override {
        CoCreateGuid(&set);
        *id = set;
        return step("StartSnapshotSet", State::gathered, State::started);
    }
    STDMETHODIMP AddToSnapshotSet(VSS_PWSZ volume, VSS_ID id, VSS_ID *snapshot) override {
        record("AddToSnapshotSet %ls", volume);
        unsigned long ms;
        if (listed("CONCIERGE_VSS_SLOW", "AddToSnapshotSet", &ms)) Sleep(ms);
        if (state != State::started) return VSS_E_BAD_STATE;
        if (id != channel::providerId) return VSS_E_PROVIDER_NOT_REGISTERED;
        HRESULT code = fault("AddToSnapshotSet");
        if (SUCCEEDED(code) && wcsstr(volume, L"5a}")) code = fault("SecondVolume");
        if (SUCCEEDED(code)) code = loadProvider();
        if (FAILED(code)) return code;
        WINBOOL supported = FALSE;
        if (fault("OtherVolumes")) {
            wchar_t other[] = L"\\\\?\\Volume{00000000-0000-0000-0000-0000000000ff}\\";
            provider->IsVolumeSupported(other, &supported);
            if (supported) return VSS_E_UNEXPECTED_PROVIDER_ERROR;
        }
        provider->IsVolumeSupported(volume, &supported);
        if (!supported) return VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER;
        CoCreateGuid(snapshot);
        volumes++;
        return provider->BeginPrepareSnapshot(set, *snapshot, volume, 0);
    }
    STDMETHODIMP DoSnapshotSet(IVssAsync **async) override { return begin("DoSnapshotSet", State::prepared, State::done, async, commit); }
    NEVER(DeleteSnapshots, VSS_ID, VSS_OBJECT_TYPE, WINBOOL, LONG *, VSS_ID *)
    NEVER(ImportSnapshots, IVssAsync **)
    NEVER(BreakSnapshotSet, VSS_ID)
    NEVER(GetSnapshotProperties, VSS_ID, VSS_SNAPSHOT_PROP *)
    NEVER(Query, VSS_ID, VSS_OBJECT_TYPE, VSS_OBJECT_TYPE, IVssEnumObject **)
    STDMETHODIMP IsVolumeSupported(VSS_ID, VSS_PWSZ, WINBOOL *supported) override { *supported = TRUE; return S_OK; }
    NEVER(DisableWriterClasses, const VSS_ID *, UINT)
    NEVER(EnableWriterClasses, const VSS_ID *, UINT)
    NEVER(DisableWriterInstances, const VSS_ID *, UINT)
    NEVER(ExposeSnapshot, VSS_ID, VSS_PWSZ, LONG, VSS_PWSZ, VSS_PWSZ *)
    NEVER(RevertToSnapshot, VSS_ID, WINBOOL)
    NEVER(QueryRevertStatus, VSS_PWSZ, IVssAsync **)

private:
    HRESULT step(const char *name, State wanted, State next) {
        record("%s", name);
        if (state != wanted) return VSS_E_BAD_STATE;
        HRESULT code = fault(name);
        if (SUCCEEDED(code)) state = next;
        return code;
    }
    HRESULT begin(const char *name, State wanted, State next, IVssAsync **async, Async::Work work = nullptr) {
        record("%s", name);
        if (state != wanted) return VSS_E_BAD_STATE;
        state = next;
        *async = new Async(name, work, this);
        return S_OK;
    }
    HRESULT loadProvider() {
        if (provider) return S_OK;
        char path[MAX_PATH];
        if (!variable("CONCIERGE_VSS_PROVIDER", path, sizeof path)) return VSS_E_PROVIDER_NOT_REGISTERED;
        HMODULE library = LoadLibraryA(path);
        if (!library) return VSS_E_PROVIDER_NOT_REGISTERED;
        auto getClass = (HRESULT(WINAPI *)(REFCLSID, REFIID, void **))(void *)GetProcAddress(library, "DllGetClassObject");
        IClassFactory *factory = nullptr;
        HRESULT code = getClass(channel::classId, IID_IClassFactory, (void **)&factory);
        if (FAILED(code)) return code;
        code = factory->CreateInstance(nullptr, IID_IVssSoftwareSnapshotProvider, (void **)&provider);
        factory->Release();
        return code;
    }
    static HRESULT commit(void *self) {
        auto backup = static_cast<Backup *>(self);
        IVssProviderCreateSnapshotSet *create = nullptr;
        HRESULT code = backup->provider->QueryInterface(IID_IVssProviderCreateSnapshotSet, (void **)&create);
        if (FAILED(code)) return VSS_E_UNEXPECTED_PROVIDER_ERROR;
        create->EndPrepareSnapshots(backup->set);
        create->PreCommitSnapshots(backup->set);
        DWORD begun = GetTickCount();
        code = create->CommitSnapshots(backup->set);
        record("CommitSnapshots 0x%08lx", (unsigned long)code);
        create->PostCommitSnapshots(backup->set, backup->volumes);
        create->Release();
        // The driver lets go after 10 s; here sooner, so that a test need not wait.
        unsigned long limit;
        if (listed("CONCIERGE_VSS_SLOW", "HoldLimit", &limit) && GetTickCount() - begun >= limit) return VSS_E_HOLD_WRITES_TIMEOUT;
        return FAILED(code) ? VSS_E_UNEXPECTED_PROVIDER_ERROR : fault("AfterCommit");
    }

    State state = State::fresh;
    LONG volumes = 0;
    VSS_ID set{};
    IVssSoftwareSnapshotProvider *provider = nullptr;
};

extern "C" HRESULT WINAPI CreateVssBackupComponentsInternal(IVssBackupComponents **made) {
    record("Create");
    HRESULT code = fault("Create");
    *made = SUCCEEDED(code) ? new Backup : nullptr;
    return code;
}
