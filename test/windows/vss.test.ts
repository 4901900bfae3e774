// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

import { dll, prototype } from '../../adapters/windows/dll.ts';
import { kernel32 } from '../../adapters/windows/bindings/kernel32.ts';
import { WindowsFreezing } from '../../adapters/windows/freezing.ts';
import { windowsBackend } from '../../adapters/windows/module.ts';
import { defaultLimits } from '../../adapters/windows/vss/limits.ts';
import type { CallLog } from './doubles.ts';
import type { FreezeOutcome, FreezeRequest, FreezeSession, Freezing } from '../../kit/index.ts';
import { AgentError } from '../../kit/index.ts';
import { after, describe, it } from './runner.ts';
import { threadsOfProcess } from './threads.ts';
import { vssDlls, vssScene } from './vss-double.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const backend = windowsBackend({ dlls: vssDlls });
const freezing: Freezing = backend.fileSystem?.freezing ?? assert.fail('no freezing');

async function begin(extra: Partial<FreezeRequest> = {}, by = freezing): Promise<FreezeSession> {
  const survey = await freezing.survey();
  const targets = survey.filter(({ leftOut }) => leftOut === undefined).map(({ id, mountPoints }) => ({ id, mountPoint: mountPoints[0] ?? id }));
  return by.begin({ levels: [targets], deadlineMs: 0, freezeWithinMs: 0, stateDirectory: 'C:\\', ...extra });
}

/** Resolves once the double has lost its last object. */
async function allReleased(calls: CallLog): Promise<void> {
  while (calls.lines().findLast((line) => line.startsWith('objects')) !== 'objects 0') {
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}

const results = (outcomes: readonly FreezeOutcome[]): readonly string[] => outcomes.map(({ result }) => result);

const messageOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    return AgentError.is(error) ? error.message : `no AgentError: ${String(error)}`;
  }
  return 'it succeeded';
};

/** The same for one drive alone. */
async function beginOn(drive: string, by = freezing): Promise<FreezeSession> {
  const one = (await freezing.survey()).find(({ mountPoints }) => mountPoints.includes(drive)) ?? assert.fail(`no ${drive}`);
  return by.begin({ levels: [[{ id: one.id, mountPoint: drive }]], deadlineMs: 0, freezeWithinMs: 0, stateDirectory: 'C:\\' });
}

describe('writers of VSS', () => {
  const added = (calls: CallLog): readonly string[] => calls.lines().filter((line) => line.startsWith('AddComponent'));

  it('only those have a part in a freeze whose components lie on what is frozen', async () => {
    const calls = vssScene();

    await (await beginOn('Z:\\')).thaw();
    const elsewhere = added(calls);
    await (await beginOn('C:\\')).thaw();

    assert.deepEqual(elsewhere, []);
    assert.deepEqual(added(calls), [String.raw`AddComponent 3 4 type=1 path=VM\SQL name=master`]);
  });

  it('a database on another volume that fails does not fail the freeze, and is a warning', async () => {
    vssScene({ fail: 'Writer=0x800423f4' });

    const session = await beginOn('Z:\\');
    const frozen = await session.freeze();
    await session.thaw();

    assert.deepEqual(results(frozen), ['frozen']);
    assert.deepEqual(session.warnings, ['writer SqlServerWriter failed: VSS_E_WRITERERROR_NONRETRYABLE (VSS_WS_FAILED_AT_PREPARE_SNAPSHOT): nothing of it lies whole on what is frozen']);
  });

  it('a writer that fails and may not fail the next time gets a next time, and one only', async () => {
    const calls = vssScene({ fail: 'WriterOnce=0x800423f3' });

    await (await beginOn('C:\\')).thaw();
    const sets = calls.lines().filter((line) => line === 'StartSnapshotSet').length;
    const again = vssScene({ fail: 'Writer=0x800423f3' });

    assert.match(await messageOf(beginOn('C:\\')), /^failed to prepare for backup: writer SqlServerWriter failed: VSS_E_WRITERERROR_RETRYABLE/);
    assert.equal(sets, 2);
    assert.equal(again.lines().filter((line) => line === 'StartSnapshotSet').length, 2);
  });

  it('with vss-writers=warn one that fails fails nothing', async () => {
    vssScene({ fail: 'Writer=0x800423f2' });

    const session = await beginOn('C:\\', new WindowsFreezing({ writers: 'warn' }));
    const frozen = await session.freeze();
    await session.thaw();

    assert.deepEqual(results(frozen), ['frozen']);
    assert.match(session.warnings?.join() ?? '', /^writer SqlServerWriter failed: VSS_E_WRITERERROR_TIMEOUT .*: vss-writers=warn$/);
  });
});

describe('the provider and other backup programs', () => {
  const FILE_MAP_READ = 4;
  const section = dll('kernel32.dll', {
    OpenFileMappingW: prototype<(access: number, inherit: number, name: string) => bigint>('void *__stdcall OpenFileMappingW(uint32_t access, int inherit, str16 name)'),
  });
  const isOffered = (): boolean => {
    const handle = section.OpenFileMappingW(FILE_MAP_READ, 0, 'Global\\Concierge-VSS-session');
    if (handle !== 0n) kernel32.CloseHandle(handle);
    return handle !== 0n;
  };

  it('it is offered from the begin of our set until the hold is over, and not before or after', async () => {
    const calls = vssScene({ slow: 'BackupComplete=300,GatherWriterMetadata=200' });
    const seen: [string, boolean][] = [];
    const watch = setInterval(() => seen.push([calls.lines().at(-1) ?? '', isOffered()]), 10);

    const session = await begin();
    await session.freeze();
    await session.thaw();
    clearInterval(watch);

    const at = (step: string): readonly boolean[] => seen.filter(([last]) => last === step).map(([, offered]) => offered);
    assert.ok(at('GatherWriterMetadata').length > 0 && at('GatherWriterMetadata').every((offered) => !offered));
    assert.ok(at('BackupComplete').length > 0 && at('BackupComplete').every((offered) => !offered));
    assert.ok(seen.some(([, offered]) => offered));
  });

  it('it takes the volumes of the set and no others', async () => {
    vssScene({ fail: 'OtherVolumes=1' });

    const session = await beginOn('C:\\');
    const frozen = await session.freeze();
    await session.thaw();

    assert.deepEqual(results(frozen), ['frozen']);
  });
});

describe('a freeze through VSS', () => {
  it('goes through the steps in the order that VSS demands, with the context that takes no snapshot', async () => {
    const calls = vssScene();

    const session = await begin();
    const frozen = await session.freeze();
    const thawed = await session.thaw();

    assert.deepEqual(results(frozen), ['frozen', 'frozen']);
    assert.deepEqual(thawed.map((one) => one.thawed), [true, true]);
    const steps = calls.lines().filter((line) => !/^objects|^AddToSnapshotSet/.test(line));
    assert.deepEqual(steps, [
      'Create', 'InitializeForBackup', 'SetBackupState components=1 system=1 type=5 partial=0', 'SetContext 0x0200002b',
      'GatherWriterMetadata', String.raw`AddComponent 3 4 type=1 path=VM\SQL name=master`, 'FreeWriterMetadata', 'StartSnapshotSet',
      'PrepareForBackup', 'GatherWriterStatus', 'FreeWriterStatus', 'DoSnapshotSet',
      'CommitSnapshots 0x00000000', 'GatherWriterStatus', 'FreeWriterStatus', 'BackupComplete',
    ]);
  });

  it('every object of VSS is released', async () => {
    const calls = vssScene();

    const session = await begin();
    await session.freeze();
    await session.thaw();

    await allReleased(calls);
    assert.equal(calls.lines().filter((line) => line === 'FreeWriterStatus').length, calls.lines().filter((line) => line === 'GatherWriterStatus').length);
  });

  it('a system without transportable snapshots gets the other context', async () => {
    const calls = vssScene({ fail: 'Transportable=1' });

    await (await begin()).thaw();

    assert.deepEqual(calls.lines().filter((line) => line.startsWith('SetContext')), ['SetContext 0x0200002b', 'SetContext 0x0200000b']);
  });

  it('preparing freezes nothing, and a session that is not used is given up', async () => {
    const calls = vssScene();

    const outcomes = await (await begin()).thaw();

    assert.deepEqual(outcomes, []);
    assert.ok(calls.lines().includes('AbortBackup'));
    assert.ok(!calls.lines().includes('DoSnapshotSet'));
  });

  it('the event loop goes on while VSS takes its time', async () => {
    vssScene({ slow: 'GatherWriterMetadata=150,PrepareForBackup=150' });
    let longest = 0;
    let turns = 0;
    let last = performance.now();
    const watch = setInterval(() => {
      turns += 1;
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);

    const session = await begin();
    await session.freeze();
    await session.thaw();

    clearInterval(watch);
    console.log(`longest stall of the event loop: ${Math.round(longest)} ms`);
    assert.ok(turns >= 10, `the loop turned ${turns} times in the 300 ms that VSS waited`);
  });

  it('a volume that VSS does not support is left out, and the others are frozen', async () => {
    vssScene({ fail: 'SecondVolume=0x8004230c' });

    const session = await begin();
    const outcomes = await session.freeze();
    await session.thaw();

    assert.deepEqual(results(outcomes), ['frozen', 'unsupported']);
  });

  it('a thaw that comes twice answers the same', async () => {
    vssScene();
    const session = await begin();
    await session.freeze();

    const first = await session.thaw();

    assert.equal(await session.thaw(), first);
    assert.deepEqual(await freezing.thawEverything(), []);
  });

  it('a second agent does not freeze at the same time', async () => {
    vssScene();
    const session = await begin();

    const message = await messageOf(begin());
    await session.thaw();

    assert.equal(message, 'another agent is freezing this machine');
  });
});

describe('a freeze that VSS does not come to', () => {
  it('a writer that failed to prepare is named with its code and state', async () => {
    const calls = vssScene({ fail: 'Writer=0x800423f4' });

    const message = await messageOf(begin());

    assert.equal(message, 'failed to prepare for backup: writer SqlServerWriter failed: VSS_E_WRITERERROR_NONRETRYABLE (VSS_WS_FAILED_AT_PREPARE_SNAPSHOT)');
    assert.ok(calls.lines().includes('AbortBackup'));
  });

  it('a provider that is missing is told with what to do', async () => {
    vssScene({ provider: false });

    const message = await messageOf(begin());

    assert.match(message, /^failed to add \S+ to snapshot set: Windows error 0x80042304: VSS_E_PROVIDER_NOT_REGISTERED, .*run concierge-ga vss install$/);
  });

  it('a veto in the snapshot itself fails the freeze, which is then undone', async () => {
    const calls = vssScene({ fail: 'DoSnapshotSet=0x800423f2,WriterAtThaw=0x800423f2' });

    const session = await begin();
    const outcomes = await session.freeze();

    assert.deepEqual(results(outcomes), ['failed']);
    assert.match(outcomes[0]?.error ?? '', /^failed to do snapshot set: Windows error 0x800423F2: VSS_E_WRITERERROR_TIMEOUT, .*; writer SqlServerWriter failed: VSS_E_WRITERERROR_TIMEOUT/);
    assert.deepEqual(await session.thaw(), []);
    assert.ok(calls.lines().includes('AbortBackup'));
  });

  it('a snapshot that never comes to the hold fails when its time is over', async () => {
    vssScene({ slow: 'DoSnapshotSet=600' });

    const session = await begin({ freezeWithinMs: 100 });
    const outcomes = await session.freeze();
    await session.thaw();

    assert.equal(outcomes[0]?.error, 'timeout when try to receive Frozen event from VSS provider');
  });

  it('after a failure the next freeze works', async () => {
    vssScene({ fail: 'PrepareForBackup=0x80042302' });
    const message = await messageOf(begin());

    vssScene();
    const session = await begin();
    const outcomes = await session.freeze();
    await session.thaw();

    assert.match(message, /^failed to prepare for backup: Windows error 0x80042302: VSS_E_UNEXPECTED/);
    assert.deepEqual(results(outcomes), ['frozen', 'frozen']);
  });
});

describe('a VSS that hangs', () => {
  it('writers that do not come to an end of preparing are given up at the limit, and the next freeze works', async () => {
    const calls = vssScene({ slow: 'PrepareForBackup=700' });
    const impatient = new WindowsFreezing({ limits: { ...defaultLimits, prepareMs: 100 } });

    const message = await messageOf(begin({}, impatient));
    const given = calls.lines();
    await allReleased(calls);
    vssScene();
    const session = await begin({}, impatient);
    const outcomes = await session.freeze();
    await session.thaw();

    assert.equal(message, 'failed to prepare for backup: not done within 0.1 s');
    assert.deepEqual(given.filter((line) => /Cancel|Abort/.test(line)), ['PrepareForBackup.Cancel', 'AbortBackup']);
    assert.deepEqual(results(outcomes), ['frozen', 'frozen']);
  });

  it('a call that does not come back is told, occupies nobody, and keeps further freezes away until it does', async () => {
    const calls = vssScene({ slow: 'AddToSnapshotSet=2500' });
    const impatient = new WindowsFreezing({ limits: { ...defaultLimits, callMs: 700 } });

    const message = await messageOf(begin({}, impatient));
    const meanwhile = await messageOf(begin({}, impatient));
    const released = calls.lines().includes('objects 0');
    const files = await Promise.all(Array.from({ length: 8 }, () => readFile(fileURLToPath(import.meta.url))));
    vssScene();
    await allReleased(calls);
    const session = await begin({}, impatient);
    const outcomes = await session.freeze();
    await session.thaw();

    assert.match(message, /^failed to add \S+ to snapshot set: VSS did not answer within 0\.7 s$/);
    assert.match(meanwhile, /^VSS does not answer: a call of an earlier freeze has not come back yet \(failed to add /);
    assert.equal(released, false, 'the object is there as long as a call is inside it');
    assert.equal(files.length, 8);
    assert.deepEqual(results(outcomes), ['frozen', 'frozen']);
  });

  it('calls that never come back hold up neither files nor the end of the process', () => {
    const { status, stdout } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', fileURLToPath(new URL('hanging-calls.ts', import.meta.url))], { encoding: 'utf8', timeout: 60_000 });

    assert.equal(stdout, 'eight calls hang, a file was read\n');
    assert.equal(status, 7);
  });
});

describe('a freeze that ends badly', () => {
  it('a hold that VSS ended makes the thaw say so in the words of qemu-ga', async () => {
    vssScene({ slow: 'HoldLimit=1' });
    const session = await begin();
    await session.freeze();
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });

    const message = await messageOf(session.thaw());

    assert.match(message, /^couldn't hold writes: fsfreeze is limited up to 10 seconds: Windows error 0x80042314: VSS_E_HOLD_WRITES_TIMEOUT/);
    assert.equal(await messageOf(freezing.thawEverything()), message);
    assert.deepEqual(await freezing.thawEverything(), []);
  });

  it('our own deadline thaws, tells so at once, and the thaw that comes later too', async () => {
    vssScene();
    const session = await begin({ deadlineMs: 50 });
    await session.freeze();

    const end = await session.ended;

    assert.equal(end.reason, 'deadline');
    assert.deepEqual(end.thawed.map(({ thawed }) => thawed), [true, true]);
    assert.match(await messageOf(freezing.thawEverything()), /^the deadline of the freeze/);
  });

  it('a writer that failed while it was frozen makes the thaw name it', async () => {
    vssScene({ fail: 'WriterAtThaw=0x800423f0' });
    const session = await begin();
    await session.freeze();

    const message = await messageOf(session.thaw());

    assert.match(message, /^the freeze was not consistent: writer SqlServerWriter failed: VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT/);
  });

  it('a backup that cannot be completed is given up, and the thaw says why', async () => {
    const calls = vssScene({ fail: 'BackupComplete=0x80042319' });
    const session = await begin();
    await session.freeze();

    const message = await messageOf(session.thaw());

    assert.match(message, /^failed to complete backup: Windows error 0x80042319: VSS_E_WRITER_NOT_RESPONDING/);
    assert.ok(calls.lines().includes('AbortBackup'));
  });
});

/** In milliseconds. By a monitor of its own: one that is enabled again counts the time for which it was not as a turn. */
async function longestTurn(work: () => Promise<void>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await work();
  delay.disable();
  return delay.max / 1e6;
}

describe('many freezes', () => {
  it('two hundred leave neither handles nor threads nor memory behind', async () => {
    const calls = vssScene();
    // The lowest free one: Wine does not count them.
    const handles = (): number => {
      const probe = kernel32.CreateEventW(null, 1, 0, null);
      kernel32.CloseHandle(probe);
      return Number(probe) / 4;
    };
    const cycle = async (): Promise<void> => {
      const session = await begin();
      assert.deepEqual(results(await session.freeze()), ['frozen', 'frozen']);
      await session.thaw();
    };
    const idle = (): Promise<void> => new Promise((resolve) => {
      setTimeout(resolve, 15);
    });
    const [memory, counts, threads]: [number[], number[], number[]] = [[], [], []];
    const longest = { freezes: 0, idle: 0 };

    for (let round = 0; round < 200; round += 1) {
      longest.freezes = Math.max(longest.freezes, await longestTurn(cycle));
      // In turn with it: what this machine makes of a loop that does nothing, as others may be at work on it.
      longest.idle = Math.max(longest.idle, await longestTurn(idle));
      if (round % 40 === 39) {
        globalThis.gc?.();
        counts.push(handles());
        threads.push(threadsOfProcess());
        memory.push(process.memoryUsage().rss);
        calls.clear();
      }
    }

    console.log(`handles ${counts.join(' ')}, threads ${threads.join(' ')}, resident MiB ${memory.map((bytes) => Math.round(bytes / 2 ** 20)).join(' ')}`);
    console.log(`longest turn of the event loop ${longest.freezes.toFixed(1)} ms, with nothing to do ${longest.idle.toFixed(1)} ms (bench/windows/turns.sh: which step)`);
    assert.ok((counts.at(-1) ?? 0) <= (counts[0] ?? 0) + 8, `handles ${counts.join(' ')}`);
    assert.ok((threads.at(-1) ?? 0) <= (threads[0] ?? 0) + 2, `threads ${threads.join(' ')}`);
    assert.ok((memory.at(-1) ?? 0) < (memory[1] ?? 0) + 16 * 2 ** 20, `memory ${memory.join(' ')}`);
  });
});
