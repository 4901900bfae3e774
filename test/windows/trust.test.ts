// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readRegularFile } from '../../adapters/config/read-regular-file.ts';
import { readSettings } from '../../adapters/config/settings.ts';
import { programData } from '../../adapters/shared/program-data.ts';
import { usePlaceGuard } from '../../adapters/shared/trust/place-guard.ts';
import { FileStateStore } from '../../adapters/state-store/state-store.ts';
import { copyOf, type Out, type Pointer } from '../../adapters/windows/koffi.ts';
import { advapi32 } from '../../adapters/windows/bindings/advapi32.ts';
import { replaceDlls } from '../../adapters/windows/dll.ts';
import { whyDistrusted, type Role } from '../../adapters/windows/trust/rule.ts';
import { accessOf } from '../../adapters/windows/trust/security-descriptor.ts';
import { demandTrustedProgram } from '../../adapters/windows/trust/program-place.ts';
import { agentUser, windowsGuard } from '../../adapters/windows/trust/trusted-place.ts';
import { accountDlls, built, CallLog, setVariable } from './doubles.ts';
import { after, afterEach, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

// Access lists are those that CONCIERGE_DOUBLES_SDDL names: Wine keeps none. Whoever is not named there belongs to administrators alone.
replaceDlls({ 'advapi32.dll!GetKernelObjectSecurity': built('doubles.dll'), 'kernel32.dll!CreateDirectoryW': accountDlls['kernel32.dll!CreateDirectoryW'] ?? '' });
const calls = new CallLog();
usePlaceGuard(windowsGuard);
const rights = (...pairs: readonly string[]): void => setVariable('CONCIERGE_DOUBLES_SDDL', pairs.length === 0 ? undefined : pairs.join('|'));

const ours = 'O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)';
/** As C:\ProgramData has it: users add files and folders of their own. */
const programDatas = 'O:SYG:SYD:PAI(A;OICIIO;GA;;;CO)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;CI;0x000116;;;BU)';
/** As C:\ has it. */
const driveRoots = 'O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464G:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;OICIIO;0x1301bf;;;AU)(A;;0x000004;;;AU)';

function judge(sddl: string, role: Role): string | undefined {
  const descriptor: Out<Pointer | null> = [null];
  const size = Buffer.alloc(4);
  const convert = advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW as unknown as (text: string, revision: number, descriptor: Out<Pointer | null>, size: Buffer) => number;
  assert.notEqual(convert(sddl, 1, descriptor, size), 0, sddl);
  return whyDistrusted(accessOf(copyOf(descriptor[0] ?? 0n, size.readUInt32LE())), role, 'S-1-5-18');
}

describe('who may write what the service obeys', () => {
  for (const [what, sddl, role, expected] of [
    ['a folder as the MSI makes it', ours, 'itself', undefined],
    ['ProgramData, above', programDatas, 'above', undefined],
    ['ProgramData, itself', programDatas, 'itself', /^may be written by Users \(S-1-5-32-545\)$/],
    ['the root of the drive, above', driveRoots, 'above', undefined],
    ['the root of the drive, itself', driveRoots, 'itself', /^may be written by Authenticated Users \(S-1-5-11\)$/],
    ['a folder of a user', 'O:S-1-5-21-1-2-3-1001G:BAD:P(A;;FA;;;BA)', 'itself', /^belongs to S-1-5-21-1-2-3-1001$/],
    ['the same, above', 'O:S-1-5-21-1-2-3-1001G:BAD:P(A;;FA;;;BA)', 'above', /^belongs to S-1-5-21-1-2-3-1001$/],
    ['a folder that users can rename', 'O:BAG:BAD:P(A;;FA;;;BA)(A;;SD;;;BU)', 'above', /^may be exchanged by Users/],
    ['a folder in which users can delete', 'O:BAG:BAD:P(A;;0x40;;;BU)', 'above', /^may be exchanged by Users/],
    ['one that everybody can read', 'O:SYG:SYD:P(A;;FA;;;SY)(A;;0x1200a9;;;WD)', 'itself', undefined],
    ['one that nobody may do anything with', 'O:SYG:SYD:P', 'itself', undefined],
    ['one whose list takes away alone', 'O:SYG:SYD:P(D;;FA;;;WD)', 'itself', undefined],
    ['one without a list', 'O:SYG:SY', 'itself', /^has no access list/],
    ['generic rights', 'O:SYG:SYD:P(A;;GW;;;WD)', 'itself', /^may be written by Everyone/],
    ['the right to change rights', 'O:SYG:SYD:P(A;;WD;;;AU)', 'above', /^may be exchanged by Authenticated Users/],
    ['an owner alone', 'O:BAG:BAD:P(A;;FA;;;CO)', 'itself', undefined],
  ] as const) {
    it(`${what}: ${expected === undefined ? 'only administrators' : 'others'}`, () => {
      const reason = judge(sddl, role);

      if (expected === undefined) assert.equal(reason, undefined);
      else assert.match(reason ?? '', expected);
    });
  }
});

describe('places that the agent uses', () => {
  let folder = '';
  const make = (): string => {
    folder = mkdtempSync(join(tmpdir(), 'concierge trust '));
    writeFileSync(join(folder, 'file'), 'content');
    return folder;
  };

  afterEach(() => {
    rights();
    calls.clear();
  });

  it('a file is read where it, its folder and those above are administrators\' alone', () => {
    make();
    rights();

    assert.equal(windowsGuard.read(join(folder, 'file'), 100).toString(), 'content');
    assert.throws(() => windowsGuard.read(join(folder, 'file'), 3), /it is longer than 3 bytes/);
    assert.throws(() => windowsGuard.read(folder, 100), /Not a regular file/);
    assert.throws(() => windowsGuard.read(join(folder, 'none'), 100), /No such file or directory/);
    assert.throws(() => windowsGuard.read('\\\\server\\share\\file', 100), /is on no drive of this machine/);
  });

  for (const [what, whose] of [['the file', 'file'], ['its folder', 'trust'], ['a folder above', 'Temp']] as const) {
    it(`a file is not read where ${what} belongs to a user`, () => {
      make();
      rights(`${whose}=O:S-1-5-21-1-2-3-1001D:P(A;;FA;;;BA)`);

      assert.throws(() => windowsGuard.read(join(folder, 'file'), 100), /belongs to S-1-5-21-1-2-3-1001: give it to administrators alone/);
    });
  }

  it('users may add to a folder above, but not to the folder of a file', () => {
    make();
    rights(`Temp=${programDatas}`);
    const above = windowsGuard.whyDistrusted(join(folder, 'file'));
    rights(`trust=${programDatas}`);

    assert.equal(above, undefined);
    assert.match(windowsGuard.whyDistrusted(join(folder, 'file')) ?? '', /may be written by Users/);
  });

  it('a configuration that a user has put where it is looked for is not used, and said; one that was named ends the start', () => {
    const its = join(programData(), 'concierge-ga');
    mkdirSync(its, { recursive: true });
    writeFileSync(join(its, 'concierge-ga.conf'), '[general]\nmethod = isa-serial\npath = COM9\n');
    const read = (words: readonly string[]) => readSettings({ words, configurationVariable: undefined, platform: 'windows', readFile: readRegularFile });
    const trusted = read([]);
    rights('concierge-ga.conf=O:S-1-5-21-1-2-3-1001D:P(A;;FA;;;BA)');
    const request = read([]);
    const named = read([`--config=${join(its, 'concierge-ga.conf')}`]);

    assert.equal(trusted.kind === 'run' && trusted.settings.path, 'COM9');
    assert.ok(request.kind === 'run');
    assert.equal(request.settings.method, 'virtio-serial');
    assert.match(request.warnings.join(), /^the configuration .*concierge-ga\.conf is not used: .*concierge-ga\.conf belongs to S-1-5-21-1-2-3-1001/);
    assert.ok(named.kind === 'refused' && /belongs to S-1-5-21-1-2-3-1001/.test(named.reason));
  });

  it('state is neither read from nor written to a folder that others can write to', () => {
    make();
    rights('trust=O:BAD:P(A;;FA;;;BA)(A;;FA;;;BU)');

    assert.throws(() => new FileStateStore({ directory: folder, warn() {} }), /the state directory .* is not used: .* may be written by Users/);
    assert.equal(existsSync(join(folder, 'qga.state')), false);
  });

  it('a missing folder is made for SYSTEM and administrators, and what is missing above it', () => {
    const path = join(make(), 'new', 'state');

    windowsGuard.makeFolder(path);

    assert.ok(existsSync(path));
    const made = calls.lines().filter((line) => line.startsWith('CreateDirectory'));
    assert.equal(made.length, 2);
    for (const line of made) assert.match(line, /rights=D:P\(A;OICI;FA;;;SY\)\(A;OICI;FA;;;BA\)/);
  });

  it('a folder that a user was first to make is not taken over', () => {
    make();
    rights('trust=O:S-1-5-21-1-2-3-1001D:P(A;;FA;;;BA)');

    assert.throws(() => windowsGuard.makeFolder(folder), /belongs to S-1-5-21-1-2-3-1001/);
  });

  it('a program that others can write is made neither a service nor a provider', () => {
    rights(`bin=${driveRoots.replace('(A;OICIIO;0x1301bf;;;AU)', '(A;OICIID;0x1301bf;;;AU)')}`);

    assert.throws(() => demandTrustedProgram('service install'), /service install is refused: SYSTEM would run what others can write: .*Authenticated Users.*, or move it to a folder below Program Files$/);
  });

  it('the agent trusts the user that it runs as', () => {
    assert.match(agentUser(), /^S-1-5-21-[\d-]+-\d+$|^S-1-5-18$/);
  });
});
