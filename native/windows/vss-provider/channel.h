// SPDX-License-Identifier: Apache-2.0
// What the agent and the provider share. The agent creates the section, and the provider finds everything else through
// it: creating one below Global\ takes a privilege that only services and administrators have, so that nobody else can
// be there before. The names of the events are drawn by lot for every freeze.
#pragma once
#include <windows.h>

namespace channel {

constexpr wchar_t sectionName[] = L"Global\\Concierge-VSS-session";
constexpr DWORD version = 2;

// adapters/windows/vss/channel.ts has the same.
struct Section {
    DWORD version;
    DWORD agent;       // process identifier: its end ends the hold
    DWORD holdLimitMs; // after which the provider lets go by itself
    GUID set;          // the snapshot set that is the agent's
    wchar_t frozen[64];
    wchar_t thaw[64];
    wchar_t volumes[4096]; // names of its volumes, with semicolons between them
};

// {22FA54FC-970E-48DD-9AA4-89D989A396EA}
constexpr GUID providerId = {0x22FA54FC, 0x970E, 0x48DD, {0x9A, 0xA4, 0x89, 0xD9, 0x89, 0xA3, 0x96, 0xEA}};
// {03857A65-7E79-4B21-B344-E3D16A36835D}
constexpr GUID providerVersionId = {0x03857A65, 0x7E79, 0x4B21, {0xB3, 0x44, 0xE3, 0xD1, 0x6A, 0x36, 0x83, 0x5D}};
// {63AD1F54-1700-4F3B-B9E3-2C47A3BF43BC}
constexpr GUID classId = {0x63AD1F54, 0x1700, 0x4F3B, {0xB9, 0xE3, 0x2C, 0x47, 0xA3, 0xBF, 0x43, 0xBC}};

} // namespace channel
