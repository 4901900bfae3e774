// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { fieldSize } from '../../../adapters/windows/layout.ts';
import { after, before, describe, it } from '../runner.ts';
import { declarations, sources } from './declared.ts';
import { declaration } from './c-types.ts';
import { factsOf, fits, printFacts } from './headers.ts';

/** Runs on Linux: what it needs is the compiler of mingw-w64 and, for what the compiler says, Wine. */
const { layouts, interfaces, prototypes } = await declarations();

/** Undocumented ones, and those that mingw-w64 does not declare: what stands in for a header. */
const undeclared: ReadonlyMap<string, string> = new Map([
  ['CM_Register_Notification', 'extern "C" CONFIGRET WINAPI CM_Register_Notification(PCM_NOTIFY_FILTER, PVOID, PCM_NOTIFY_CALLBACK, PHCMNOTIFICATION);'],
  ['CM_Unregister_Notification', 'extern "C" CONFIGRET WINAPI CM_Unregister_Notification(HCMNOTIFICATION);'],
  ['SetupGetInfDriverStoreLocationW', 'extern "C" WINBOOL WINAPI SetupGetInfDriverStoreLocationW(PCWSTR, PSP_ALTPLATFORM_INFO, PCWSTR, PWSTR, DWORD, PDWORD);'],
  ['RtlGetVersion', 'extern "C" NTSTATUS WINAPI RtlGetVersion(OSVERSIONINFOEXW *);'],
  ['DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS', 'struct DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS { ULONG (CALLBACK *Callback)(PVOID, ULONG, PVOID); PVOID Context; };'],
  ['PowerRegisterSuspendResumeNotification', 'extern "C" DWORD WINAPI PowerRegisterSuspendResumeNotification(DWORD, HANDLE, PVOID *);'],
  ['VIRTIO_PORT_INFO', 'struct VIRTIO_PORT_INFO { UINT Id; BOOLEAN OutVqFull, HostConnected, GuestConnected; CHAR Name[1]; };'],
]);

/** What the structures that we fill have besides: it is zero. Together with the fields all members, by name. */
const zeros: Readonly<Record<string, readonly string[]>> = {
  STARTUPINFOEXW: ['lpReserved', 'lpDesktop', 'lpTitle', 'dwX', 'dwY', 'dwXSize', 'dwYSize', 'dwXCountChars', 'dwYCountChars', 'dwFillAttribute', 'cbReserved2', 'lpReserved2']
    .map((name) => `StartupInfo.${name}`),
  SECURITY_DESCRIPTOR: ['Sbz1'],
  CM_NOTIFY_FILTER: ['Reserved', 'u.DeviceInstance.InstanceId'],
  OSVERSIONINFOEXW: ['dwPlatformId', 'szCSDVersion', 'wServicePackMajor', 'wServicePackMinor', 'wSuiteMask', 'wReserved'],
  STORAGE_PROPERTY_QUERY: ['AdditionalParameters'],
};

/** Layouts that somewhere a structure is made of, by the names of C. */
const filled: ReadonlySet<string> = new Set([...sources.values()].flatMap((text) => [...text.matchAll(/\b(?:structure|writeFields)\((\w+)/g)].flatMap(([, constant = '']) => nameInC(constant))));

function nameInC(constant: string): readonly string[] {
  const itsOwn = /(\w+) as (\w+)/g;
  const names = new Set([constant, ...[...sources.values()].flatMap((text) => [...text.matchAll(itsOwn)].flatMap(([, name = '', alias]) => (alias === constant ? [name] : [])))]);
  return [...sources.values()].flatMap((text) => [...text.matchAll(/^export const (\w+) = layout\('([^']+)'/gm)].flatMap(([, name = '', inC = '']) => (names.has(name) ? [inC] : [])));
}

interface Place {
  readonly offset: number;
  readonly size: number;
  readonly alignment: number;
}

/** Where a member lies, as the compiler says. */
function placeOf(name: string, member: string): Place {
  const [offset = Number.NaN, size = Number.NaN] = said.get(`${name}.${member}`)?.split(' ').map(Number) ?? [];
  return { offset, size, alignment: Number(said.get(`${name}.${member}+aligned`)) };
}

/** mingw's IUnknown has a template of the same name beside the method. */
const query = 'static_cast<HRESULT (STDMETHODCALLTYPE IUnknown::*)(REFIID, void **)>';

function statements(): readonly string[] {
  const lines: string[] = [];
  for (const { name, fields } of layouts) {
    lines.push(`printf("${name} %zu\\n", sizeof(${name}));`, `printf("${name}+aligned %zu\\n", alignof(${name}));`);
    for (const field of [...Object.keys(fields), ...(zeros[name] ?? [])]) {
      lines.push(`printf("${name}.${field} %zu %zu\\n", (size_t)offsetof(${name}, ${field}), sizeof(((${name} *)0)->${field}));`);
      lines.push(`printf("${name}.${field}+aligned %zu\\n", alignof(decltype((((${name} *)0)->${field}))));`);
    }
  }
  for (const { name, slots } of interfaces) {
    for (const method of Object.keys(slots)) {
      lines.push(`method("${name}::${method}", ${method === 'QueryInterface' ? query : ''}(&${name}::${method}));`);
    }
  }
  for (const { name } of prototypes) lines.push(`function<decltype(&${name})>("${name}()");`);
  return lines;
}

let said: ReadonlyMap<string, string> = new Map();

describe('what the bindings say of the Windows headers', () => {
  let directory = '';

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'concierge-layout-'));
    const headers = [...layouts, ...interfaces].map(({ header }) => header);
    said = factsOf(directory, printFacts(headers, [...undeclared.values()], statements()));
  });

  after(() => rmSync(directory, { recursive: true }));

  it('nothing is declared but through the functions that write it down', () => {
    for (const [file, text] of sources) {
      assert.doesNotMatch(text, /\b(?:as|satisfies) (?:Layout|ComInterface)\b/, file);
      if (file === 'dll.ts' || file === 'com.ts' || file === 'koffi.ts') continue;
      assert.doesNotMatch(text, /koffi\(\)\.(?:struct|union)\b/, `${file} has a structure of koffi's own`);
    }
  });

  it('a layout that is said wrongly is found', () => {
    assert.equal(said.get('SYSTEMTIME'), '16');
    assert.equal(said.get('SYSTEMTIME.wHour'), '8 2');
    assert.notEqual(said.get('SYSTEMTIME.wHour'), '6 2');
  });

  for (const { name, size, fields } of layouts) {
    it(`${name} has the size and the offsets that the compiler gives it`, () => {
      assert.equal(said.get(name), `${size}`, 'size');
      for (const [field, [offset, type]] of Object.entries(fields)) {
        // A structure of variable length declares one element of what is read as a text.
        assert.equal(said.get(`${name}.${field}`), `${offset} ${fieldSize(type)}`, field);
      }
    });
  }

  it('structures that are filled are found', () => {
    assert.ok(filled.size >= 20, [...filled].join());
    for (const name of ['OVERLAPPED', 'SERVICE_STATUS', 'STARTUPINFOEXW']) assert.ok(filled.has(name), name);
  });

  for (const { name, size, fields } of layouts.filter((one) => filled.has(one.name))) {
    it(`${name}, which is filled, has no member that is neither a field nor named as zero`, () => {
      const places = [...Object.keys(fields), ...(zeros[name] ?? [])].map((member) => placeOf(name, member)).toSorted((one, other) => one.offset - other.offset);
      let end = 0;
      for (const { offset, size: length, alignment } of [...places, { offset: size, size: 0, alignment: Number(said.get(`${name}+aligned`)) }]) {
        // Members of a union lie at the same place.
        if (offset >= end) assert.equal(Math.ceil(end / alignment) * alignment, offset, `nothing is said of ${end} to ${offset}`);
        end = Math.max(end, offset + length);
      }
    });
  }

  for (const { name, slots } of interfaces) {
    it(`${name} has its methods in the slots, with the parameters, that the compiler gives them`, () => {
      for (const [method, [slot, parameters]] of Object.entries(slots)) {
        const [place, ...types] = said.get(`${name}::${method}`)?.split(' ') ?? [];
        assert.equal(place, `${slot}`, method);
        const mine = [method === 'AddRef' || method === 'Release' ? 'uint32_t' : 'int32_t', ...parameters];
        assert.ok(fits(types, mine), `${method}: ${mine.join(', ')} in place of ${types.join(' ')}`);
      }
    });
  }

  for (const dll of new Set(prototypes.map((one) => one.dll))) {
    it(`the functions of ${dll} have the parameters that the headers give them`, () => {
      for (const { name, definition } of prototypes.filter((one) => one.dll === dll)) {
        const types = said.get(`${name}()`)?.split(' ') ?? [];
        const declared = declaration(definition);
        assert.equal(declared.name, name);
        assert.ok(fits(types, declared.types), `${name}: ${declared.types.join(', ')} in place of ${types.join(' ')}`);
      }
    });
  }
});
