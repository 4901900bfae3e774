// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { createFakeMachine, type FakeMachine } from '../../../kit/fake/index.ts';
import type { FreezeSession } from '../../../kit/index.ts';
import { settled } from '../../../adapters/fake/clock.ts';

const data = { id: '254:0', mountPoint: '/data' };
const backup = { id: '7:0', mountPoint: '/mnt/backup' };
const appending = { read: false, write: true, append: true, create: true, truncate: false };

interface SessionOptions {
  readonly levels?: readonly (readonly (typeof data)[])[];
  readonly deadlineMs?: number;
  readonly freezeWithinMs?: number;
}

async function begin({ backend }: FakeMachine, options: SessionOptions = {}): Promise<FreezeSession> {
  const session = await backend.fileSystem?.freezing?.begin({ levels: [[backup], [data]], deadlineMs: 0, freezeWithinMs: 0, stateDirectory: '/run', ...options });
  if (session === undefined) throw new Error('the machine cannot freeze');
  return session;
}

async function write({ backend }: FakeMachine, path: string, text: string): Promise<void> {
  const file = await backend.fileSystem?.files?.open(path, appending);
  await file?.write(Buffer.from(text));
  await file?.close();
}

describe('freezing in the fake', () => {
  it('answers with the file systems on which others lie', async () => {
    const { backend } = createFakeMachine();

    const survey = await backend.fileSystem?.freezing?.survey();

    expect(survey?.find(({ id }) => id === backup.id)?.backing).toEqual([data.id]);
    expect(survey?.find(({ mountPoints }) => mountPoints[0] === '/proc')?.leftOut?.reason).toBe('pseudo');
  });

  it('deadlocks when a file system is frozen before what lies on it, until the time for freezing is over', async () => {
    const machine = createFakeMachine();
    const session = await begin(machine, { levels: [[data], [backup]], freezeWithinMs: 10_000 });

    const freezing = session.freeze();
    await machine.clock.advance(9999);
    const during = machine.fileSystems.get('/mnt/backup').state;
    await machine.clock.advance(1);
    const outcomes = await freezing;

    expect(during).toBe('freezing');
    expect(outcomes.map(({ result }) => result)).toEqual(['frozen', 'failed']);
    expect(outcomes[1]?.error).toBe('failed to freeze /mnt/backup: not done within 10000 ms');
  });

  it('leaves nothing frozen after a freeze that was given up, even what froze later', async () => {
    const machine = createFakeMachine();
    const session = await begin(machine, { levels: [[data], [backup]], freezeWithinMs: 100 });
    const freezing = session.freeze();
    await machine.clock.advance(100);
    await freezing;

    await session.thaw();
    await settled();

    expect(machine.fileSystems.frozen).toEqual([]);
    expect(machine.fileSystems.get('/mnt/backup').state).toBe('thawed');
  });

  it('thaws a file system that lies on another only after that one', async () => {
    const machine = createFakeMachine();
    await machine.fileSystems.get('/mnt/backup').freeze();
    await machine.fileSystems.get('/data').freeze();

    const thawing = machine.fileSystems.get('/mnt/backup').thaw();
    await settled();
    const before = machine.fileSystems.frozen;
    await machine.fileSystems.get('/data').thaw();
    await thawing;

    expect(before).toEqual(['/data', '/mnt/backup']);
    expect(machine.fileSystems.frozen).toEqual([]);
  });

  it('lets writers wait, new files and cutting too, and counts them', async () => {
    const machine = createFakeMachine();
    await write(machine, '/data/old', 'old');
    await machine.fileSystems.get('/data').freeze();

    const waiting = [write(machine, '/data/old', '+'), write(machine, '/data/new', 'new')];
    await settled();

    expect(machine.fileSystems.get('/data').waitingWriters).toBe(2);
    expect(machine.files.exists('/data/new')).toBe(false);
    await machine.fileSystems.get('/data').thaw();
    await Promise.all(waiting);
    expect(machine.files.text('/data/old')).toBe('old+');
    expect(machine.files.text('/data/new')).toBe('new');
  });

  it('goes on writing elsewhere meanwhile', async () => {
    const machine = createFakeMachine();
    await machine.fileSystems.get('/data').freeze();

    await write(machine, '/var/log/elsewhere', 'on');

    expect(machine.files.text('/var/log/elsewhere')).toBe('on');
  });

  it('keeps its deadline when nobody is there to thaw', async () => {
    const machine = createFakeMachine();
    const session = await begin(machine, { deadlineMs: 60_000 });
    await session.freeze();

    await machine.clock.advance(59_999);
    const before = machine.fileSystems.frozen;
    await machine.clock.advance(1);

    expect(before).toEqual(['/data', '/mnt/backup']);
    expect(machine.fileSystems.frozen).toEqual([]);
    expect(await session.ended).toMatchObject({ reason: 'deadline', thawed: [{ mountPoint: '/data', thawed: true }, { mountPoint: '/mnt/backup', thawed: true }] });
  });

  it('gives the session of an agent that is gone to the next one', async () => {
    const machine = createFakeMachine();
    const session = await begin(machine);
    await session.freeze();
    const marker = { bootId: machine.bootId, targets: [backup, data], deadlineAt: 0n, recoveryData: session.recoveryData };

    const recovered = await machine.backend.fileSystem?.freezing?.recover(marker);
    await recovered?.thaw();

    expect(recovered).toBeDefined();
    expect(machine.fileSystems.frozen).toEqual([]);
    expect(await machine.backend.fileSystem?.freezing?.recover(marker)).toBeUndefined();
  });

  it('leaves everything frozen when the holder of a session is lost, and the agent can still thaw', async () => {
    const machine = createFakeMachine();
    const session = await begin(machine, { deadlineMs: 1000 });
    await session.freeze();

    await machine.freezing.endSessions('holder-lost', 'the guardian was killed');
    await machine.clock.advance(5000);

    expect((await session.ended).reason).toBe('holder-lost');
    expect(machine.fileSystems.frozen).toEqual(['/data', '/mnt/backup']);
    await session.thaw();
    expect(machine.fileSystems.frozen).toEqual([]);
  });

  it('does not let a file system that cannot be thawed hold up the others for ever', async () => {
    const machine = createFakeMachine();
    const session = await begin(machine, { levels: [[backup], [data], [{ id: '252:1', mountPoint: '/boot' }]] });
    await session.freeze();
    machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/data', error: 'EIO' });

    const thawing = session.thaw();
    await machine.clock.advance(4000);

    expect((await thawing).map(({ mountPoint, error }) => [mountPoint, error])).toEqual([
      ['/boot', undefined],
      ['/data', 'failed to thaw /data: Input/output error'],
      ['/mnt/backup', 'failed to thaw /mnt/backup: Connection timed out'],
    ]);
    expect(machine.fileSystems.frozen).toEqual(['/data', '/mnt/backup']);
  });

  it('freezes with an error, a refusal and a missing ability as the kernel has them', async () => {
    const machine = createFakeMachine({
      mounts: [
        { mountPoint: '/', id: '8:1', type: 'ext4', source: '/dev/sda1' },
        { mountPoint: '/boot', id: '8:2', type: 'vfat', source: '/dev/sda2', freezable: false },
        { mountPoint: '/data', id: '8:3', type: 'ext4', source: '/dev/sda3' },
        { mountPoint: '/srv', id: '8:4', type: 'ext4', source: '/dev/sda4' },
      ],
    });
    machine.faults.inject({ port: 'kernel', method: 'fifreeze', on: '/data', error: 'EIO' });
    await machine.fileSystems.get('/srv').freeze();
    const level = ['/boot', '/data', '/srv'].map((mountPoint, index) => ({ id: `8:${index + 2}`, mountPoint }));
    const session = await begin(machine, { levels: [level, [{ id: '8:1', mountPoint: '/' }]] });

    const outcomes = await session.freeze();

    expect(outcomes.map(({ mountPoint, result, error }) => [mountPoint, result, error])).toEqual([
      ['/boot', 'unsupported', undefined],
      ['/data', 'failed', 'failed to freeze /data: Input/output error'],
      ['/srv', 'busy', undefined],
    ]);
    expect(machine.fileSystems.frozen).toEqual(['/srv']);
  });

  it('is not permitted to an agent that is not root', async () => {
    const machine = createFakeMachine({ agent: { uid: 1000 } });
    const session = await begin(machine, { levels: [[data]] });

    const outcomes = await session.freeze();

    expect(outcomes[0]?.error).toBe('failed to freeze /data: Operation not permitted');
  });

  it('does not begin where a mount point cannot be opened', async () => {
    const machine = createFakeMachine({ agent: { uid: 1000 } });
    machine.files.chmod('/data', 0o700);

    await expect(begin(machine)).rejects.toMatchObject({ os: { code: 'EACCES', path: '/data' } });
    expect(machine.freezing.guardians).toEqual([]);
  });

  it('finds what another tool has frozen, however often', async () => {
    const machine = createFakeMachine();
    await machine.fileSystems.get('/data').freeze();

    const outcomes = await machine.backend.fileSystem?.freezing?.thawEverything();

    expect(outcomes?.filter(({ thawed }) => thawed).map(({ mountPoint }) => mountPoint)).toEqual(['/data']);
    expect(machine.fileSystems.frozen).toEqual([]);
  });

  it('takes as long as writing back takes, side by side within a level', async () => {
    const machine = createFakeMachine();
    for (const mountPoint of ['/', '/boot']) {
      machine.fileSystems.get(mountPoint).flushMs = 300;
      machine.fileSystems.get(mountPoint).dirtyBytes = 4096;
    }
    const session = await begin(machine, { levels: [[{ id: '252:2', mountPoint: '/' }, { id: '252:1', mountPoint: '/boot' }]] });

    const freezing = session.freeze();
    await machine.clock.advance(300);

    expect((await freezing).map(({ freezeNs }) => freezeNs)).toEqual([300_000_000n, 300_000_000n]);
  });

  it('tells a file system that another mount covers', async () => {
    const machine = createFakeMachine();
    machine.fileSystems.mount({ mountPoint: '/boot', id: '8:99', type: 'ext4', source: '/dev/sdz' });

    const survey = await machine.backend.fileSystem?.freezing?.survey();

    expect(survey?.find(({ id }) => id === '252:1')?.leftOut?.reason).toBe('covered');
    expect(survey?.find(({ id }) => id === '8:99')?.leftOut).toBeUndefined();
  });

  it('has one entry for a file system that is mounted at two places', async () => {
    const machine = createFakeMachine();
    machine.files.directory('/srv/images');
    machine.fileSystems.mount({ bindOf: '/data/images', mountPoint: '/srv/images' });

    const survey = await machine.backend.fileSystem?.freezing?.survey();

    expect(survey?.filter(({ id }) => id === data.id).map(({ mountPoints }) => mountPoints)).toEqual([['/data', '/srv/images']]);
    expect(machine.files.exists('/srv/images/backup.img')).toBe(true);
  });
});
