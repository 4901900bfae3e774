// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { runProgram } from '../../../client/cli/program.ts';
import { exec, GuestClient, proxmoxAgent, withFrozen, type ProxmoxOptions } from '../../../client/index.ts';
import { createFakeGuest, type FakeGuest } from '../../../kit/fake/index.ts';
import { ProxmoxDouble, token, type Said } from './proxmox-double.ts';

let directory: string;
let guest: FakeGuest;
let proxmox: ProxmoxDouble;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concierge-proxmox-'));
  guest = await createFakeGuest({}, { realTime: true });
  proxmox = await new ProxmoxDouble(directory, guest).start();
});

afterAll(async () => {
  await proxmox.stop();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(() => {
  proxmox.instead = undefined;
  proxmox.asked.length = 0;
});

const place = (changes: Partial<ProxmoxOptions> = {}): ProxmoxOptions => ({ url: proxmox.url, fingerprint: proxmox.fingerprint, node: 'pve1', vmid: 104, token, ...changes });
const client = (changes?: Partial<ProxmoxOptions>): GuestClient => new GuestClient(proxmoxAgent(place(changes)));

describe('a guest of Proxmox VE', () => {
  it('answers what its interface passes on, integers exact', async () => {
    using one = client();

    expect(await one.execute('guest-get-host-name')).toHaveProperty('host-name');
    expect((await one.execute('guest-info')).supported_commands.length).toBeGreaterThan(20);
    expect((await one.execute('guest-get-fsinfo')).length).toBeGreaterThan(0);
    expect((await one.execute('guest-network-get-interfaces')).length).toBeGreaterThan(0);
    proxmox.instead = () => [200, 'OK', '{"data":{"result":1796045912123456789}}'];
    expect(await one.execute('guest-get-time')).toBe(1796045912123456789n);
    expect(proxmox.asked.map(({ method, path }) => `${method} ${path.replace('/nodes/pve1/qemu/104/agent/', '')}`)).toEqual([
      'GET get-host-name', 'GET info', 'GET get-fsinfo', 'GET network-get-interfaces', 'GET get-time',
    ]);
    expect(proxmox.asked.every((asked) => asked.token === token)).toBe(true);
  });

  it('runs programs, whose output is bytes', async () => {
    using one = client();

    const { exitCode, stdout } = await exec(one, 'echo', { arguments: ['from', 'inside, gäst'] });

    expect([exitCode, stdout.toString()]).toEqual([0, 'from inside, gäst\n']);
    expect((await exec(one, 'cat', { input: 'wörds' })).stdout.toString()).toBe('wörds');
    proxmox.instead = () => [200, 'OK', '{"data":{"exited":1,"exitcode":0,"out-data":"\u20ac","out-truncated":1}}'];
    expect(await one.execute('guest-exec-status', { pid: 1 })).toEqual({ exited: true, exitcode: 0n, 'out-data': Buffer.from('€').toString('base64'), 'out-truncated': true });
  });

  it('is frozen around some work, by POST', async () => {
    using one = client();

    expect(await withFrozen(one, async ({ count, check }) => {
      await check();
      return count;
    })).toBe(4n);
    expect(proxmox.asked.map(({ method, path }) => `${method} ${path.replace(/^.*\//, '')}`)).toEqual(['POST ping', 'POST fsfreeze-freeze', 'POST fsfreeze-status', 'POST fsfreeze-status', 'POST fsfreeze-thaw']);
  });

  it('has its password set in plain words, inside TLS', async () => {
    using one = client();
    proxmox.instead = () => [200, 'OK', '{"data":{"result":{}}}'];

    await one.execute('guest-set-user-password', { username: 'root', password: Buffer.from('a b&c').toString('base64'), crypted: false });

    expect(Object.fromEntries(proxmox.asked[0]?.parameters ?? [])).toEqual({ username: 'root', password: 'a b&c', crypted: '0' });
  });

  it.each<readonly [string, object]>([
    ['guest-file-open', { path: '/etc/hostname' }],
    ['guest-fsfreeze-freeze-list', { mountpoints: ['/'] }],
    ['guest-fstrim', { minimum: 5 }],
    ['guest-shutdown', { mode: 'reboot' }],
    ['guest-exec', { path: 'env', env: ['A=b'] }],
    ['guest-exec', { path: 'cat', 'input-data': Buffer.from([0xff]).toString('base64') }],
    ['guest-ssh-get-authorized-keys', { username: 'root' }],
    ['__org.concierge_fsfreeze-report', {}],
  ])('is not asked by %s with %j, which Proxmox VE does not pass on', async (name, args) => {
    using one = client();

    await expect(one.executeRaw(name, JSON.stringify(args))).rejects.toMatchObject({ kind: 'refused', agentClass: 'CommandNotFound', message: expect.stringMatching(/^Proxmox VE does not pass .* on$/) });
    expect(proxmox.asked).toEqual([]);
  });

  it('takes no more input of a program than Proxmox VE does', async () => {
    using one = client();

    await expect(exec(one, 'cat', { input: Buffer.alloc(65_537, 'x') })).rejects.toMatchObject({ kind: 'too-large', message: expect.stringContaining('65536') });
    expect((await exec(one, 'cat', { input: Buffer.alloc(65_536, 'x') })).stdout).toHaveLength(65_536);
  });

  it.each<readonly [Said, object]>([
    [[500, 'QEMU guest agent is not running'], { kind: 'closed', message: 'QEMU guest agent is not running (is an agent running in the guest?)' }],
    [[500, 'No QEMU guest agent configured'], { kind: 'closed', message: expect.stringContaining('qm set 104 --agent 1') }],
    [[500, 'VM 104 is not running'], { kind: 'closed', message: 'Proxmox VE: VM 104 is not running (status 500)' }],
    [[500, "VM 104 qmp command 'guest-fsfreeze-freeze' failed - got timeout"], { kind: 'timeout' }],
    [[500, "VM 104 qmp command 'guest-x' failed - The command guest-x has not been found"], { kind: 'refused', agentClass: 'CommandNotFound', message: 'The command guest-x has not been found' }],
    [[500, 'Agent error: failed to freeze /data'], { kind: 'refused', agentClass: 'GenericError', message: 'failed to freeze /data' }],
    [[403, 'Permission check failed (/vms/104, VM.Monitor)'], { kind: 'closed', message: expect.stringContaining('VM.GuestAgent') }],
    [[400, 'Parameter verification failed.', '{"data":null,"errors":{"vmid":"type check failed\\n"}}'], { kind: 'closed', message: 'Proxmox VE: Parameter verification failed. (vmid: type check failed) (status 400)' }],
    [[501, "Method 'POST /nodes/pve1/qemu/104/agent/ping' not implemented"], { kind: 'refused', agentClass: 'CommandNotFound' }],
    [[595, 'No route to host'], { kind: 'closed', message: 'Proxmox VE: No route to host (status 595)' }],
    [[596, 'Connection timed out'], { kind: 'timeout' }],
    [[502, 'Bad Gateway', '<html>'], { kind: 'closed', message: 'Proxmox VE: Bad Gateway (status 502)' }],
    [[200, 'OK', '<html>'], { kind: 'garbage' }],
    [[200, 'OK', '{"data":null}'], { kind: 'garbage' }],
    [[200, 'OK', '{"data":{"result":{"error":{"class":"CommandNotFound","desc":"The command guest-ping has been disabled"}}}}'], { kind: 'refused', agentClass: 'CommandNotFound' }],
  ])('that is answered with %j fails by kind, and the next call goes', async (said, expected) => {
    using one = client();
    proxmox.instead = () => said;

    await expect(one.execute('guest-ping')).rejects.toMatchObject(expected);
    proxmox.instead = undefined;
    await one.execute('guest-ping');
  });

  it('is reached by concierge-ctl --proxmox', async () => {
    const file = join(directory, 'token');
    await writeFile(file, `${token}\n`, { mode: 0o600 });
    const printed: string[] = [];
    const stdout = new PassThrough().on('data', (chunk: Buffer) => printed.push(chunk.toString()));
    const run = (words: readonly string[], environment = {}): Promise<number> =>
      runProgram({ words, environment, version: '', stdin: new Readable({ read: () => undefined }), stdout, stderr: stdout, isWatched: false });

    expect(await run(['--proxmox', 'pve1/104', '--url', proxmox.url, '--token-file', file, '--fingerprint', proxmox.fingerprint, 'os'])).toBe(0);
    expect(await run(['info'], { CONCIERGE_PROXMOX: 'pve1/104', CONCIERGE_PROXMOX_URL: proxmox.url, CONCIERGE_PROXMOX_TOKEN: token, CONCIERGE_PROXMOX_FINGERPRINT: proxmox.fingerprint })).toBe(0);
    expect(printed.join('').match(/Debian/g)?.length).toBeGreaterThan(1);
    expect(printed.join('')).not.toContain('01234567');
  });

  it('is given up when it does not answer in time', async () => {
    using one = client();
    proxmox.instead = () => 'silence';

    await expect(one.execute('guest-ping', {}, { timeoutMs: 200 })).rejects.toMatchObject({ kind: 'timeout' });
    await expect(one.execute('guest-ping', {}, { timeoutMs: 0, signal: AbortSignal.timeout(200) })).rejects.toMatchObject({ kind: 'aborted' });
  });
});

describe('a host of Proxmox VE', () => {
  it('that does not know the token says so', async () => {
    await expect(client({ token: 'backup@pve!concierge=wrong' }).execute('guest-ping')).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining('does not know the API token') });
  });

  it('whose certificate is another one is told no token', async () => {
    await expect(client({ fingerprint: '00'.repeat(32) }).execute('guest-ping')).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining('has another fingerprint') });
    const { fingerprint: _none, ...unpinned } = place();
    await expect(new GuestClient(proxmoxAgent(unpinned)).execute('guest-ping')).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining('by its fingerprint') });
    expect(proxmox.asked).toEqual([]);
  });

  it('where nobody listens is told of', async () => {
    await expect(client({ url: 'https://127.0.0.1:1' }).execute('guest-ping')).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining('nobody listens there') });
  });

  it.each([
    [{ url: 'pve1' }, 'is no URL'], [{ url: 'http://pve1:8006' }, 'has the form https://HOST:8006'], [{ url: 'https://pve1:8006/api2' }, 'has the form'],
    [{ token: 'root@pam' }, 'USER@REALM!NAME=SECRET'], [{ token: 'root@pam!a=b\r\nX: y' }, 'USER@REALM!NAME=SECRET'], [{ fingerprint: 'AA:BB' }, '32 bytes in hexadecimal'],
    [{ node: '../x' }, 'is no guest of Proxmox VE'], [{ vmid: 0.5 }, 'is no guest of Proxmox VE'],
  ])('is not asked with %j', (changes, why) => {
    expect(() => client(changes)).toThrow(expect.objectContaining({ kind: 'misused', message: expect.stringContaining(why) }));
  });
});
