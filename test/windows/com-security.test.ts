// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { replaceDlls } from '../../adapters/windows/dll.ts';
import { windowsBackend } from '../../adapters/windows/module.ts';
import { built, CallLog, setVariable } from './doubles.ts';
import { after, describe, it } from './runner.ts';
import { vssDlls, vssScene } from './vss-double.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const freezing = windowsBackend({ dlls: vssDlls }).fileSystem?.freezing ?? assert.fail('no freezing');
replaceDlls({ 'ole32.dll!CoInitializeSecurity': built('doubles.dll'), 'concierge-vss.dll!ConciergeVssStop': built('doubles.dll') });
const calls = new CallLog();

async function freeze(): Promise<readonly string[]> {
  const target = (await freezing.survey()).find(({ leftOut }) => leftOut === undefined) ?? assert.fail('nothing to freeze');
  const session = await freezing.begin({ levels: [[{ id: target.id, mountPoint: 'C:\\' }]], deadlineMs: 0, freezeWithinMs: 0, stateDirectory: 'C:\\' });
  await session.freeze();
  await session.thaw();
  return session.warnings ?? [];
}

describe('COM in the process of the agent', () => {
  it('admits SYSTEM, administrators and services alone, and says where somebody was there before', async () => {
    vssScene();
    // RPC_E_TOO_LATE
    setVariable('CONCIERGE_DOUBLES_FAIL', 'CoInitializeSecurity=0x80010119');

    const warnings = await freeze();

    assert.deepEqual(calls.lines().filter((line) => line.startsWith('CoInit')), ['CoInitializeSecurity O:BAD:(A;;CCDC;;;SY)(A;;CCDC;;;BA)(A;;CCDC;;;NS)(A;;CCDC;;;LS) authentication=6']);
    assert.deepEqual(warnings, ['the security of COM was set before in this process, so that it admits other callers than SYSTEM, administrators and services']);
  });

  it('after each freeze the process of the provider is ended, and the next freeze comes after that', async () => {
    vssScene();
    calls.clear();

    await freeze();
    await freeze();

    assert.ok(calls.lines().filter((line) => line === 'ConciergeVssStop').length >= 1);
  });
});
