// SPDX-License-Identifier: Apache-2.0
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Composition } from '../../../adapters/cli/composition.ts';
import { stateFindings } from '../../../adapters/cli/doctor/state-findings.ts';
import { afterRealTime, withinLimit, type After } from '../../../adapters/cli/doctor/time-limit.ts';
import { examine } from '../../../adapters/cli/subcommands/doctor.ts';
import type { SubcommandContext } from '../../../adapters/cli/subcommand.ts';
import { readSettings, type Settings } from '../../../adapters/config/settings.ts';
import { asRoot } from '../../../adapters/linux/channels/access.ts';
import { examineChannel } from '../../../adapters/linux/channels/examine-channel.ts';
import { linuxChannels } from '../../../adapters/linux/channels/linux-channels.ts';
import { openSink } from '../../../adapters/logging/line-sink.ts';
import { loadPolicy } from '../../../adapters/policy/load-policy.ts';
import { FileStateStore } from '../../../adapters/state-store/state-store.ts';
import { AgentError, messageOf } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import type { Backend, Finding, Hook } from '../../../core/ports/index.ts';
import { createFakeMachine } from '../../../kit/fake/index.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'doctor-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function refusalOf(start: () => unknown): string {
  try {
    start();
  } catch (error) {
    return messageOf(error);
  }
  return '';
}

interface Patient {
  readonly words?: readonly string[];
  readonly backend?: () => Promise<Backend>;
  readonly configuration?: SubcommandContext['configuration'];
  readonly after?: After;
  readonly channels?: Settings['channels'];
}

async function examined({ words = [], backend = async () => createFakeMachine().backend, configuration = { file: undefined, warnings: [] }, after = afterRealTime, channels = [] }: Patient = {}) {
  const state = join(directory, 'state');
  const request = readSettings({
    words: [`--method=unix-listen`, `--path=${join(directory, 'agent.sock')}`, `--statedir=${state}`, ...words],
    configurationVariable: undefined,
    platform: 'posix',
    readFile: () => {
      throw posixError('ENOENT');
    },
  });
  if (request.kind !== 'run') throw new Error(request.kind);
  const printed = { text: '', json: '' };
  const context = {
    settings: { ...request.settings, channels },
    configuration,
    words: [],
    composition: { createBackend: backend, channelsOf: async () => linuxChannels, loadPolicy } as unknown as Composition,
    complain: () => {},
  };
  const status = await examine({ ...context, flags: new Set(), print: (text) => void (printed.text += text) }, after);
  await examine({ ...context, flags: new Set(['json']), print: (text) => void (printed.json += text) }, after);
  const findings = JSON.parse(printed.json) as readonly Finding[];
  return { status, text: printed.text, findings, about: (subject: string) => findings.filter((finding) => finding.subject === subject) };
}

const hook = (name: string, refused?: string, canVeto = true): Hook => ({
  name, canVeto, run: () => Promise.reject(new Error('no hook may run')), ...(refused === undefined ? {} : { refused }),
});

describe('the doctor', () => {
  it('looks at each channel', async () => {
    const channel = (name: string, method: string, path: string | undefined) => ({ name, method, path, profile: 'full', handles: 'own', vsockAllow: [] }) as const;
    const { about } = await examined({ channels: [channel('tools', 'unix-listen', join(directory, 'none/s')), channel('odd', 'console', undefined)] });

    expect(about('channel tools').map(({ verdict }) => verdict)).toEqual(['bad']);
    expect(about('channel odd')).toMatchObject([{ verdict: 'bad', detail: expect.stringContaining('unsupported channel method/type: console') }]);
    expect(about('channel').map(({ verdict }) => verdict)).not.toContain('bad');
  });

  it('tells of rules that the agent cannot use, each mistake by its place, and of what is odd about others', async () => {
    const rules = join(directory, 'policy.d');
    mkdirSync(rules, { mode: 0o755 });
    const words = [`--policy-directory=${rules}`];
    expect((await examined({ words })).about('policy')).toEqual([]);

    writeFileSync(join(rules, 'a.yaml'), 'defalt: refuse\nrules:\n  - { name: a, effect: deny }\n');
    const broken = await examined({ words });
    expect(broken.status).toBe(1);
    expect(broken.about('policy')).toEqual([
      { subject: 'policy', verdict: 'bad', detail: expect.stringMatching(/a\.yaml:1:1: .*'defalt'/), remedy: expect.stringContaining('SIGHUP') },
      { subject: 'policy', verdict: 'bad', detail: expect.stringMatching(/a\.yaml:3:\d+: 'deny' is no effect/), remedy: expect.stringContaining('SIGHUP') },
    ]);
    writeFileSync(join(rules, 'a.yaml'), 'rules:\n  - { name: a, effect: refuse, commands: [guest-zzz*] }\n');
    expect((await examined({ words })).about('policy')).toMatchObject([{ verdict: 'warning', detail: expect.stringContaining('guest-zzz*') }]);
    writeFileSync(join(rules, 'a.yaml'), 'rules:\n  - { name: a, effect: refuse, groups: [exec] }\n');
    expect((await examined({ words })).about('policy')).toEqual([{ subject: 'policy', verdict: 'good', detail: `profile full; files of rules: ${rules}/a.yaml` }]);
    expect((await examined({ words: ['--policy-directory=', '--profile=backup'] })).about('policy')).toEqual([{ subject: 'policy', verdict: 'good', detail: 'profile backup; files of rules: none' }]);
  });

  it('tells whether the audit can be written', async () => {
    expect((await examined({ words: [`--audit=${directory}/audit.json`] })).about('audit')).toEqual([{ subject: 'audit', verdict: 'good', detail: `${directory}/audit.json` }]);
    expect((await examined({ words: [`--audit=${directory}`] })).about('audit')).toMatchObject([{ verdict: 'bad' }]);
    expect((await examined({ words: ['--audit=journald'] })).about('audit')).toEqual([]);
    expect(existsSync(join(directory, 'audit.json'))).toBe(false);
  });

  it('finds nothing bad in a machine that is well, and changes nothing', async () => {
    const { status, text, about } = await examined();

    expect(status).toBe(0);
    expect(about('channel')).toEqual([{ subject: 'channel', verdict: 'good', detail: `unix-listen ${directory}/agent.sock: the socket can be made` }]);
    expect(about('commands')[0]?.detail).toMatch(/^43 of 46; this machine has nothing for guest-get-devices, guest-get-driver-packages, guest-get-driver-services$/);
    expect(text).toMatch(/^good {5}freeze plan +.*\/data/m);
    expect(existsSync(join(directory, 'state'))).toBe(false);
  });

  it('puts what is bad first, with what to do, and ends with status 1', async () => {
    const { status, text } = await examined({ words: ['--path=/no/such/directory/s'] });

    expect(status).toBe(1);
    expect(text).toMatch(/^bad {6}channel +unix-listen .*: there is no directory \/no\/such\/directory\n +→ mkdir -p \/no\/such\/directory\n/);
    expect(text).toMatch(/\n1 bad, \d warnings?\.\n$/);
  });

  it.each([
    [['--block-rpcs=guest-inof'], 'configuration', "no command is named 'guest-inof', which is in block-rpcs or allow-rpcs"],
    [['--allow-rpcs=guest-ping'], 'forbidden commands', 'libvirt cannot do without guest-sync, guest-sync-delimited, guest-info'],
    [['--block-rpcs=guest-fsfreeze-freeze'], 'forbidden commands', 'no backup can freeze the file systems: guest-fsfreeze-freeze'],
    [['--fsfreeze-exclude=/dta'], 'freeze plan', 'fsfreeze-exclude names /dta, where nothing is mounted'],
    [['--freeze-timeout=0'], 'freeze-timeout', 'a freeze has no deadline: if the host dies in a backup, the guest stays frozen'],
  ])('warns of %j', async (words, subject, detail) => {
    const { status, about } = await examined({ words });

    expect(about(subject)).toContainEqual(expect.objectContaining({ verdict: 'warning', detail }));
    expect(status).toBe(0);
  });

  it('calls nothing good that libvirt cannot do without', async () => {
    const { about } = await examined({ words: ['--allow-rpcs=guest-ping'] });

    expect([...about('forbidden commands'), ...about('commands')].filter(({ verdict }) => verdict === 'good')).toEqual([]);
    expect(about('commands')[0]?.detail).toContain('the configuration forbids 42 of them');
  });

  it('lists what is forbidden where nobody misses it', async () => {
    expect((await examined({ words: ['--block-rpcs=guest-exec'] })).about('forbidden commands')).toEqual([{ subject: 'forbidden commands', verdict: 'good', detail: 'guest-exec' }]);
  });

  it('says that a configuration cannot be used', async () => {
    const { status, about } = await examined({ configuration: { file: undefined, warnings: [], problem: 'a group is missing' } });

    expect([status, about('configuration')[0]]).toEqual([1, expect.objectContaining({ verdict: 'bad', detail: expect.stringContaining('a group is missing') })]);
  });

  it('names the configuration file and what was passed over in it', async () => {
    const { about } = await examined({ configuration: { file: '/etc/x.conf', warnings: ['/etc/x.conf: there is no setting verbos; it is ignored'] } });

    expect(about('configuration').map(({ verdict, detail }) => [verdict, detail])).toEqual([
      ['good', 'read from /etc/x.conf'],
      ['warning', '/etc/x.conf: there is no setting verbos; it is ignored'],
    ]);
  });

  it('says that a method does not exist, and which do', async () => {
    const { about } = await examined({ words: ['--method=carrier-pigeon'] });

    expect(about('channel')[0]).toMatchObject({ verdict: 'bad', detail: expect.stringContaining('(use one of unix-listen, virtio-serial') });
  });

  it('sees that file systems are marked as frozen, and leaves the marker', async () => {
    mkdirSync(join(directory, 'state'));
    writeFileSync(join(directory, 'state', 'qga.state.isfrozen'), '');

    const { about } = await examined();

    expect(about('freeze')[0]?.detail).toBe('file systems are marked as frozen');
    expect(existsSync(join(directory, 'state', 'qga.state.isfrozen'))).toBe(true);
  });

  it.skipIf(process.platform === 'win32')('says of a state directory that others may write to what the agent says when it refuses to start', async () => {
    const state = join(directory, 'state');
    mkdirSync(state);
    chmodSync(state, 0o1777);

    const { about } = await examined({ words: [`--statedir=${state}`] });

    const refusal = refusalOf(() => new FileStateStore({ directory: state, warn: () => undefined }));
    expect(about('state directory')).toEqual([{ subject: 'state directory', verdict: 'bad', detail: refusal }]);
    expect(refusal).toBe(`the state directory ${state} is not used: ${state} can be written by everybody: choose a directory in it, or choose another directory with --statedir`);
  });

  it.skipIf(process.platform === 'win32')('says of a log file what the agent says when it cannot open it, and makes none', async () => {
    const log = join(directory, 'log');
    mkdirSync(log);

    const wrong = await examined({ words: [`--logfile=${log}`] });
    const right = await examined({ words: [`--logfile=${log}/agent.log`] });

    const refusal = refusalOf(() => openSink(log));
    expect(wrong.about('log file')).toMatchObject([{ verdict: 'bad', detail: refusal }]);
    expect(refusal).toBe(`unable to open specified log file '${log}': Not a regular file nor a terminal`);
    expect(right.about('log file')).toEqual([{ subject: 'log file', verdict: 'good', detail: `${log}/agent.log` }]);
    expect(existsSync(`${log}/agent.log`)).toBe(false);
  });

  it('says of a state directory that cannot be one what is in the way', async () => {
    writeFileSync(join(directory, 'state'), '');

    const { about } = await examined({ words: [`--statedir=${join(directory, 'state', 'below')}`] });

    expect(about('state directory')[0]).toMatchObject({ verdict: 'bad', detail: expect.stringContaining('state/below: Not a directory') });
  });

  it('calls a refused hook bad, and one that cannot veto a warning', async () => {
    const machine = createFakeMachine().backend;
    const { status, about } = await examined({
      backend: async () => ({ ...machine, hooks: { list: async () => [hook('/h/1'), hook('/h/2', 'belongs to user 7'), hook('/h/3.optional', 'is a link', false)] } }),
    });

    expect(about('freeze hooks').map(({ verdict, detail }) => `${verdict}: ${detail}`)).toEqual([
      'bad: /h/2 belongs to user 7: every freeze will fail',
      'warning: /h/3.optional is a link',
    ]);
    expect(status).toBe(1);
  });

  it('asks the backend what ails its system, things to be seen by a person last', async () => {
    const machine = createFakeMachine().backend;
    const findings: readonly Finding[] = [
      { subject: 'sleep', verdict: 'by-hand', detail: 'put it to sleep', remedy: 'it wakes up' },
      { subject: 'driver', verdict: 'warning', detail: 'old\nforged line', remedy: 'renew it' },
    ];

    const { text } = await examined({ backend: async () => ({ ...machine, diagnosis: { examine: async () => findings } }) });

    expect(text).toContain('old\\nforged line');
    expect(text).toMatch(/by-hand {2}sleep +put it to sleep\n +→ it wakes up\n\n0 bad, \d warnings?; 1 to be seen by a person alone\.\n$/);
  });

  it('goes on without a backend, and says which part is missing', async () => {
    const { about, findings } = await examined({ backend: () => Promise.reject(AgentError.failed('no backend fits plan9')) });

    expect(about('backend')).toEqual([expect.objectContaining({ verdict: 'bad', detail: 'no backend fits plan9' })]);
    expect(findings.map(({ subject }) => subject)).toContain('state directory');
  });

  it.each([
    ['hooks', { hooks: { list: () => Promise.reject(new Error('EIO')) } }, 'freeze hooks'],
    ['survey', { fileSystem: { freezing: { survey: () => Promise.reject(new Error('EIO')) } } }, 'freeze plan'],
  ])('takes a failing %s for a finding', async (_, ports, subject) => {
    const machine = createFakeMachine().backend;

    const { about } = await examined({ backend: async () => ({ ...machine, ...ports }) as unknown as Backend });

    expect(about(subject)).toEqual([expect.objectContaining({ verdict: 'bad', detail: 'EIO' })]);
  });

  const never = new Promise<never>(() => {});
  /** Time is always up. */
  const atOnce: After = (_ms, callback) => {
    setImmediate(callback);
    return { cancel: () => {} };
  };

  it.each([
    ['hooks', { hooks: { list: () => never } }, 'freeze hooks', 10],
    ['a survey', { fileSystem: { freezing: { survey: () => never } } }, 'freeze plan', 10],
    ['a diagnosis', { diagnosis: { examine: () => never } }, 'diagnosis', 90],
  ])('does not wait for %s for ever', async (_, ports, subject, seconds) => {
    const machine = createFakeMachine().backend;

    const { status, about } = await examined({ backend: async () => ({ ...machine, ...ports }) as unknown as Backend, after: atOnce });

    expect(about(subject)).toEqual([{ subject, verdict: 'warning', detail: `did not answer within ${seconds} s` }]);
    expect(status).toBe(0);
  });

  it('stops the clock of a look that has answered', async () => {
    const cancelled: number[] = [];

    await withinLimit('channel', 7, Promise.resolve([]), (ms) => ({ cancel: () => void cancelled.push(ms) }));

    expect(cancelled).toEqual([7]);
  });

  const refusing = (code: string) => () => {
    throw Object.assign(new Error(code), { code });
  };

  it.each([
    ['EROFS', 'is on a file system that is mounted read-only'],
    ['EACCES', 'may not be written to by this user'],
  ])('tells by %s that a state directory or the one of a socket %s', (code, detail) => {
    expect(asRoot('look at the attributes', 0)).toBe('look at the attributes');
    expect(asRoot('look at the attributes', 1000)).toBe('run the agent as root');
    expect(stateFindings(directory, refusing(code))[0]).toMatchObject({ verdict: 'bad', detail: `${directory} ${detail}` });
    expect(examineChannel('unix-listen', join(directory, 's'), refusing(code))).toMatchObject([{ verdict: 'bad', detail: expect.stringContaining(`${directory} ${detail}`) }]);
  });

  it('sends nobody to the directory that is set already', () => {
    const [finding] = stateFindings('/run/concierge-ga', refusing('EROFS'));

    expect(finding).toMatchObject({ verdict: 'bad', remedy: expect.stringMatching(/^choose a directory of a tmpfs with statedir/) });
    expect(finding?.remedy).not.toContain('/run/concierge-ga');
  });

  it('says of a socket whose path is too long how long it may be', () => {
    const path = (length: number): string => `${directory}/`.padEnd(length, 's');

    expect(examineChannel('unix-listen', path(109))).toMatchObject([{ verdict: 'bad', detail: expect.stringContaining("a path of 109 bytes, and a socket's has at most 108") }]);
    expect(examineChannel('unix-listen', path(108))).toMatchObject([{ verdict: 'good' }]);
  });

  it.each([
    ['7:1024', 'the machine has vsock; whether CID 7 is its own is seen at the start'],
    ['4294967295:1024', 'the machine has vsock'],
  ])('says of the vsock address %s what it knows', (address, detail) => {
    const there = existsSync('/dev/vsock');

    expect(examineChannel('vsock-listen', address)).toMatchObject([{ verdict: there ? 'good' : 'bad', detail: `vsock-listen ${address}: ${there ? detail : 'this machine has no vsock'}` }]);
  });

  it.each([
    ['concierge-ga', 'good'],
    ['concierge-ctl', 'warning'],
    ['qemu-ga', 'warning'],
  ])('takes a port that %s has open for %s', (name, verdict) => {
    expect(examineChannel('virtio-serial', '/dev/null', undefined, () => `process 7 (${name})`)).toMatchObject([
      { verdict, detail: expect.stringContaining(`process 7 (${name}) has it open`) },
    ]);
  });
});
