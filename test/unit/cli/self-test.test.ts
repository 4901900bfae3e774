// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { freezeAndThaw, selfTest } from '../../../adapters/cli/doctor/self-test.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import type { Backend, Trial } from '../../../core/ports/index.ts';

const results = async (backend: Backend, only?: string): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries((await selfTest(backend, '/run', only)).map(({ trial, result }) => [trial, result]));

const withTrials = (trials: readonly Trial[]): Backend => {
  const { backend } = createFakeMachine();
  return { ...backend, diagnosis: { examine: () => Promise.resolve([]), trials: () => trials } };
};

describe('the self-test', () => {
  it('asks for every fact that the backend brings, and says which it does not', async () => {
    const said = await results(createFakeMachine().backend);

    expect(said['guest-network-get-interfaces']).toBe('passed');
    expect(said['guest-get-devices']).toBe('not here');
  });

  it('freezes and thaws the one place that is named, with the time of each step, and leaves nothing frozen', async () => {
    const machine = createFakeMachine();

    const reports = await selfTest(machine.backend, '/run', '/');

    expect(reports).toMatchObject([{ trial: 'freeze and thaw', result: 'passed', detail: '1 frozen and thawed' }]);
    expect(Object.keys(reports[0]?.times ?? {})).toEqual(['prepare', 'flush', 'freeze', 'thaw']);
    expect(machine.fileSystems.frozen).toEqual([]);
  });

  it('a place that nothing is mounted at cannot be frozen here', async () => {
    expect(await results(createFakeMachine().backend, '/nowhere')).toEqual({ 'freeze and thaw': 'not here' });
  });

  it('a trial that throws has failed, and the others go on', async () => {
    const said = await results(withTrials([
      { subject: 'one', run: () => Promise.reject(new Error('no')) },
      { subject: 'another', run: () => Promise.resolve({ result: 'passed', detail: 'yes' }) },
    ]));

    expect(said).toMatchObject({ one: 'failed', another: 'passed' });
  });

  it('a backend without freezing has nothing to be tried', async () => {
    const { fileSystem: _fileSystem, ...rest } = createFakeMachine().backend;

    expect(await freezeAndThaw(rest, [], '/run')).toMatchObject({ result: 'not here' });
  });
});
