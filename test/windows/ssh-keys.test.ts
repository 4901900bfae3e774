// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { HKEY_LOCAL_MACHINE } from '../../adapters/windows/bindings/advapi32.ts';
import { windowsBackend } from '../../adapters/windows/module.ts';
import { deleteRegistryKey, writeRegistryKey } from '../../adapters/windows/registry.ts';
import { messageOf } from '../../core/errors/agent-error.ts';
import { accountDlls, CallLog, setVariable } from './doubles.ts';
import { after, afterEach, beforeEach, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const programData = mkdtempSync(join(tmpdir(), 'concierge-data-'));
process.env['ProgramData'] = programData;

const calls = new CallLog();
const { accounts } = windowsBackend({ dlls: accountDlls });
const keys = accounts?.sshKeys ?? assert.fail('no keys');

const profileList = 'SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList';
const sids = { alice: 'S-1-5-21-1-2-3-1001', bob: 'S-1-5-21-1-2-3-1105' };

const failure = async (work: Promise<unknown>): Promise<string> => work.then(() => 'it succeeded', messageOf);

describe('keys of people on Windows', () => {
  let profiles = '';

  beforeEach(() => {
    profiles = mkdtempSync(join(tmpdir(), 'concierge profiles '));
    mkdirSync(join(profiles, 'alice'));
    mkdirSync(join(profiles, 'bob.CORP'));
    writeRegistryKey(HKEY_LOCAL_MACHINE, `${profileList}\\${sids.alice}`, { ProfileImagePath: join(profiles, 'alice') });
    writeRegistryKey(HKEY_LOCAL_MACHINE, `${profileList}\\${sids.bob}`, { ProfileImagePath: join(profiles, 'bob.CORP') });
  });

  afterEach(() => {
    setVariable('CONCIERGE_DOUBLES_FAIL', '');
    for (const sid of Object.values(sids)) deleteRegistryKey(HKEY_LOCAL_MACHINE, `${profileList}\\${sid}`);
    calls.clear();
  });

  it("a user's file lies in the profile, for SYSTEM, administrators and the user alone, and is replaced at once", async () => {
    const file = await keys.locate('alice');
    await keys.write('alice', 'ssh-ed25519 AAAA alice\n');

    const directory = join(profiles, 'alice', '.ssh');
    assert.equal(file, join(directory, 'authorized_keys'));
    assert.equal(await keys.read('alice'), 'ssh-ed25519 AAAA alice\n');
    const rights = `D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;${sids.alice})`;
    const [made, created, flushed, moved] = calls.lines();
    assert.equal(made, `CreateDirectory ${directory} rights=${rights}`);
    // CREATE_NEW: nothing that is there is written to.
    assert.match(created ?? '', /authorized_keys\.[0-9a-f]{16}\.new disposition=1 /);
    assert.ok(created?.endsWith(`rights=${rights}`), created);
    assert.deepEqual([flushed, moved], ['FlushFileBuffers', `MoveFileEx ${file} flags=9`]);
  });

  it("a user of a domain has the profile that Windows made for them, and their own right in it", async () => {
    await keys.write(String.raw`CORP\bob`, 'ssh-rsa AAAA bob\n');

    assert.equal(readFileSync(join(profiles, 'bob.CORP', '.ssh', 'authorized_keys'), 'utf8'), 'ssh-rsa AAAA bob\n');
    assert.ok(calls.lines()[0]?.endsWith(`(A;;FA;;;${sids.bob})`));
  });

  it('administrators share a file that SYSTEM and administrators alone may write', async () => {
    await keys.write('boss', 'ssh-rsa AAAA boss\n');

    const file = join(programData, 'ssh', 'administrators_authorized_keys');
    assert.equal(await keys.locate('boss'), file);
    assert.equal(readFileSync(file, 'utf8'), 'ssh-rsa AAAA boss\n');
    assert.ok(calls.lines().filter((line) => line.includes('rights=')).every((line) => line.endsWith('rights=D:P(A;;FA;;;SY)(A;;FA;;;BA)')));
  });

  it('somebody who has no profile yet has no keys, and gets none: the folder of their name may be another’s', async () => {
    const text = await keys.read('stranger');
    const message = await failure(keys.write('stranger', 'ssh-rsa AAAA\n'));

    assert.equal(text, undefined);
    assert.match(message, /^failed to write to '.*\\stranger\\\.ssh\\authorized_keys': stranger has no profile on this machine yet/);
    assert.deepEqual(calls.lines(), []);
  });

  for (const [name, expected] of [
    ['nobody', /^failed to lookup user 'nobody': User nobody was not found$/],
    ['everyone-of-us', /^failed to lookup user 'everyone-of-us': User everyone-of-us was not found$/],
    [String.raw`LOST\carol`, /^failed to lookup user 'LOST\\carol': ./],
  ] as const) {
    it(`${name} is told by why they cannot be found`, async () => {
      assert.match(await failure(keys.locate(name)), expected);
      assert.match(await failure(keys.write(name, 'x')), expected);
      assert.deepEqual(calls.lines(), []);
    });
  }

  it('a file that cannot be put in place leaves the old one and nothing else behind', async () => {
    await keys.write('alice', 'old\n');
    setVariable('CONCIERGE_DOUBLES_FAIL', 'MoveFileEx=5');

    const message = await failure(keys.write('alice', 'new\n'));

    assert.match(message, /^failed to write to '.*authorized_keys': ./);
    assert.equal(await keys.read('alice'), 'old\n');
    assert.deepEqual(readdirSync(join(profiles, 'alice', '.ssh')), ['authorized_keys']);
  });

  it('a file in place of the folder is no folder, and stays what it is', async () => {
    writeFileSync(join(profiles, 'alice', '.ssh'), 'mine');

    const message = await failure(keys.write('alice', 'x'));

    assert.match(message, /^failed to write to '.*authorized_keys': ./);
    assert.equal(readFileSync(join(profiles, 'alice', '.ssh'), 'utf8'), 'mine');
  });

  it('a file too large to be one of keys is an error and not read whole', async () => {
    mkdirSync(join(profiles, 'alice', '.ssh'));
    writeFileSync(join(profiles, 'alice', '.ssh', 'authorized_keys'), Buffer.alloc(5 * 2 ** 20, 'x'));

    assert.match(await failure(keys.read('alice')), /is larger than 4194304 bytes$/);
  });

  it('a profile that is gone is an error that names the step', async () => {
    writeRegistryKey(HKEY_LOCAL_MACHINE, `${profileList}\\${sids.alice}`, { ProfileImagePath: 'C:\\gone\\alice' });

    assert.match(await failure(keys.write('alice', 'x')), /^failed to create directory C:\\gone\\alice\\\.ssh: ./);
    assert.equal(existsSync('C:\\gone'), false);
  });
});
