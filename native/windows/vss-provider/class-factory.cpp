// What COM asks of the DLL.
#include <windows.h>
#include <unknwn.h>

#include "channel.h"
#include "provider.h"

namespace {

class ClassFactory final : public IClassFactory {
public:
    STDMETHODIMP QueryInterface(REFIID id, void **found) override {
        if (!found) return E_POINTER;
        *found = nullptr;
        if (id != IID_IUnknown && id != IID_IClassFactory) return E_NOINTERFACE;
        *found = static_cast<IClassFactory *>(this);
        return S_OK;
    }
    // There is one, for as long as the DLL is loaded.
    STDMETHODIMP_(ULONG) AddRef() override { return 2; }
    STDMETHODIMP_(ULONG) Release() override { return 1; }
    STDMETHODIMP CreateInstance(IUnknown *outer, REFIID id, void **made) override {
        if (!made) return E_POINTER;
        *made = nullptr;
        return outer ? CLASS_E_NOAGGREGATION : createProvider(id, made);
    }
    STDMETHODIMP LockServer(WINBOOL lock) override {
        if (lock) InterlockedIncrement(&liveObjects);
        else InterlockedDecrement(&liveObjects);
        return S_OK;
    }
};

ClassFactory factory;

} // namespace

STDAPI DllGetClassObject(REFCLSID classId, REFIID id, void **found) {
    if (!found) return E_POINTER;
    *found = nullptr;
    return classId == channel::classId ? factory.QueryInterface(id, found) : CLASS_E_CLASSNOTAVAILABLE;
}

STDAPI DllCanUnloadNow() { return liveObjects == 0 ? S_OK : S_FALSE; }

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *) {
    if (reason == DLL_PROCESS_ATTACH) DisableThreadLibraryCalls(module);
    return TRUE;
}
