// SPDX-License-Identifier: Apache-2.0
/** qemu+ssh:// through a real sshd and the real ssh, and the sockets of a daemon with the rights that they have. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { runProgram } from '../../../client/cli/program.ts';
import { GuestClient, Libvirt, libvirtAgent } from '../../../client/index.ts';
import { LibvirtDouble } from '../../unit/client/libvirt-double.ts';
import { freePort, listens } from '../lib/loopback-port.ts';

const missing = ['/usr/sbin/sshd', '/usr/bin/ssh', '/usr/bin/ssh-keygen'].filter((program) => !existsSync(program));
const carrier = ['/usr/bin/nc', '/bin/nc', '/usr/bin/socat'].some((program) => existsSync(program));
const needs = userInfo().uid !== 0 ? 'needs root' : missing.length > 0 ? `needs ${missing.join(', ')}` : carrier ? undefined : 'needs nc or socat';

const long = 'x'.repeat(1024 * 1024);
const answers: Readonly<Record<string, string | undefined>> = {
  'guest-ping': '{"return": {}}',
  'guest-get-host-name': `{"return": {"host-name": "${long}"}}`,
  // It is silent: the call is under way until the connection goes.
  'guest-get-time': undefined,
  'guest-fsfreeze-freeze': '{"return": 2}',
  'guest-fsfreeze-status': '{"return": "frozen"}',
  'guest-fsfreeze-thaw': '{"return": 2}',
  '__org.concierge_fsfreeze-report': '{"error": {"class": "CommandNotFound", "desc": "The command __org.concierge_fsfreeze-report has not been found"}}',
};
const asked: string[] = [];
const domain = {
  name: 'vm7', uuid: '656e230b-6f26-48b1-90a9-59eb07cafcc7', id: 3,
  agent: (request: string) => {
    const { execute } = JSON.parse(request) as { readonly execute: string };
    asked.push(execute);
    return answers[execute];
  },
};

describe.skipIf(needs !== undefined)(`libvirt behind ssh${needs === undefined ? '' : ` (${needs})`}`, () => {
  let scratch: string;
  let port: number;
  let server: ChildProcess;
  let double: LibvirtDouble;

  /** The user's ssh, with a configuration that is not the user's own. */
  const ssh = (name: string, knownHosts: string): string => {
    const path = join(scratch, name);
    writeFileSync(path, `#!/bin/sh\nexec /usr/bin/ssh -F none -o BatchMode=yes -o UserKnownHostsFile=${knownHosts} -o GlobalKnownHostsFile=none -o IdentitiesOnly=yes "$@"\n`, { mode: 0o755 });
    return path;
  };
  const uri = (more = '', command = 'ssh', key = 'key'): string =>
    `qemu+ssh://root@127.0.0.1:${port}/system?command=${join(scratch, command)}&keyfile=${join(scratch, key)}&socket=${double.path}${more}`;
  const open = (of = uri()): GuestClient => new GuestClient(libvirtAgent('vm7', { uri: of, timeoutMs: 60_000 }), { timeoutMs: 60_000 });

  async function listen(): Promise<void> {
    server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(scratch, 'sshd_config')], { stdio: 'ignore' });
    await vi.waitFor(async () => expect(await listens(port)).toBe(true), { timeout: 60_000 });
  }

  async function ctl(...words: readonly string[]): Promise<{ readonly status: number; readonly err: string }> {
    let err = '';
    const stderr = new PassThrough().on('data', (chunk: Buffer) => (err += String(chunk)));
    const status = await runProgram({ words: ['--libvirt', 'vm7', '--timeout', '60', ...words], environment: {}, version: '', stdin: Readable.from([]), stdout: new PassThrough(), stderr, isWatched: false });
    return { status, err };
  }

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'concierge-ssh-'));
    // Others may look for the socket in it, and are refused by the socket itself.
    chmodSync(scratch, 0o755);
    for (const name of ['host-key', 'key', 'other-key']) execFileSync('/usr/bin/ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(scratch, name)]);
    port = await freePort();
    const hostKey = readFileSync(join(scratch, 'host-key.pub'), 'utf8');
    writeFileSync(join(scratch, 'known'), `[127.0.0.1]:${port} ${hostKey}`);
    writeFileSync(join(scratch, 'changed'), `[127.0.0.1]:${port} ${readFileSync(join(scratch, 'other-key.pub'), 'utf8')}`);
    for (const [name, hosts] of [['ssh', 'known'], ['ssh-changed', 'changed']] as const) ssh(name, join(scratch, hosts));
    writeFileSync(join(scratch, 'authorized'), readFileSync(join(scratch, 'key.pub')));
    writeFileSync(join(scratch, 'sshd_config'), [
      `Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${join(scratch, 'host-key')}`, 'PidFile none', 'UsePAM no', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password', 'StrictModes no', `AuthorizedKeysFile ${join(scratch, 'authorized')}`, '',
    ].join('\n'));
    mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    double = await new LibvirtDouble(scratch, { domains: [domain] }).start();
    await listen();
  }, 120_000);

  afterAll(async () => {
    server?.kill();
    await double?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  it('is asked through the socket that the URI names, whatever helper the other host has', async () => {
    using client = open();

    expect(await client.execute('guest-ping')).toBeUndefined();
    expect((await client.execute('guest-get-host-name'))['host-name']).toHaveLength(long.length);
  });

  it('is asked by concierge-ctl, and for its list', async () => {
    expect(await ctl('--connect', uri(), 'raw', 'guest-ping')).toEqual({ status: 0, err: '' });
    using libvirt = await Libvirt.connect({ uri: uri(), timeoutMs: 60_000 });
    expect((await libvirt.domains()).map(({ name }) => name)).toEqual(['vm7']);
  });

  it.each([
    ['another key', () => uri('', 'ssh', 'other-key'), 'Permission denied (publickey)'],
    ['a host whose key has changed', () => uri('', 'ssh-changed'), 'Host key verification failed'],
    ['a port where nobody listens', () => uri().replace(`:${port}/`, ':1/'), 'Connection refused'],
    ['a socket that is not there', () => uri().replace(double.path, `${scratch}/no-such-sock`), 'no libvirt socket at /'],
    ['a netcat that is not there', () => uri('&netcat=/no/such/netcat'), '/no/such/netcat'],
  ])('says in the words of the other side what is wrong with %s', async (_, of, why) => {
    using client = open(of());

    await expect(client.execute('guest-ping')).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining(why) });
    expect(await ctl('--connect', of(), 'raw', 'guest-ping')).toMatchObject({ status: 3, err: expect.stringContaining(why) });
  });

  it.skipIf(!existsSync('/usr/bin/socat'))('leaves nothing behind on the other host when it is closed (needs socat)', async () => {
    const netcat = join(scratch, 'netcat');
    // As that of OpenBSD: it stays when its input has ended, and tells nobody, unless it is told to.
    writeFileSync(netcat, [
      '#!/bin/sh', `case $1 in`, `  -q) echo "nc: option requires an argument -- 'q'" >&2; exit 1 ;;`, '  -q0) exec socat -t0 - UNIX-CONNECT:$3 ;;', 'esac',
      'exec socat -t600 - UNIX-CONNECT:$2,shut-none', '',
    ].join('\n'), { mode: 0o755 });
    const client = open(uri(`&netcat=${netcat}`));
    await client.execute('guest-ping');
    const during = double.connections;

    client.close();

    await vi.waitFor(() => expect(double.connections).toBeLessThan(during), { timeout: 20_000 });
  });

  it('is lost with its sshd, and found again by the next call when that is back', async () => {
    using client = open();
    await client.execute('guest-ping');

    const lost = client.execute('guest-get-time').catch((error: unknown) => error);
    await vi.waitFor(() => expect(asked.at(-1)).toBe('guest-get-time'), { timeout: 60_000 });
    await endWithSessions(server);

    expect(await lost).toMatchObject({ kind: 'closed' });
    await listen();
    expect(await client.execute('guest-ping')).toBeUndefined();
  });

  it('holds a freeze around a command, also when the connection goes meanwhile: the port is libvirt\'s, and the guest stands still', async () => {
    expect(await ctl('--connect', uri(), 'frozen', '--', 'true')).toMatchObject({ status: 0 });

    const running = ctl('--connect', uri(), 'frozen', '--', '/bin/sh', '-c', `touch ${scratch}/began; while [ ! -e ${scratch}/go-on ] && [ -d ${scratch} ]; do sleep 0.05; done`);
    await vi.waitFor(() => expect(existsSync(join(scratch, 'began'))).toBe(true), { timeout: 60_000 });
    await endWithSessions(server);
    await listen();
    writeFileSync(join(scratch, 'go-on'), '');

    expect(await running).toMatchObject({ status: 0 });
    // What libvirt says of it decides, over another connection.
    expect(asked.filter((one) => one.startsWith('guest-fs')).slice(-3)).toEqual(['guest-fsfreeze-freeze', 'guest-fsfreeze-status', 'guest-fsfreeze-thaw']);
  });
});

describe.skipIf(userInfo().uid !== 0)(`the socket of a daemon${userInfo().uid === 0 ? '' : ' (needs root)'}`, () => {
  it('that is not open to this user says which group opens it', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'concierge-socket-'));
    chmodSync(scratch, 0o755);
    const double = await new LibvirtDouble(scratch, { domains: [domain] }).start();
    chmodSync(double.path, 0o660);
    try {
      // Nobody is in no group.
      process.setegid?.(65_534);
      process.seteuid?.(65_534);
      const told = await Libvirt.connect({ uri: double.uri }).then(() => 'connected', (error: unknown) => error);
      process.seteuid?.(0);
      process.setegid?.(0);

      expect(told).toMatchObject({ kind: 'closed', message: `${double.path} is not open to this user: become root, or a member of the group libvirt` });
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
      await double.stop();
      rmSync(scratch, { recursive: true, force: true });
    }
  });
});

/** Ends a server and what it has forked for its connections: these would go on. */
async function endWithSessions(server: ChildProcess): Promise<void> {
  const children = (pid: number): readonly number[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter((one) => one !== '').map(Number).flatMap((child) => [child, ...children(child)]);
  const pid = server.pid ?? 0;
  for (const one of [pid, ...children(pid)]) process.kill(one, 'SIGKILL');
  await once(server, 'exit');
}
