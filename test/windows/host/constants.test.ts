// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { busTypes } from '../../../adapters/windows/disk-address.ts';
import { machines } from '../../../adapters/windows/host.ts';
import { errorNames } from '../../../adapters/windows/system-error.ts';
import { vssCodes, writerStates } from '../../../adapters/windows/vss/codes.ts';
import { backupTypes } from '../../../adapters/windows/vss/identity.ts';
import { after, before, describe, it } from '../runner.ts';
import { constants, guids } from './declared.ts';
import { factsOf, printFacts } from './headers.ts';

/** Names of ours for what C has to be asked for otherwise. */
const inC: Readonly<Record<string, string>> = {
  APPEND: 'FILE_GENERIC_WRITE & ~FILE_WRITE_DATA',
  GENERIC_READ_WRITE: 'GENERIC_READ | GENERIC_WRITE',
  INVALID_HANDLE: '(uintptr_t)INVALID_HANDLE_VALUE',
  HKEY_LOCAL_MACHINE: '(uintptr_t)HKEY_LOCAL_MACHINE',
  PROCESS_SET_QUOTA_AND_TERMINATE: 'PROCESS_SET_QUOTA | PROCESS_TERMINATE',
  PROTECTED_DACL: 'PROTECTED_DACL_SECURITY_INFORMATION',
  SHARE_ALL: 'FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE',
  SHARE_READ_WRITE: 'FILE_SHARE_READ | FILE_SHARE_WRITE',
  TRANSPORTABLE: 'VSS_VOLSNAP_ATTR_TRANSPORTABLE',
  WTSSessionInfo: '(WTS_INFO_CLASS)24',
};

/** Identifiers of ours, and where C has them. */
const ours: Readonly<Record<string, string>> = { providerId: 'channel::providerId', classId: 'channel::classId' };

/** What mingw-w64 of Debian 12 does not have, with its source. */
const undeclared: Readonly<Record<string, string>> = {
  ERROR_CANT_WAIT: 'winerror.h of the Windows SDK: 554',
  ERROR_ELEVATION_REQUIRED: 'winerror.h of the Windows SDK: 740',
  ERROR_SHUTDOWN_IS_SCHEDULED: 'winerror.h of the Windows SDK: 1190',
  DEVICE_NOTIFY_CALLBACK: 'winuser.h of the Windows SDK: 2',
  virtioPortClass: 'vioser.h of virtio-win: 6fde7521-1b65-48ae-b628-80be62016026',
};

/** Numbers that stand in a table with their names. */
const tables: readonly (readonly [name: string, value: number])[] = [
  ...Object.entries(errorNames).map(([value, name]) => [name, Number(value)] as const),
  ...Object.entries(vssCodes).map(([value, [name]]) => [name, Number(value)] as const),
  ...writerStates.map((name, value) => [name, value] as const),
  ...Object.entries(backupTypes).map(([name, value]) => [`VSS_BT_${name.toUpperCase()}`, value] as const),
  ...Object.entries(busTypes).map(([value, [name]]) => [name, Number(value)] as const),
  ...Object.entries(machines).map(([value, [name]]) => [name, Number(value)] as const),
];

const declared = constants();
const named = guids();

const statements = (): readonly string[] => [
  ...new Set([...declared.map(({ name }) => name), ...tables.map(([name]) => name)].filter((name) => undeclared[name] === undefined)
    .map((name) => `number("${name}", ${inC[name] ?? name});`)),
  ...named.filter(({ id, name }) => id === undefined && undeclared[name] === undefined).map(({ name }) => `guid("${name}", ${ours[name] ?? name});`),
  ...named.filter(({ id }) => id !== undefined).map(({ name }) => `guid("${name}", ${name}.fmtid); number("${name}.pid", ${name}.pid);`),
];

const low = (value: bigint): bigint => BigInt.asUintN(value > 0xffff_ffffn ? 64 : 32, value);

describe('numbers that the backend has of the Windows headers', () => {
  let directory = '';
  let said: ReadonlyMap<string, string> = new Map();

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'concierge-constants-'));
    // A name that is in no header does not compile: it would be one of ours, which begin with a small letter.
    said = factsOf(directory, printFacts([], [], statements()));
  });

  after(() => rmSync(directory, { recursive: true }));

  for (const file of new Set(declared.map((one) => one.file))) {
    it(`the constants of ${file} are those of the headers`, () => {
      for (const { name, value } of declared.filter((one) => one.file === file && undeclared[one.name] === undefined)) {
        const theirs = BigInt(said.get(name) ?? -1);
        assert.equal(value > 0xffff_ffffn ? theirs : BigInt.asUintN(32, theirs), low(value), name);
      }
    });
  }

  it('every number in the tables of codes has the name that the headers give it', () => {
    for (const [name, value] of tables) {
      const sdk = undeclared[name];
      if (sdk !== undefined) {
        assert.ok(sdk.endsWith(`: ${value}`), name);
        continue;
      }
      assert.equal(BigInt.asUintN(32, BigInt(said.get(name) ?? -1)), BigInt.asUintN(32, BigInt(value)), name);
    }
  });

  it('every identifier is that of the headers, and those of the provider are those of its own source', () => {
    assert.ok(named.length >= 4, `${named.length} identifiers`);
    for (const { name, text, id } of named) {
      assert.equal(said.get(name) ?? undeclared[name]?.split(': ')[1], text, name);
      if (id !== undefined) assert.equal(said.get(`${name}.pid`), `${id}`, name);
    }
  });
});
