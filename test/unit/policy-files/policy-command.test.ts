// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Composition } from '../../../adapters/cli/composition.ts';
import { runProgram } from '../../../adapters/cli/program.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import { loadPolicy } from '../../../adapters/policy/load-policy.ts';
import type { Backend } from '../../../core/ports/index.ts';

let base: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'concierge-policy-'));
  mkdirSync(join(base, 'policy.d'), { mode: 0o755 });
  write([
    'rules:',
    '  - { name: srv, effect: allow, groups: [files], when: { files: { read: [/srv] } } }',
    '  - { name: no-files, effect: refuse, groups: [files], reason: only /srv, tell: host }',
    '  - { name: uptime, effect: allow, groups: [exec], when: { programs: [/usr/bin/uptime], arguments: [-p] } }',
    '  - { name: by-vsock, effect: refuse, groups: [power], channels: [vsock-listen] }',
  ].join('\n'));
});
afterEach(() => rmSync(base, { recursive: true }));

const write = (text: string): void => writeFileSync(join(base, 'policy.d/a.yaml'), text);

const machine = (): Backend => createFakeMachine({ files: { '/srv/a': 'a', '/srv/link': { symlink: '/etc/passwd' }, '/usr/bin/uptime': { program: () => 0 }, '/opt/x': { program: () => 0, mode: 0o777 } } }).backend;

async function policy(words: readonly string[], backend: Backend = machine()) {
  const output = { out: '', err: '' };
  const result = await runProgram({
    program: 'concierge-ga',
    words: ['policy', ...words, '--policy-directory', join(base, 'policy.d')],
    process: { env: {}, pid: 1, platform: 'linux' } as unknown as NodeJS.Process,
    composition: async () => ({ loadPolicy, createBackend: async () => backend } as unknown as Composition),
    print: (text) => void (output.out += text),
    complain: (text) => void (output.err += `${text}\n`),
  });
  return { out: output.out.replaceAll(`${base}/policy.d/`, ''), err: output.err.replaceAll(`${base}/policy.d/`, ''), status: 'status' in result ? result.status : result.signal };
}

describe('policy explain', () => {
  it('tells the rule, where it is written, what would be opened, and what would have to change', async () => {
    expect(await policy(['explain', 'guest-file-open', 'path=/srv/link'])).toEqual({
      out: [
        'guest-file-open by virtio-serial: refused by rule no-files (a.yaml:3): only /srv', '  what it opens is /etc/passwd', '  rule srv (a.yaml:2) does not fit: files', 'To allow it:',
        '  widen files of rule srv (a.yaml:2)', '  or put a rule that allows it in front of no-files (a.yaml:3)', '',
      ].join('\n'),
      err: '',
      status: 1,
    });
  });

  it('names the line of a default', async () => {
    write('rules: []\n\ndefault: refuse\n');

    expect(await policy(['explain', 'guest-ping'])).toEqual({
      out: 'guest-ping by virtio-serial: refused by rule default (a.yaml:3): no rule fits\nTo allow it:\n  put a rule that allows it in front of default, or set the default to allow (a.yaml:3)\n', err: '', status: 1,
    });
    expect((await policy(['show'])).out).toContain('default (a.yaml:3): refuse everything');
  });

  it('opens and makes nothing', async () => {
    const made = createFakeMachine({ files: { '/srv/a': 'a' } });

    expect((await policy(['explain', 'guest-file-open', 'path=/srv/new', 'mode=w'], made.backend)).status).toBe(1);
    expect((await policy(['explain', 'guest-file-open', '{"path": "/srv/a", "mode": "w"}'], made.backend)).status).toBe(1);

    expect([made.files.exists('/srv/new'), made.files.text('/srv/a')]).toEqual([false, 'a']);
  });

  it.each([
    [['guest-file-open', 'path=/srv/a'], 'guest-file-open by virtio-serial: allowed by rule srv (a.yaml:2)\n  what it opens is /srv/a\n', 0],
    [['guest-exec', 'path=uptime', 'arg=-p'], 'guest-exec by virtio-serial: allowed by rule uptime (a.yaml:4)\n  what it opens is /usr/bin/uptime\n', 0],
    [['guest-exec', 'path=/opt/x', 'arg=-p'], 'guest-exec by virtio-serial: allowed by rule default (built in): no rule fits\n  what it opens is /opt/x\n  others could exchange it: /opt/x can be written by others than root\n  rule uptime (a.yaml:4) does not fit: programs\n', 0],
    [['guest-shutdown'], 'guest-shutdown by virtio-serial: allowed by rule default (built in): no rule fits\n', 0],
    [['guest-shutdown', '--channel=vsock-listen'], 'guest-shutdown by vsock-listen: refused by rule by-vsock (a.yaml:5)\nTo allow it:\n  put a rule that allows it in front of by-vsock (a.yaml:5)\n', 1],
    [['guest-shutdown', '--channel', 'isa-serial'], 'guest-shutdown by isa-serial: allowed by rule default (built in): no rule fits\n', 0],
    [['guest-ping', '--block-rpcs=guest-ping'], 'guest-ping by virtio-serial: refused by rule block-rpcs (a setting): is on the block list\nTo allow it:\n  take the command out of block-rpcs\n', 1],
    [['guest-ping', '--profile=observe'], 'guest-ping by virtio-serial: allowed by rule observe-allows (built in)\n', 0],
  ])('%j', async (words, out, status) => {
    expect(await policy(['explain', ...words])).toEqual({ out, err: '', status });
  });

  it('looks up the groups of a user', async () => {
    write('rules:\n  - { name: wheel, effect: allow, groups: [accounts], when: { user-groups: [wheel] } }\n  - { name: no, effect: refuse, groups: [accounts] }\n');
    const { backend } = createFakeMachine({ users: [{ name: 'bob', uid: 1000, gid: 1000, home: '/home/bob', groups: ['bob', 'wheel'] }, { name: 'eve', uid: 1001, gid: 1001, home: '/home/eve' }] });
    const of = async (user: string, machineOf: Backend = backend): Promise<string> => {
      const { out, err } = await policy(['explain', 'guest-ssh-get-authorized-keys', `username=${user}`], machineOf);
      return (out + err).split('\n', 1)[0] ?? '';
    };

    expect(await of('bob')).toBe('guest-ssh-get-authorized-keys by virtio-serial: allowed by rule wheel (a.yaml:2)');
    expect(await of('eve')).toBe('guest-ssh-get-authorized-keys by virtio-serial: refused by rule no (a.yaml:3)');
    expect(await of('nobody')).toContain('no such user');
    expect(await of('bob', { clock: backend.clock })).toContain('this system cannot tell who is in which group');
  });

  it('of a rule that another one has closed says so', async () => {
    expect(await policy(['explain', 'guest-ping', '--allow-rpcs=guest-info'])).toEqual({
      out: 'guest-ping by virtio-serial: refused by rule allow-rpcs (a setting): is not on the allow list\nTo allow it:\n  add the command to allow-rpcs\n',
      err: expect.stringContaining('concierge-ga: a.yaml:2: rule srv: it never fits: rule allow-rpcs (a setting) has decided before\n'),
      status: 1,
    });
  });

  it('finds a program where it would be found: by the first PATH of a whole environment, by the last of changes', async () => {
    write('rules: [{ name: one, effect: allow, groups: [exec], when: { programs: [/one/x], environment: [PATH, PATHS] } }, { name: two, effect: allow, groups: [exec], when: { programs: [/two/x], environment: [PATH, PATHS] } }]');
    const backend = createFakeMachine({ agent: { environment: ['PATH=/three'] }, files: Object.fromEntries(['/one/x', '/two/x', '/three/x'].map((path) => [path, { program: () => 0 }])) }).backend;
    const asked = async (command: string, env: readonly string[]): Promise<unknown> =>
      (JSON.parse((await policy(['explain', command, JSON.stringify({ path: 'x', env }), '--json'], backend)).out) as { opened: unknown }).opened;

    expect(await asked('guest-exec', ['PATH=/one', 'PATH=/two'])).toEqual(['/one/x']);
    expect(await asked('__org.concierge_exec-start', ['PATH=/one', 'PATH=/two', 'PATHS=/three'])).toEqual(['/two/x']);
    expect(await asked('__org.concierge_exec-start', ['PATH=/one', 'PATH'])).toEqual(['/three/x']);
    expect(await asked('__org.concierge_exec-start', ['PATH', 'PATH=/one'])).toEqual(['/one/x']);
  });

  it('without a channel asks for each of the configuration, and one that refuses is enough for the status', async () => {
    const file = join(base, 'several.conf');
    writeFileSync(file, '[general]\nmethod=unix-listen\npath=/run/a\n[concierge]\nprofile=manage\n[channel tools]\nmethod=vsock-listen\npath=2:1\nprofile=full\n');

    expect(await policy(['explain', 'guest-exec', 'path=/usr/bin/uptime', '-c', file])).toMatchObject({
      out: expect.stringMatching(/^guest-exec by unix-listen: refused by rule manage-no-programs [^]*\nguest-exec by tools: allowed by rule default /), err: '', status: 1,
    });
    expect(await policy(['explain', 'guest-exec', 'path=/usr/bin/uptime', '-c', file, '--channel=tools'])).toMatchObject({ out: expect.stringMatching(/^guest-exec by tools: allowed/), status: 0 });
    expect(JSON.parse((await policy(['explain', 'guest-exec', 'path=/usr/bin/uptime', '-c', file, '--json'])).out)).toMatchObject({
      channel: 'unix-listen', decision: 'refused', others: [{ command: 'guest-exec', channel: 'tools', decision: 'allowed' }],
    });
    expect((await policy(['explain', 'guest-ping', '-m', 'isa-serial'])).out).toContain('guest-ping by isa-serial: allowed');
  });

  it('as JSON', async () => {
    const { out } = await policy(['explain', 'guest-file-open', 'path=/srv/a', '--json']);

    expect(JSON.parse(out)).toMatchObject({ command: 'guest-file-open', channel: 'virtio-serial', decision: 'allowed', rule: 'srv', opened: ['/srv/a'], rules: [{ rule: 'srv', fit: 'yes' }, { rule: 'no-files', behind: true }, { rule: 'default' }] });
  });

  it.each([
    [['guest-exek'], "no command is named 'guest-exek': did you mean guest-exec?"],
    [['guest-ping', '--channel=vsock'], "no channel is named 'vsock': there are virtio-serial, unix-listen"],
    [['guest-exec', 'path'], "'path' is not NAME=VALUE"],
    [['guest-exec'], "Parameter 'path' is missing"],
    [['guest-exec', 'paht=/bin/x'], "guest-exec has no argument 'paht': there are path, arg, env, input-data, capture-output (did you mean path?)"],
    [['guest-exec', '{"path": "/bin/x", "nothing": 1}'], "guest-exec has no argument 'nothing': there are path, arg, env, input-data, capture-output"],
    [['guest-ping', 'x=y'], "guest-ping has no argument 'x': it has none"],
    [['guest-exec', '{x'], 'the arguments are not JSON'],
    [['guest-exec', 'path=nowhere', 'arg=-p'], "the program 'nowhere' would not be found: No such file or directory"],
    [['guest-file-open', 'path=/srv/none'], "the file '/srv/none' could not be opened: No such file or directory"],
    [['guest-file-open', 'path=/srv/a', 'mode=x'], "invalid file open mode 'x'"],
    [['guest-file-read', 'handle=x'], "Invalid parameter type for 'handle', expected: integer"],
  ])('%j: %s', async (words, sentence) => {
    expect(await policy(['explain', ...words])).toMatchObject({ err: expect.stringContaining(sentence), status: 1 });
  });
});

describe('policy check and show', () => {
  it('say what is in force', async () => {
    expect(await policy(['check'])).toEqual({ out: '4 rules of 1 file and the profile full: good\n', err: '', status: 0 });
    expect((await policy(['show', '--profile=manage'])).out).toContain([
      'no-files (a.yaml:3): refuse group files', '  told to the host: only /srv', 'uptime (a.yaml:4): allow group exec', '  when programs: ["/usr/bin/uptime"]', '  when arguments: ["-p"]',
    ].join('\n'));
    expect(JSON.parse((await policy(['show', '--json'])).out)).toMatchObject([{ name: 'srv' }, { name: 'no-files' }, { name: 'uptime' }, { name: 'by-vsock' }, { name: 'default', effect: 'allow' }]);
  });

  it('say what is wrong, and what is odd', async () => {
    write('rules: [{ name: a, effect: alow }]');
    expect(await policy(['check'])).toEqual({ out: '', err: "concierge-ga: a.yaml:1:28: 'alow' is no effect: did you mean 'allow'?\n", status: 1 });
    write('rules: [{ name: a, effect: refuse }, { name: b, effect: allow }]');
    expect(await policy(['check'])).toEqual({ out: '2 rules of 1 file and the profile full: 1 warning\n', err: 'concierge-ga: a.yaml:1: rule b: it never fits: rule a (a.yaml:1) has decided before\n', status: 0 });
    expect(await policy(['chek'])).toMatchObject({ err: expect.stringContaining('did you mean check?'), status: 1 });
  });
});
