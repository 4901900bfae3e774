// Programs for tests of guest-exec, all in one: `programs.exe WHAT ARGUMENTS`. Prints UTF-8, byte for byte.
#include <windows.h>
#include <shellapi.h>
#include <fcntl.h>
#include <io.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

static std::string utf8(const wchar_t *text) {
    int length = WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
    std::string bytes(length, 0);
    WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes.data(), length, nullptr, nullptr);
    bytes.resize(length - 1);
    return bytes;
}

static void print(const std::string &text) { fwrite(text.data(), 1, text.size(), stdout); fflush(stdout); }
static void complain(const std::string &text) { fwrite(text.data(), 1, text.size(), stderr); fflush(stderr); }

/// Starts this program again, with our output, and does not wait for it.
static void leaveChild(const std::wstring &what) {
    wchar_t self[MAX_PATH];
    GetModuleFileNameW(nullptr, self, MAX_PATH);
    std::wstring line = L"\"" + std::wstring(self) + L"\" " + what;
    STARTUPINFOW start{};
    start.cb = sizeof start;
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    SetHandleInformation(start.hStdOutput, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    SetHandleInformation(start.hStdError, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    PROCESS_INFORMATION child{};
    CreateProcessW(nullptr, line.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr, &start, &child);
}

static bool isSystems(const std::string &pair) {
    static const char *const names[] = {"HOMEDRIVE", "HOMEPATH", "LOGONSERVER", "PATH", "SystemDrive", "SystemRoot", "TEMP", "USERDOMAIN", "USERNAME", "USERPROFILE", "WINDIR"};
    if (pair[0] == '=' || pair.compare(0, 4, "WINE") == 0) return true;
    for (auto name : names) if (pair.compare(0, strlen(name) + 1, std::string(name) + "=") == 0) return true;
    return false;
}

int main() {
    _setmode(0, _O_BINARY);
    _setmode(1, _O_BINARY);
    _setmode(2, _O_BINARY);
    int count = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    std::vector<std::string> words;
    for (int i = 1; i < count; i++) words.push_back(utf8(wide[i]));
    // A copy under a name of its own says that it was found.
    if (utf8(wide[0]).find("programs") == std::string::npos) { print("found\n"); return 0; }
    if (words.empty()) return 99;
    // A report of another program's, byte for byte, and its exit code: what w32tm and defrag are replaced by.
    char report[MAX_PATH], code[32];
    if (GetEnvironmentVariableA("CONCIERGE_REPORT", report, sizeof report)) {
        if (FILE *file = fopen(report, "rb")) {
            char bytes[4096];
            for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;) fwrite(bytes, 1, n, stdout);
            fclose(file);
            fflush(stdout);
        }
        complain(GetEnvironmentVariableA("CONCIERGE_REPORT_ARGUMENTS", code, sizeof code) ? [&] { std::string all; for (auto &word : words) all += "[" + word + "]"; return all; }() : "");
        return GetEnvironmentVariableA("CONCIERGE_REPORT_CODE", code, sizeof code) ? (int)strtoul(code, nullptr, 0) : 0;
    }
    const std::string what = words[0];
    const std::string second = words.size() > 1 ? words[1] : "";
    if (what == "exits") return (int)strtoul(second.c_str(), nullptr, 0);
    if (what == "prints") { print(second); complain(words.size() > 2 ? words[2] : ""); return 0; }
    if (what == "interleaves") { print("1"); complain("2"); print("3"); complain("4"); return 0; }
    if (what == "arguments") { for (size_t i = 1; i < words.size(); i++) print(words[i] + "\n"); return 0; }
    if (what == "environment") {
        // libuv and Wine add what programs of Windows cannot do without.
        bool inherited = GetEnvironmentVariableW(L"CONCIERGE_TEST_BUILD", nullptr, 0) != 0;
        for (wchar_t *at = GetEnvironmentStringsW(); *at; at += wcslen(at) + 1) {
            if (inherited || !isSystems(utf8(at))) print(utf8(at) + "\n");
        }
        return 0;
    }
    if (what == "copies") {
        char bytes[65536];
        // What is there, and not only whole pieces of it.
        for (int n; (n = _read(0, bytes, sizeof bytes)) > 0;) { fwrite(bytes, 1, n, stdout); fflush(stdout); }
        return 0;
    }
    if (what == "many") { print(std::string(strtoul(second.c_str(), nullptr, 10), 'x')); return 0; }
    if (what == "floods") { const std::string piece(10000, 'x'); for (;;) if (fwrite(piece.data(), 1, piece.size(), stdout) != piece.size()) return 1; }
    if (what == "directory") { wchar_t folder[MAX_PATH]; GetCurrentDirectoryW(MAX_PATH, folder); print(utf8(folder) + "\n"); return 0; }
    // Writes nothing, which a reader sees, and something behind it.
    if (what == "nothing-first") {
        DWORD written = 0;
        for (int i = 0; i < 3; i++) WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "", 0, &written, nullptr);
        print("something");
        return 0;
    }
    // `writes COUNT FILE`: so many pieces of 1000 bytes, and says in a file when the last one is written.
    if (what == "writes") {
        const std::string piece(1000, 'x');
        for (unsigned long left = strtoul(second.c_str(), nullptr, 10); left > 0; left--) { fwrite(piece.data(), 1, piece.size(), stdout); fflush(stdout); }
        if (FILE *said = fopen(words[2].c_str(), "wb")) { fputs("written", said); fclose(said); }
        return 0;
    }
    if (what == "waits") { Sleep(300000); return 0; }
    if (what == "late") { Sleep(5000); print("late\n"); return 0; }
    if (what == "leaves-child") { leaveChild(L"late"); print("done\n"); return 0; }
    // One in the background that waits for a file, writes a MiB to both streams, and says in another file whether it could.
    if (what == "leaves-writer") { leaveChild(L"writes-on \"" + std::wstring(wide[2]) + L"\" \"" + wide[3] + L"\""); print("done\n"); return 0; }
    if (what == "waits-with-writer") { leaveChild(L"writes-on \"" + std::wstring(wide[2]) + L"\" \"" + wide[3] + L"\""); print("started\n"); Sleep(300000); return 0; }
    if (what == "writes-on") {
        while (GetFileAttributesW(wide[2]) == INVALID_FILE_ATTRIBUTES) Sleep(10);
        const std::string piece(1 << 20, 'x');
        bool wrote = true;
        for (DWORD stream : {STD_OUTPUT_HANDLE, STD_ERROR_HANDLE}) {
            DWORD written = 0;
            wrote = WriteFile(GetStdHandle(stream), piece.data(), piece.size(), &written, nullptr) && written == piece.size() && wrote;
        }
        HANDLE said = CreateFileW(wide[3], GENERIC_WRITE, 0, nullptr, CREATE_NEW, 0, nullptr);
        DWORD written = 0;
        WriteFile(said, wrote ? "yes" : "no", wrote ? 3 : 2, &written, nullptr);
        CloseHandle(said);
        return 0;
    }
    print(what + "\n"); // `echo`: found by its name alone
    return 0;
}
