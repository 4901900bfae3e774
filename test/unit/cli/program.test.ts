// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Composition } from '../../../adapters/cli/composition.ts';
import { runProgram } from '../../../adapters/cli/program.ts';
import { subcommands } from '../../../adapters/cli/subcommands/index.ts';
import type { Backend, FreezeCandidate, ThawOutcome } from '../../../core/ports/index.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-program-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

const candidate = (mountPoint: string, more: Partial<FreezeCandidate> = {}): FreezeCandidate => ({
  id: mountPoint, mountPoints: [mountPoint], type: 'ext4', source: '/dev/x', readOnly: false, backing: [], ...more,
});

/** A machine of which only freezing is known. */
const backend = (candidates: readonly FreezeCandidate[], thaw: readonly ThawOutcome[] = []): Backend =>
  ({
    clock: { now: () => 1n, monotonic: () => 1n, after: () => ({ cancel: () => undefined }) },
    fileSystem: {
      freezing: {
        survey: () => Promise.resolve(candidates),
        recover: () => Promise.resolve(undefined),
        thawEverything: () => Promise.resolve(thaw),
        begin: () => Promise.reject(new Error('nothing may be frozen here')),
      },
    },
  });

interface Called {
  readonly environment?: NodeJS.ProcessEnv;
  readonly machine?: Backend;
  readonly as?: string;
}

async function program(words: readonly string[], { environment = {}, machine, as = '/usr/sbin/qemu-ga' }: Called = {}) {
  const output = { out: '', err: '' };
  const result = await runProgram({
    program: as,
    words,
    process: { env: environment, pid: 1, platform: 'linux' } as unknown as NodeJS.Process,
    composition: async () => ({ createBackend: async () => machine, channelsOf: async () => ({ methods: [] }) } as unknown as Composition),
    print: (text) => {
      output.out += text;
    },
    complain: (text) => {
      output.err += `${text}\n`;
    },
  });
  return { ...output, status: 'status' in result ? result.status : result.signal };
}

describe('the program', () => {
  it('prints its version as its fourth word, as qemu-ga does', async () => {
    const { out, err, status } = await program(['-V']);

    expect([out.split(' ')[3], err, status]).toEqual(['0.1.0', '', 0]);
  });

  it.each([
    [['--statedir=X', 'doctor'], 'doctor'],
    [['-v', 'thaw'], 'thaw'],
    [['--', 'freeze', '--dry-run'], 'freeze'],
  ])('starts no agent for %j, whose command is not first', async (words, name) => {
    expect(await program(words)).toEqual({ out: '', err: `/usr/sbin/qemu-ga: '${name}' has to come first: /usr/sbin/qemu-ga ${name} [<options>]\n`, status: 1 });
  });

  it.each([
    [['-v', '-c', '/no/such/file', 'doctor', '--json']],
    [['-tdoctor', '--statedir', 'thaw', '-l', 'doctor', 'doctor', '--json', '-c', '/no/such/file']],
  ])('takes a command behind options of the agent: %j', async (words) => {
    const { out, err } = await program(words, { as: '/usr/bin/concierge-ga', machine: backend([]) });

    expect([(JSON.parse(out) as readonly { detail: string }[])[0]?.detail, err]).toEqual([expect.stringContaining('/no/such/file'), '']);
  });

  it.each([
    [['-v', '--', 'doctor'], "'doctor' has to come first: concierge-ga doctor [<options>]"],
    [['--jsn', 'doctor'], "unrecognized option '--jsn'"],
    [['-v', 'x', 'doctor'], "'doctor' has to come first"],
  ])('takes none behind anything else: %j', async (words, sentence) => {
    expect(await program(words, { as: 'concierge-ga' })).toMatchObject({ err: expect.stringContaining(sentence), status: 1 });
  });

  it('under the name qemu-ga says of options of such a command where it has to stand', async () => {
    expect(await program(['-v', 'doctor', '--json'])).toMatchObject({ out: '', err: expect.stringContaining("qemu-ga: 'doctor' has to come first: /usr/sbin/qemu-ga doctor [<options>]\n"), status: 1 });
  });

  it.each([
    [['doctro'], 'doctro', 'did you mean doctor?'],
    [['help'], 'help', 'did you mean --help?'],
    [['stauts'], 'stauts', "did you mean 'concierge-ctl status', which is for the host?"],
    [['-v', 'frobnicate'], 'frobnicate', 'there are freeze, doctor, thaw'],
  ])('starts no agent for %j, and says what was meant', async (words, word, meant) => {
    const { err, status } = await program(words, { as: '/usr/bin/concierge-ga' });

    expect(status).toBe(1);
    expect(err).toMatch(new RegExp(`^/usr/bin/concierge-ga: there is no command '${word}': .*\\n$`));
    expect(err).toContain(meant);
  });

  it.each(['/usr/sbin/qemu-ga', 'qemu-ga', 'C:\\x\\qemu-ga.exe'])('passes over words under the name %s, as qemu-ga does', async (as) => {
    expect((await program(['-m', 'unix-listen', '-p', '/no/such', 'stray'], { as })).err).not.toContain('there is no command');
  });

  it('shows what was typed without harm to the terminal', async () => {
    const { err } = await program(['\u001b]0;x\u0007\u202e'], { as: 'concierge-ga' });

    expect(err).toContain("'\\x1b]0;x\\x07\\u202e'");
  });

  it('names the methods that there are where one is none', async () => {
    expect((await program(['-m', 'virtio'])).err).toBe(
      "/usr/sbin/qemu-ga: must specify a path for this channel: no method is named 'virtio': there are unix-listen, virtio-serial, isa-serial, vsock-listen (did you mean virtio-serial?)\n",
    );
  });

  it.each([
    [['-c', '/no/such/file'], 'No such file or directory'],
    [['--freeze-timeout=soon'], "'soon' is not a number of seconds"],
  ])('looks at everything else although %j cannot be used', async (words, problem) => {
    const { out, status } = await program(['doctor', '--json', ...words], { machine: backend([]) });

    const findings = JSON.parse(out) as readonly { subject: string; verdict: string; detail: string }[];
    expect(status).toBe(1);
    expect(findings[0]).toMatchObject({ subject: 'configuration', verdict: 'bad', detail: expect.stringContaining(problem) as string });
    expect(findings.map(({ subject }) => subject)).toEqual(expect.arrayContaining(['state directory', 'freeze plan', 'commands']));
  });

  it.each(subcommands)('tells of $name alone what it is asked of $name', async ({ name, usage }) => {
    const { out, status } = await program([name, '--help']);

    expect(status).toBe(0);
    expect(out.split('\n\n', 1)[0]?.replaceAll(/^(?:Usage:|) +\S+ /gm, '').split('\n')).toEqual(usage.map((words) => `${name} ${words}`));
    expect(out).not.toContain('--freeze-timeout');
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it('helps, and packagers find what they look for', async () => {
    const { out, status } = await program(['--help', '--bogus']);

    expect(status).toBe(0);
    expect(out).toMatch(/^Usage: \/usr\/sbin\/qemu-ga \[-m <method> -p <path>\]/);
    for (const option of ['--block-rpcs', '--allow-rpcs', '--retry-path']) expect(out).toContain(option);
  });

  it('complains about an option that it does not know once, in the words of getopt', async () => {
    expect(await program(['-Z'])).toEqual({
      out: "Unknown option, try '/usr/sbin/qemu-ga --help' for more information.\n",
      err: "/usr/sbin/qemu-ga: invalid option -- 'Z'\n",
      status: 1,
    });
  });

  it('lists the commands of this platform in the order of the schema', async () => {
    const { out } = await program(['-b', 'help']);

    const names = out.trim().split('\n');
    expect(names.slice(0, 3)).toEqual(['guest-sync-delimited', 'guest-sync', 'guest-ping']);
    expect(names.filter((name) => name.startsWith('guest-'))).toHaveLength(43);
    expect(names).not.toContain('guest-get-devices');
  });

  it('dumps the configuration that QGA_CONF names', async () => {
    const path = join(directory, 'conf');
    writeFileSync(path, '[general]\npath=/x\n');

    expect((await program(['-D'], { environment: { QGA_CONF: path } })).out).toContain('path=/x\n');
  });

  it('says in one line what is wrong with a configuration file', async () => {
    expect(await program(['-D', '-c', directory])).toEqual({
      out: '', err: `/usr/sbin/qemu-ga: error loading configuration from path: ${directory}, Not a regular file\n`, status: 1,
    });
  });

  it('listens on one socket of the service manager only', async () => {
    expect(await program([], { environment: { LISTEN_PID: '1', LISTEN_FDS: '2' } })).toMatchObject({
      err: '/usr/sbin/qemu-ga: qemu-ga only supports listening on one socket\n', status: 1,
    });
  });

  it('ignores a socket that is meant for another process', async () => {
    expect((await program(['-D'], { environment: { LISTEN_PID: '2', LISTEN_FDS: '1' } })).out).toContain('method=virtio-serial');
  });
});

describe('freeze --dry-run', () => {
  const machine = backend([
    candidate('/', { dirtyBytes: 5n * 1024n * 1024n, flushEstimateMs: 1_240 }),
    candidate('/loop\n', { backing: ['/'], source: '/dev/loop0' }),
    candidate('/proc', { leftOut: { reason: 'pseudo', detail: 'proc keeps nothing on a disk' } }),
    candidate('/nfs', { leftOut: { reason: 'network', detail: 'the server keeps it' } }),
  ]);

  it('prints what would be frozen in which order, and what not', async () => {
    expect(await program(['freeze', '--dry-run'], { machine })).toEqual({
      status: 0,
      err: '',
      out: `To be frozen, all of one level side by side, level 1 first:
  1  /loop\\n  ext4  /dev/loop0
  2  /        ext4  /dev/x      5.0 MiB to be flushed, in about 1.2 s

To be left out:
  /nfs  ext4  the server keeps it
`,
    });
  });

  it('prints it for programs, with everything', async () => {
    const { out } = await program(['freeze', '--json', '--dry-run'], { machine });

    expect(JSON.parse(out)).toMatchObject({
      levels: [[{ mountPoint: '/loop\n', source: '/dev/loop0' }], [{ mountPoint: '/', dirtyBytes: 5242880, flushEstimateMs: 1240 }]],
      leftOut: [{ mountPoint: '/proc', reason: 'pseudo' }, { mountPoint: '/nfs', reason: 'network' }],
      unmatched: [],
      covered: [],
    });
  });

  it('takes mount points, and fails for one that is none', async () => {
    const { out, err, status } = await program(['freeze', '--dry-run', '/', '/nowhere'], { machine });

    expect(out).not.toContain('loop');
    expect([err, status]).toEqual(['/usr/sbin/qemu-ga: nothing is mounted at /nowhere\n', 1]);
  });

  it.each([
    [['/nowhere'], 'what is named is no mount point'],
    [['/nowhere', '/no'], 'what is named are no mount points'],
  ])('says that nothing would be frozen of %j, and why', async (mountPoints, why) => {
    expect((await program(['freeze', '--dry-run', ...mountPoints], { machine })).out).toBe(`Nothing would be frozen: ${why}.\n`);
  });

  it('leaves out what is excluded by the agent’s own options', async () => {
    expect((await program(['freeze', '--dry-run', '--fsfreeze-exclude=/'], { machine })).out).toContain('/ is excluded by configuration');
  });

  it('says of an excluded mount point that it is none', async () => {
    const { out, err, status } = await program(['freeze', '--dry-run', '--json', '--fsfreeze-exclude=/dta'], { machine });

    expect(JSON.parse(out)).toMatchObject({ idleExclusions: ['/dta'] });
    expect([err, status]).toEqual(['/usr/sbin/qemu-ga: fsfreeze-exclude names /dta, where nothing is mounted\n', 0]);
  });

  const leftOut = (mountPoint: string, reason: 'network' | 'pseudo'): FreezeCandidate => candidate(mountPoint, { leftOut: { reason, detail: 'x' } });

  it.each([
    [[], 'nothing is mounted that could be.'],
    [[leftOut('/proc', 'pseudo')], '1 file system is left out; they keep nothing on a disk and are listed with --json alone.'],
    [[leftOut('/proc', 'pseudo'), leftOut('/nfs', 'network')], '2 file systems are left out; 1 of them keep nothing on a disk and are listed with --json alone.'],
    [[leftOut('/nfs', 'network'), leftOut('/nfs2', 'network')], '2 file systems are left out.'],
  ])('says why nothing would be frozen (%#)', async (candidates, why) => {
    expect((await program(['freeze', '--dry-run'], { machine: backend(candidates) })).out).toMatch(new RegExp(`^Nothing would be frozen: ${why}\n`));
  });

  it('lets no name reach the terminal or a program as it is', async () => {
    const odd = backend([candidate('/\u202egpj\u009b', { source: '\u001b]0;x\u0007' })]);
    const text = await program(['freeze', '--dry-run'], { machine: odd });
    const json = await program(['freeze', '--dry-run', '--json'], { machine: odd });

    expect(`${text.out}${json.out}`.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(JSON.parse(json.out)).toMatchObject({ levels: [[{ mountPoint: '/\u202egpj\u009b' }]] });
  });

  it('is the only freeze that there is from here', async () => {
    expect(await program(['freeze'], { machine })).toMatchObject({ status: 1, err: expect.stringContaining('add --dry-run') as string });
  });
});

it('backends shows the name of one that cannot be loaded without harm', async () => {
  const text = await program(['backends', './no\u001b]0;x\u0007\u202esuch']);
  const json = await program(['backends', '--json', './no\u001b]0;x\u0007\u202esuch']);

  expect(text.out).toContain('no\\x1b]0;x\\x07\\u202esuch: cannot be loaded here');
  expect(JSON.parse(json.out)).toContainEqual(expect.objectContaining({ name: './no\u001b]0;x\u0007\u202esuch' }));
  expect(`${text.out}${json.out}`.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

describe('thaw', () => {
  const marker = (bootId = ''): void =>
    writeFileSync(
      join(directory, 'qga.state.isfrozen'),
      JSON.stringify({ format: 1, bootId, deadlineAt: '0', targets: [{ id: '8:1', mountPoint: '/data' }], recoveryData: {} }),
    );

  it('thaws what the marker lists, and forgets it', async () => {
    marker();
    const machine = backend([], [{ id: '8:1', mountPoint: '/data', thawed: true }]);

    expect(await program(['thaw', '-t', directory], { machine })).toMatchObject({ out: '1 file systems thawed\n', status: 0 });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('has an answer for programs, with exact times', async () => {
    marker();
    const machine = backend([], [{ id: '8:1', mountPoint: '/data', thawed: true, thawedAt: 1_750_000_000_123_456_789n }]);

    const { out } = await program(['thaw', '--json', '-t', directory], { machine });

    expect(JSON.parse(out)).toMatchObject({ thawed: 1, report: { status: 'thawed' } });
  });

  it('keeps the marker of what it could not thaw, and fails', async () => {
    marker();
    const machine = backend([], [{ id: '8:1', mountPoint: '/data', thawed: false, error: 'failed to thaw /data: Input/output error' }]);

    const { err, status } = await program(['thaw', '-t', directory], { machine });

    expect([status, readdirSync(directory)]).toEqual([1, ['qga.state.isfrozen']]);
    expect(err).toContain('failed to thaw /data: Input/output error');
  });

  it('has nothing to do without a marker, and asks no backend', async () => {
    expect(await program(['thaw', '-t', directory])).toEqual({ out: `nothing is marked as frozen in ${directory}\n`, err: '', status: 0 });
  });
});
