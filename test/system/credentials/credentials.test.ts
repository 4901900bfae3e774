// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectUnix, GuestClient } from '../../../client/index.ts';
import { AgentProcess } from '../../wire/lib/agent-process.ts';
import { freePort, listens } from '../lib/loopback-port.ts';

const missing = ['/usr/sbin/useradd', '/usr/sbin/chpasswd', '/usr/sbin/sshd', '/usr/bin/ssh', '/usr/bin/ssh-keygen', '/usr/bin/su', '/usr/bin/python3'].filter(
  (program) => !existsSync(program),
);
const needs = userInfo().uid !== 0 ? 'needs root' : missing.length > 0 ? `needs ${missing.join(', ')}` : undefined;

const user = 'concierge-guest';

describe.skipIf(needs !== undefined)(`credentials of a throw-away user${needs === undefined ? '' : ` (${needs})`}`, () => {
  let scratch: string;
  let agent: AgentProcess;
  let client: GuestClient;
  let server: ChildProcess | undefined;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'concierge-credentials-'));
    execFileSync('chmod', ['755', scratch]);
    spawnSync('/usr/sbin/userdel', ['-r', user], { stdio: 'ignore' });
    execFileSync('/usr/sbin/useradd', ['--create-home', '--home-dir', join(scratch, 'home'), '--shell', '/bin/sh', user]);
    agent = await AgentProcess.start();
    client = new GuestClient(await connectUnix(agent.socket), { timeoutMs: 30_000 });
  });

  afterAll(async () => {
    client.close();
    server?.kill();
    await agent.stop();
    spawnSync('/usr/sbin/userdel', ['-r', user], { stdio: 'ignore' });
    rmSync(scratch, { recursive: true, force: true });
  });

  const logIn = (password: string): number | null =>
    spawnSync('/usr/bin/python3', [join(import.meta.dirname, 'su.py'), user, password], { stdio: 'ignore', timeout: 60_000 }).status;

  it('a password that the host sets is the one that su takes', async () => {
    const password = 'S3cret! with blanks: and ümlauts';

    await client.execute('guest-set-user-password', { username: user, password: Buffer.from(password).toString('base64'), crypted: false });

    expect(logIn(password)).toBe(0);
    expect(logIn('something else')).not.toBe(0);
  });

  it('a hash that the host sets is taken as it is', async () => {
    const hash = execFileSync('openssl', ['passwd', '-6', 'hashed'], { encoding: 'utf8' }).trim();

    await client.execute('guest-set-user-password', { username: user, password: Buffer.from(hash).toString('base64'), crypted: true });

    expect(logIn('hashed')).toBe(0);
  });

  it('a key that the host adds opens an ssh session, and one that it removes does not', async () => {
    const port = await freePort();
    const keyFile = join(scratch, 'key');
    execFileSync('/usr/bin/ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile]);
    server = await startServer(scratch, port);
    const key = readFileSync(`${keyFile}.pub`, 'utf8').trim();
    const session = (): number | null =>
      spawnSync(
        '/usr/bin/ssh',
        ['-i', keyFile, '-p', String(port), '-o', 'BatchMode=yes', '-o', 'IdentitiesOnly=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', `${user}@127.0.0.1`, 'true'],
        { stdio: 'ignore', timeout: 60_000 },
      ).status;
    const before = session();

    await client.execute('guest-ssh-add-authorized-keys', { username: user, keys: [key] });
    const added = session();
    const { keys } = await client.execute('guest-ssh-get-authorized-keys', { username: user });
    await client.execute('guest-ssh-remove-authorized-keys', { username: user, keys: [key] });

    expect(before).not.toBe(0);
    expect(added).toBe(0);
    expect(keys).toEqual([key]);
    expect(session()).not.toBe(0);
  });
});

/** An sshd of the test's own, on loopback only, once it listens. */
async function startServer(scratch: string, port: number): Promise<ChildProcess> {
  const hostKey = join(scratch, 'host-key');
  const configuration = join(scratch, 'sshd_config');
  execFileSync('/usr/bin/ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', hostKey]);
  writeFileSync(
    configuration,
    `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${hostKey}\nPidFile none\nUsePAM no\nPasswordAuthentication no\nStrictModes no\nAuthorizedKeysFile .ssh/authorized_keys\n`,
  );
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', configuration], { stdio: 'ignore' });
  await expect.poll(() => listens(port), { timeout: 30_000 }).toBe(true);
  return child;
}
