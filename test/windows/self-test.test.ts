// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { windowsGuard } from '../../adapters/windows/trust/trusted-place.ts';
import { describe, it } from './runner.ts';

const main = fileURLToPath(new URL('../../adapters/cli/main.ts', import.meta.url));

interface Report {
  readonly platform: string;
  readonly trials: readonly { readonly trial: string; readonly result: string; readonly detail: string }[];
}

describe('doctor --self-test', () => {
  it('prints a whole report, with `not here` for what Wine has not', () => {
    const { stdout } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, 'doctor', '--self-test', '--json'], { encoding: 'utf8', timeout: 110_000 });
    const { platform, trials } = JSON.parse(stdout) as Report;
    const said = new Map(trials.map(({ trial, result }) => [trial, result]));

    assert.equal(platform, 'win32');
    for (const { trial, result, detail } of trials) assert.ok(['passed', 'failed', 'not here'].includes(result) && detail !== '', trial);
    for (const trial of ['guest-network-get-interfaces', 'guest-network-get-route', 'guest-get-fsinfo', 'guest-get-osinfo', 'guest-get-driver-packages', 'guest-get-driver-services', 'a program outlives who started it']) {
      assert.equal(said.get(trial), 'passed', trial);
    }
    for (const trial of ['installed by the MSI', 'told of a shutdown before other services', 'port of virtio-serial', 'VSS provider, registered', 'VSS provider, loaded and free to go', 'writers before the freeze', 'freeze and thaw', 'writers after the freeze']) {
      assert.equal(said.get(trial), 'not here', trial);
    }
    assert.ok(said.has('events of VSS in this minute'));
    // This clone may lie below a folder that everybody may write to.
    const isSafe = [main, process.execPath].every((path) => windowsGuard.whyDistrusted(dirname(path)) === undefined);
    assert.equal(said.get('access lists'), isSafe ? 'passed' : 'failed');
  });
});
