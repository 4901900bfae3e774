// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';

import { exec, GuestClient } from '../../../client/index.ts';
import { createFakeGuest, type ProgramFunction } from '../../../kit/fake/index.ts';

async function guestWith(program: ProgramFunction) {
  const guest = await createFakeGuest({ machine: { files: { '/usr/bin/program': { program } } } }, { realTime: true });
  return new GuestClient(guest.connect());
}

it('answers exit code and both outputs', async () => {
  using client = await guestWith(({ argv, print, complain }) => {
    print(argv.slice(1).join(' '));
    complain('careful');
    return 3;
  });

  const result = await exec(client, 'program', { arguments: ['a', 'b'] });

  expect(result).toMatchObject({ exitCode: 3, truncated: false });
  expect([result.stdout.toString(), result.stderr.toString()]).toEqual(['a b', 'careful']);
});

it('answers the signal that ended it', async () => {
  using client = await guestWith(() => ({ signal: 9 }));

  const result = await exec(client, 'program');

  expect(result.signal).toBe(9);
  expect(result).not.toHaveProperty('exitCode');
});

it('hands over input and environment', async () => {
  using client = await guestWith(({ input, environment, print }) => print(`${Buffer.from(input).toString()} ${environment.join()}`));

  const { stdout } = await exec(client, '/usr/bin/program', { input: 'in', environment: ['A=1'] });

  expect(stdout.toString()).toBe('in A=1');
});

it('waits for a program that takes its time', async () => {
  using client = await guestWith(async ({ sleep, print }) => {
    await sleep(30);
    print('late');
  });

  expect((await exec(client, 'program')).stdout.toString()).toBe('late');
});

it('gives up after its limit', async () => {
  using client = await guestWith(({ sleep }) => sleep(60_000));

  await expect(exec(client, 'program', { withinMs: 10 })).rejects.toMatchObject({ kind: 'timeout', message: expect.stringContaining('has not ended within 0.01 s') });
});

it('refuses what cannot be started, in the words of the agent', async () => {
  using client = await guestWith(() => 0);

  await expect(exec(client, '/usr/bin/nothing')).rejects.toMatchObject({ kind: 'refused', message: expect.stringContaining('No such file or directory') });
});

it('can be given up', async () => {
  using client = await guestWith(({ sleep }) => sleep(60_000));
  const abort = new AbortController();
  const call = exec(client, 'program', { signal: abort.signal });

  abort.abort();

  await expect(call).rejects.toMatchObject({ kind: 'aborted' });
});
