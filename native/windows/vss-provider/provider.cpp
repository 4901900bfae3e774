// A VSS software provider that takes no snapshot: VSS calls CommitSnapshots while writers are frozen and volumes are
// flushed and held, which is when the host takes its own. Here that call tells the agent and waits until it thaws.
#include <initguid.h>
#include <windows.h>
#include <vss.h>
#include <vsprov.h>
#include <vsserror.h>
#include <cwchar>
#include <new>

#include "channel.h"
#include "provider.h"

LONG liveObjects = 0;

namespace {

class Handle {
public:
    explicit Handle(HANDLE handle) : handle_(handle) {}
    ~Handle() { if (handle_) CloseHandle(handle_); }
    Handle(const Handle &) = delete;
    Handle &operator=(const Handle &) = delete;
    operator HANDLE() const { return handle_; }

private:
    HANDLE handle_;
};

// The freeze that the agent has begun, if any.
bool readSession(channel::Section &session) {
    Handle mapping(OpenFileMappingW(FILE_MAP_READ, FALSE, channel::sectionName));
    if (!mapping) return false;
    auto view = static_cast<const channel::Section *>(MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, sizeof session));
    if (!view) return false;
    session = *view;
    UnmapViewOfFile(view);
    session.frozen[63] = session.thaw[63] = session.volumes[4095] = 0;
    return session.version == channel::version;
}

// Whether a volume is one of the agent's set. VSS writes its name with the backslash at its end, and case says nothing.
bool isOfSession(const channel::Section &session, const wchar_t *volume) {
    size_t length = volume ? wcslen(volume) : 0;
    if (length == 0) return false;
    for (const wchar_t *at = session.volumes; *at;) {
        const wchar_t *end = wcschr(at, L';');
        size_t its = end ? static_cast<size_t>(end - at) : wcslen(at);
        if (its == length && _wcsnicmp(at, volume, its) == 0) return true;
        at += its + (end ? 1 : 0);
    }
    return false;
}

HRESULT hold(const VSS_ID &set, HANDLE aborted) {
    channel::Section session;
    if (!readSession(session) || session.set != set) return VSS_E_PROVIDER_VETO;
    Handle frozen(OpenEventW(EVENT_MODIFY_STATE, FALSE, session.frozen));
    Handle thaw(OpenEventW(SYNCHRONIZE, FALSE, session.thaw));
    Handle agent(OpenProcess(SYNCHRONIZE, FALSE, session.agent));
    if (!frozen || !thaw) return VSS_E_PROVIDER_VETO;
    if (!SetEvent(frozen)) return E_FAIL;
    // An agent that has died will not thaw: nothing is held for it. Nor for a set that VSS gives up meanwhile.
    HANDLE ends[] = {thaw, aborted, agent};
    DWORD ended = WaitForMultipleObjects(agent ? 3 : 2, ends, FALSE, session.holdLimitMs);
    if (ended == WAIT_FAILED) return E_FAIL;
    // Whatever the host has taken is not known here; the agent tells what it knows.
    return ended == WAIT_OBJECT_0 + 1 ? VSS_E_PROVIDER_VETO : S_OK;
}

// There are no snapshots, and so nothing in it. VSS asks for it to list all snapshots of the machine.
class EmptyEnumerator final : public IVssEnumObject {
public:
    EmptyEnumerator() { InterlockedIncrement(&liveObjects); }
    virtual ~EmptyEnumerator() { InterlockedDecrement(&liveObjects); }
    STDMETHODIMP QueryInterface(REFIID id, void **found) override {
        if (!found) return E_POINTER;
        *found = nullptr;
        if (id != IID_IUnknown && id != IID_IVssEnumObject) return E_NOINTERFACE;
        *found = static_cast<IVssEnumObject *>(this);
        AddRef();
        return S_OK;
    }
    STDMETHODIMP_(ULONG) AddRef() override { return InterlockedIncrement(&references_); }
    STDMETHODIMP_(ULONG) Release() override {
        LONG left = InterlockedDecrement(&references_);
        if (left == 0) delete this;
        return left;
    }
    STDMETHODIMP Next(ULONG, VSS_OBJECT_PROP *, ULONG *fetched) override {
        if (fetched) *fetched = 0;
        return S_FALSE;
    }
    STDMETHODIMP Skip(ULONG) override { return S_FALSE; }
    STDMETHODIMP Reset() override { return S_OK; }
    STDMETHODIMP Clone(IVssEnumObject **) override { return E_NOTIMPL; }

private:
    LONG references_ = 1;
};

class Provider final : public IVssSoftwareSnapshotProvider, public IVssProviderCreateSnapshotSet, public IVssProviderNotifications {
public:
    Provider() : aborted_(CreateEventW(nullptr, TRUE, FALSE, nullptr)) { InterlockedIncrement(&liveObjects); }
    virtual ~Provider() { InterlockedDecrement(&liveObjects); }
    bool usable() const { return aborted_ != nullptr; }

    STDMETHODIMP QueryInterface(REFIID id, void **found) override {
        if (!found) return E_POINTER;
        *found = nullptr;
        if (id == IID_IUnknown || id == IID_IVssSoftwareSnapshotProvider) *found = static_cast<IVssSoftwareSnapshotProvider *>(this);
        else if (id == IID_IVssProviderCreateSnapshotSet) *found = static_cast<IVssProviderCreateSnapshotSet *>(this);
        else if (id == IID_IVssProviderNotifications) *found = static_cast<IVssProviderNotifications *>(this);
        else return E_NOINTERFACE;
        AddRef();
        return S_OK;
    }
    STDMETHODIMP_(ULONG) AddRef() override { return InterlockedIncrement(&references_); }
    STDMETHODIMP_(ULONG) Release() override {
        LONG left = InterlockedDecrement(&references_);
        if (left == 0) delete this;
        return left;
    }

    STDMETHODIMP SetContext(LONG) override { return S_OK; }
    STDMETHODIMP GetSnapshotProperties(VSS_ID, VSS_SNAPSHOT_PROP *) override { return VSS_E_OBJECT_NOT_FOUND; }
    STDMETHODIMP Query(VSS_ID, VSS_OBJECT_TYPE, VSS_OBJECT_TYPE, IVssEnumObject **found) override {
        if (!found) return E_POINTER;
        *found = new (std::nothrow) EmptyEnumerator;
        return *found ? S_OK : E_OUTOFMEMORY;
    }
    STDMETHODIMP DeleteSnapshots(VSS_ID source, VSS_OBJECT_TYPE, WINBOOL, LONG *deleted, VSS_ID *left) override {
        if (deleted) *deleted = 0;
        if (left) *left = source;
        return S_OK;
    }
    // The first call of a new set, whatever became of the one before (IVssProviderCreateSnapshotSet::AbortSnapshots).
    STDMETHODIMP BeginPrepareSnapshot(VSS_ID set, VSS_ID, VSS_PWSZ, LONG) override {
        channel::Section session;
        if (!readSession(session) || session.set != set) return VSS_E_PROVIDER_VETO;
        ResetEvent(aborted_);
        return S_OK;
    }
    // For the volumes of the agent's freeze only: other backup programs that look for a provider must not choose this one.
    STDMETHODIMP IsVolumeSupported(VSS_PWSZ volume, WINBOOL *supported) override {
        if (!supported) return E_POINTER;
        channel::Section session;
        *supported = readSession(session) && isOfSession(session, volume);
        return S_OK;
    }
    STDMETHODIMP IsVolumeSnapshotted(VSS_PWSZ, WINBOOL *present, LONG *compatibility) override {
        if (present) *present = FALSE;
        if (compatibility) *compatibility = 0;
        return S_OK;
    }
    STDMETHODIMP SetSnapshotProperty(VSS_ID, VSS_SNAPSHOT_PROPERTY_ID, VARIANT) override { return E_NOTIMPL; }
    STDMETHODIMP RevertToSnapshot(VSS_ID) override { return E_NOTIMPL; }
    STDMETHODIMP QueryRevertStatus(VSS_PWSZ, IVssAsync **) override { return E_NOTIMPL; }

    STDMETHODIMP EndPrepareSnapshots(VSS_ID) override { return S_OK; }
    STDMETHODIMP PreCommitSnapshots(VSS_ID) override { return S_OK; }
    STDMETHODIMP CommitSnapshots(VSS_ID set) override { return hold(set, aborted_); }
    STDMETHODIMP PostCommitSnapshots(VSS_ID, LONG) override { return S_OK; }
    STDMETHODIMP PreFinalCommitSnapshots(VSS_ID) override { return S_OK; }
    STDMETHODIMP PostFinalCommitSnapshots(VSS_ID) override { return S_OK; }
    STDMETHODIMP AbortSnapshots(VSS_ID) override {
        SetEvent(aborted_);
        return S_OK;
    }

    STDMETHODIMP OnLoad(IUnknown *) override { return S_OK; }
    STDMETHODIMP OnUnload(WINBOOL) override { return S_OK; }

private:
    LONG references_ = 1;
    Handle aborted_;
};

} // namespace

HRESULT createProvider(REFIID interfaceId, void **made) {
    auto provider = new (std::nothrow) Provider;
    if (!provider) return E_OUTOFMEMORY;
    HRESULT result = provider->usable() ? provider->QueryInterface(interfaceId, made) : E_OUTOFMEMORY;
    provider->Release();
    return result;
}
