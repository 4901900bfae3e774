// SPDX-License-Identifier: Apache-2.0
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, PassThrough, Readable } from 'node:stream';
import { assert, asyncProperty, boolean, uint8Array } from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { GuestClient, Libvirt, libvirtAgent, withFrozen, type AgentEvent } from '../../../client/index.ts';
import { runProgram } from '../../../client/cli/program.ts';
import { libvirtPlace } from '../../../client/libvirt/libvirt-uri.ts';
import { Rpc } from '../../../client/libvirt/rpc.ts';
import { XdrWriter } from '../../../client/libvirt/xdr.ts';
import { failure, LibvirtDouble, packet, reply, text, type LibvirtDoubleOptions } from './libvirt-double.ts';

let directory: string;
let double: LibvirtDouble;

const uuid = '656e230b-6f26-48b1-90a9-59eb07cafcc7';
const pong = (): string => '{"return": {}}';
const vm = { name: 'vm7', uuid, id: 3, agent: pong };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concierge-libvirt-'));
});

afterEach(async () => {
  await double?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function start(options: LibvirtDoubleOptions = { domains: [vm] }): Promise<LibvirtDouble> {
  double = await new LibvirtDouble(directory, options).start();
  return double;
}

const connect = async (options?: LibvirtDoubleOptions): Promise<Libvirt> => Libvirt.connect({ uri: (await start(options)).uri });

describe('what goes over the wire', () => {
  it('is what virsh 9.0 sends', async () => {
    using libvirt = await connect();
    await libvirt.domain('vm7');
    await libvirt.askAgent({ name: 'bare', uuid, id: 1 }, '{"execute":"guest-ping"}').catch(() => undefined);

    // Recorded.
    const recorded = ['', '0000000a', '000000010000000e71656d753a2f2f2f73797374656d000000000000', '00000003766d3700',
      '0000000462617265656e230b6f2648b190a959eb07cafcc700000001000000187b2265786563757465223a2267756573742d70696e67227dffffffff00000000'];
    expect(double.calls.map(({ payload }) => payload.toString('hex'))).toEqual(recorded);
  });

  it('is an error as libvirt 9.0 sent it', async () => {
    const recorded = Buffer.from('0000002a0000000a0000000100000037446f6d61696e206e6f7420666f756e643a206e6f20646f6d61696e2077697468206d61746368696e67206e616d6520276e6f737563682700'
      + '00000002000000000000000100000014446f6d61696e206e6f7420666f756e643a20257300000001000000256e6f20646f6d61696e2077697468206d61746368696e67206e616d6520276e6f737563682700000000000000ffffffffffffffff00000000', 'hex');
    using libvirt = await connect({ instead: (call) => (call.procedure === 23 ? packet(call, 1, 1, recorded) : undefined) });

    await expect(libvirt.domain('nosuch')).rejects.toMatchObject({ kind: 'closed', message: expect.stringMatching(/^Domain not found: no domain with matching name 'nosuch' \(/) });
  });
});

describe('a libvirt daemon', () => {
  it('tells of its domains', async () => {
    using libvirt = await connect({ domains: [vm, { name: 'off', uuid: uuid.replace('6', '7'), id: -1 }, { name: 'a', uuid, id: 1 }] });

    expect(await libvirt.domains()).toEqual([{ name: 'a', uuid, id: 1 }, { name: 'off', uuid: uuid.replace('6', '7'), id: undefined }, { name: 'vm7', uuid, id: 3 }]);
    await libvirt.domains('running');
    expect(double.calls.at(-1)?.payload.readInt32BE(4)).toBe(1);
  });

  it.each([['by name', 'vm7'], ['by number', '3'], ['by UUID', uuid], ['by UUID without dashes', uuid.replaceAll('-', '')]])('finds a domain %s', async (_how, named) => {
    using libvirt = await connect();

    expect(await libvirt.domain(named)).toEqual({ name: 'vm7', uuid, id: 3 });
  });

  it.each(['17', uuid])('finds a domain whose name is %s', async (name) => {
    using libvirt = await connect({ domains: [{ name, uuid: uuid.replace('6', '7'), id: 4 }] });

    expect(await libvirt.domain(name)).toMatchObject({ name });
  });

  it('is answered when it asks whether this side is there', async () => {
    using libvirt = await connect();

    double.ping();
    await expect.poll(() => double.kept.map(({ procedure }) => procedure)).toEqual([2]);
    expect(libvirt.isOpen).toBe(true);
  });

  it('keeps one answer, and no more, for a daemon that asks and asks and does not listen', async () => {
    const written: Buffer[] = [];
    const sent: (() => void)[] = [];
    const way = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        written.push(chunk);
        sent.push(done);
      },
    });
    const rpc = new Rpc(way, { onEvent: () => undefined });
    const asked = packet({ program: 0x6b65_6570, procedure: 1, serial: 0 }, 2, 0);

    for (let times = 0; times < 100; times += 1) way.push(asked);
    await expect.poll(() => way.readableLength).toBe(0);
    expect([written.length, way.writableLength]).toEqual([1, asked.length]);

    sent.shift()?.();
    way.push(asked);
    await expect.poll(() => written.length).toBe(2);
    rpc.close();
  });

  it('tells when an agent comes and goes, until nobody listens any more', async () => {
    using libvirt = await connect();
    const events: AgentEvent[] = [];
    const listening = await libvirt.onAgentEvent((event) => events.push(event));

    double.sayEvent(7, vm, 1);
    double.sayEvent(8, vm, 1);
    double.sayEvent(7, vm, 2);
    await expect.poll(() => events.map(({ domain, state }) => `${domain.name} ${state}`)).toEqual(['vm7 connected', 'vm7 disconnected']);
    listening[Symbol.dispose]();
    await expect.poll(() => double.calls.at(-1)?.procedure).toBe(317);
    double.sayEvent(7, vm, 1);
    await libvirt.domains();
    expect(events).toHaveLength(2);
  });

  it('lets somebody in whom polkit lets in', async () => {
    using libvirt = await connect({ authentication: [2], domains: [vm] });

    expect((await libvirt.domain('vm7')).id).toBe(3);
    expect(double.calls.map(({ procedure }) => procedure)).toContain(70);
  });

  it.each<readonly [string, LibvirtDoubleOptions, object]>([
    ['polkit refuses', { authentication: [2], instead: (call) => (call.procedure === 70 ? failure(call, 45, 'authentication failed: access denied by policy') : undefined) },
      { kind: 'closed', message: expect.stringContaining('member of the group libvirt') }],
    ['polkit cannot ask anybody', { authentication: [2], instead: (call) => (call.procedure === 70 ? failure(call, 94, 'authentication unavailable: no polkit agent available') : undefined) },
      { kind: 'closed', message: expect.stringContaining('become root') }],
    ['there is no polkit', { authentication: [2], instead: (call) => (call.procedure === 70 ? failure(call, 1, 'internal error: Unable to get system bus connection: Could not connect: No such file or directory') : undefined) },
      { kind: 'closed', message: 'internal error: Unable to get system bus connection: Could not connect: No such file or directory (become root, or a member of the group libvirt)' }],
    ['it wants SASL', { authentication: [1] }, { kind: 'closed', message: expect.stringContaining('SASL, which is not supported') }],
    ['it has no such driver', { instead: (call) => (call.procedure === 1 ? failure(call, 5, "no connection driver available for xen:///system") : undefined) },
      { kind: 'closed', message: expect.stringContaining('no connection driver') }],
  ])('is not connected with where %s', async (_what, options, expected) => {
    await expect(connect(options)).rejects.toMatchObject(expected);
  });

  it('is not waited for without end', async () => {
    const { uri } = await start({ instead: () => '' });

    await expect(Libvirt.connect({ uri, timeoutMs: 50 })).rejects.toMatchObject({ kind: 'timeout', message: 'the libvirt daemon did not greet within 0.05 s' });
    await expect(Libvirt.connect({ uri, signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ kind: 'aborted' });
  });

  it('is asked after a while of silence whether it is there, and given up in the end', async () => {
    using libvirt = await connect({ domains: [{ ...vm, agent: () => undefined }] });
    const domain = await libvirt.domain('vm7');
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const asked = libvirt.askAgent(domain, '{}');
      const refused = expect(asked).rejects.toMatchObject({ kind: 'closed', message: 'the libvirt daemon has said nothing for 30 s' });
      vi.advanceTimersByTime(30_000);
      await expect.poll(() => double.kept.length).toBe(6);
      vi.advanceTimersByTime(5_000);
      await refused;
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a daemon that nobody can reach', () => {
  it.each([
    ['qemu+tls://host/system', 'the transport tls is not supported: use qemu+ssh://host/system'],
    ['qemu+ssh:///system', 'it lacks the host'],
    ['qemu+ssh://-oProxyCommand=x/system', "'-oProxyCommand=x' is no host"],
    ['qemu+ssh://[-oProxyCommand=x]/system', "'[-oProxyCommand=x]' is no host"],
    ['qemu+ssh://%zz@host/system', "'%zz' has a % that stands for no byte"],
    ['qemu://host/system', 'for another host write qemu+ssh://host/system'],
    ['nonsense', 'it has the form qemu:///system or qemu+ssh://HOST/system'],
    ['qemu:///system?sockte=/x', "there is no parameter 'sockte'"],
    ["qemu+ssh://host/system?socket=/x';reboot;'", 'cannot be passed on to another host'],
    ['qemu+ssh://host/system?netcat=$(reboot)', 'cannot be passed on to another host'],
  ])('says so of %s', async (uri, why) => {
    await expect(Libvirt.connect({ uri })).rejects.toMatchObject({ kind: 'misused', message: expect.stringContaining(why) });
  });

  it('says where it looked, and what may be wrong', async () => {
    const missing = join(directory, 'none');
    await writeFile(join(directory, 'file'), '');

    await expect(Libvirt.connect({ uri: `qemu:///system?socket=${missing}` })).rejects.toMatchObject({ kind: 'closed', message: `no libvirt daemon listens at ${missing}: is virtqemud or libvirtd running?` });
    await expect(Libvirt.connect({ uri: `qemu:///system?socket=${join(directory, 'file')}` })).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining('is virtqemud or libvirtd running?') });
  });

  it('is looked for where libvirt has its sockets', () => {
    const environment = { XDG_RUNTIME_DIR: '/run/user/1000' };

    expect(libvirtPlace('qemu:///system', false).sockets).toEqual(['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock']);
    expect(libvirtPlace('qemu:///system', true).sockets).toEqual(['/run/libvirt/virtqemud-sock-ro', '/run/libvirt/libvirt-sock-ro']);
    expect(libvirtPlace('qemu:///session', false, { environment }).sockets).toEqual(['/run/user/1000/libvirt/virtqemud-sock', '/run/user/1000/libvirt/libvirt-sock']);
    expect(libvirtPlace('qemu:///session', false, { environment: { HOME: '/home/u' } }).sockets[0]).toBe('/home/u/.cache/libvirt/virtqemud-sock');
    expect(libvirtPlace('qemu+unix:///system?socket=/x', false)).toEqual({ name: 'qemu:///system', sockets: ['/x'], isNamed: true });
    expect(libvirtPlace('qemu+ssh://me@[2001:db8::1]:2222/system?keyfile=/k', false)).toMatchObject({ name: 'qemu:///system', isNamed: false, ssh: { host: '2001:db8::1', user: 'me', port: '2222', keyFile: '/k' } });
  });
});

describe('an agent behind libvirt', () => {
  it('answers through a client, which tells libvirt how long it waits', async () => {
    const waits: number[] = [];
    const { uri } = await start({ domains: [{ ...vm, agent: (request, seconds) => {
      waits.push(seconds);
      return request.includes('host-name') ? '{"return": {"host-name": "gäst"}}' : '{"return": 9007199254740993}';
    } }] });
    using client = new GuestClient(libvirtAgent('vm7', { uri }));

    expect(await client.execute('guest-get-host-name')).toEqual({ 'host-name': 'gäst' });
    expect(await client.executeRaw('guest-x', '{}', { timeoutMs: 1500 })).toBe(9007199254740993n);
    await client.executeRaw('guest-x', '{}', { timeoutMs: 0 });
    expect(waits).toEqual([5, 2, -2]);
  });

  it.each([
    [[1, "internal error: unable to execute QEMU agent command 'guest-x': The command guest-x has not been found"], { kind: 'refused', agentClass: 'CommandNotFound', message: 'The command guest-x has not been found' }],
    [[1, "internal error: unable to execute QEMU agent command 'guest-file-open': failed to open file"], { kind: 'refused', agentClass: 'GenericError' }],
    [[86, 'Guest agent is not responding: Guest agent not available for now'], { kind: 'timeout' }],
    [[86, 'Guest agent is not responding: guest agent command timed out'], { kind: 'timeout' }],
    [[86, "Guest agent is not responding: guest agent didn't respond to synchronization within '5' seconds"], { kind: 'timeout', message: "guest agent didn't respond to synchronization within '5' seconds" }],
    [[112, "guest agent command timed out: guest agent didn't respond to command within '2' seconds"], { kind: 'timeout' }],
    [[86, 'Guest agent is not responding: QEMU guest agent is not connected'], { kind: 'closed', message: expect.stringContaining('is an agent running in the guest?') }],
    [[86, 'Guest agent is not responding: QEMU guest agent is not available due to an error'], { kind: 'closed', message: expect.stringContaining('restarted') }],
    [[74, 'argument unsupported: QEMU guest agent is not configured'], { kind: 'closed', message: expect.stringContaining('org.qemu.guest_agent.0') }],
    [[55, 'Requested operation is not valid: domain is not running'], { kind: 'closed', message: expect.stringContaining('start the domain') }],
    [[29, 'operation forbidden: read only access prevents virDomainQemuAgentCommand'], { kind: 'closed', message: expect.stringContaining('read-only') }],
    [[88, "access denied: 'domain' denied access"], { kind: 'closed', message: expect.stringContaining('access rules') }],
    [[38, 'No complete agent response found in 10485760 bytes: Numerical result out of range'], { kind: 'too-large', message: expect.stringContaining('restarted') }],
    [[39, 'Unable to encode message payload'], { kind: 'too-large' }],
    [[68, 'Timed out during operation: cannot acquire state change lock'], { kind: 'timeout' }],
    [[3, 'this function is not supported by the connection driver'], { kind: 'closed', message: expect.stringContaining('QEMU driver') }],
    [[12345, 'something new'], { kind: 'closed', message: 'something new' }],
  ] as const)('that fails with %j is told by kind, and the next call goes', async ([code, message], expected) => {
    const answers: (string | readonly [number, string])[] = [[code, message], '{"return": {}}'];
    const { uri } = await start({ domains: [{ ...vm, agent: () => answers.shift() }] });
    using client = new GuestClient(libvirtAgent('vm7', { uri }));

    await expect(client.execute('guest-ping')).rejects.toMatchObject(expected);
    await client.execute('guest-ping');
    expect(double.calls.filter(({ procedure }) => procedure === 66)).toHaveLength(1);
  });

  it('is reached by concierge-ctl --libvirt', async () => {
    const { uri } = await start({ domains: [{ ...vm, agent: () => '{"return": {"name": "Debian", "kernel-release": "6.1"}}' }] });
    const printed: string[] = [];
    const stdout = new PassThrough().on('data', (chunk: Buffer) => printed.push(chunk.toString()));
    const run = (words: readonly string[], environment = {}): Promise<number> =>
      runProgram({ words, environment, version: '', stdin: new Readable({ read: () => undefined }), stdout, stderr: stdout, isWatched: false });

    expect(await run(['--libvirt', 'vm7', '--connect', uri, 'os'])).toBe(0);
    expect(await run(['os'], { CONCIERGE_LIBVIRT: uuid, LIBVIRT_DEFAULT_URI: uri })).toBe(0);
    expect(printed.join('').match(/Debian/g)).toHaveLength(2);
    expect(await run(['--libvirt', 'vm8', '--connect', uri, 'os'])).toBe(3);
  });

  it('is not asked what libvirt does not pass on', async () => {
    const { uri } = await start();
    using client = new GuestClient(libvirtAgent('vm7', { uri }));

    await expect(client.executeRaw('guest-x', JSON.stringify({ text: 'x'.repeat(4 * 1024 * 1024) }))).rejects.toMatchObject({ kind: 'too-large' });
    expect(double.calls).toEqual([]);
  });

  it('is found again when the daemon was restarted', async () => {
    const options: LibvirtDoubleOptions = { domains: [vm] };
    const { uri } = await start(options);
    using client = new GuestClient(libvirtAgent('vm7', { uri }));
    await client.execute('guest-ping');

    await double.stop();
    await expect(client.execute('guest-ping')).rejects.toMatchObject({ kind: 'closed' });
    double = await new LibvirtDouble(directory, options).start();

    await client.execute('guest-ping');
    expect(client.isOpen).toBe(true);
  });

  it('is thawed when the daemon was restarted while it was frozen', async () => {
    const commands: string[] = [];
    const agent = (request: string): string => {
      const { execute } = JSON.parse(request) as { execute: string };
      commands.push(execute);
      if (execute === 'guest-fsfreeze-status') return '{"return": "frozen"}';
      return execute.startsWith('__org') ? '{"error": {"class": "CommandNotFound", "desc": "x"}}' : '{"return": 2}';
    };
    const options: LibvirtDoubleOptions = { domains: [{ ...vm, agent }] };
    const { uri } = await start(options);
    using client = new GuestClient(libvirtAgent('vm7', { uri }));

    const result = await withFrozen(client, async ({ count }) => {
      await double.stop();
      double = await new LibvirtDouble(directory, options).start();
      return count;
    }, { reconnect: async () => new GuestClient(libvirtAgent('vm7', { uri })) }).catch((error: unknown) => error);

    expect(result).toMatchObject({ kind: 'closed' });
    expect(commands.at(-1)).toBe('guest-fsfreeze-thaw');
  });

  it('that does not answer in time is given up, and its late answer passed over', async () => {
    let late: (() => void) | undefined;
    const { uri } = await start({ domains: [vm], instead: (call, daemon) => {
      if (call.program !== 0x2000_8087 || late !== undefined) return undefined;
      late = () => daemon.say(reply(call, Buffer.concat([Buffer.from([0, 0, 0, 1]), text('{"return": "late"}')])));
      return '';
    } });
    using client = new GuestClient(libvirtAgent('vm7', { uri }));

    await expect(client.execute('guest-ping', {}, { timeoutMs: 100 })).rejects.toMatchObject({ kind: 'timeout' });
    late?.();

    expect(await client.execute('guest-ping')).toBeUndefined();
    expect(double.calls.filter(({ procedure }) => procedure === 66)).toHaveLength(1);
  });

  it('shares a connection, which stays open when a client of it is closed', async () => {
    using libvirt = await connect({ domains: [vm, { ...vm, name: 'vm8' }] });
    {
      using one = new GuestClient(libvirtAgent('vm7', { libvirt }));
      using other = new GuestClient(libvirtAgent('vm8', { libvirt }));
      expect(await Promise.all([one.execute('guest-ping'), other.execute('guest-ping')])).toEqual([undefined, undefined]);
    }

    expect(libvirt.isOpen).toBe(true);
    expect(double.calls.filter(({ procedure }) => procedure === 66)).toHaveLength(1);
  });
});

describe('a daemon that sends anything', () => {
  it.each<readonly [string, (call: Parameters<NonNullable<LibvirtDoubleOptions['instead']>>[0]) => Buffer]>([
    ['a packet that is too short', () => Buffer.from([0, 0, 0, 5, 0, 0, 0, 0])],
    ['a packet that is too long', () => Buffer.from([0x7f, 0xff, 0xff, 0xff])],
    ['an answer to another call', (call) => packet({ ...call, serial: call.serial + 9 }, 1, 0)],
    ['an answer of another procedure', (call) => packet({ ...call, procedure: 99 }, 1, 0)],
    ['a call', (call) => packet(call, 0, 0)],
    ['a status that there is not', (call) => packet(call, 1, 7)],
  ])('ends the connection by %s', async (_what, instead) => {
    using libvirt = await connect({ instead: (call) => (call.procedure === 273 ? instead(call) : undefined) });

    await expect(libvirt.domains()).rejects.toMatchObject({ kind: 'garbage' });
    expect(libvirt.isOpen).toBe(false);
  });

  it.each<readonly [string, Buffer]>([
    ['a list longer than its packet', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
    ['a negative list', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['a name longer than its packet', Buffer.from([0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xf0, ...Buffer.alloc(24)])],
    ['a name of negative length', Buffer.from([0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, ...Buffer.alloc(24)])],
    ['nothing', Buffer.alloc(0)],
  ])('fails the call by %s', async (_what, payload) => {
    using libvirt = await connect({ instead: (call) => (call.procedure === 273 ? reply(call, payload) : undefined) });

    await expect(libvirt.domains()).rejects.toMatchObject({ kind: 'garbage' });
    expect(libvirt.isOpen).toBe(true);
  });

  it('takes no more memory than it was sent, whatever the pieces', async () => {
    using libvirt = await connect({ instead: (call, daemon) => {
      if (call.procedure !== 273) return undefined;
      for (const byte of reply(call, Buffer.alloc(8))) daemon.say(Buffer.of(byte));
      return '';
    } });

    expect(await libvirt.domains()).toEqual([]);
  });

  it('never brings more than a ClientError', async () => {
    let bytes = Buffer.alloc(0);
    await start({ instead: (call) => (call.procedure === 273 ? bytes : undefined) });

    await assert(asyncProperty(uint8Array({ maxLength: 200 }), boolean(), async (given, framed) => {
      bytes = Buffer.from(given);
      if (framed) bytes = Buffer.concat([new XdrWriter().int(given.length + 4).bytes(), bytes]);
      using libvirt = await Libvirt.connect({ uri: double.uri });
      const result = await libvirt.domains(undefined, AbortSignal.timeout(10)).catch((error: unknown) => error);
      expect(result).toMatchObject({ kind: expect.stringMatching(/garbage|closed|aborted/) });
    }), { numRuns: 60 });
  });
});

describe('a daemon behind ssh', () => {
  /** In the place of ssh: runs what the other host would run, here. */
  async function ssh(script: string): Promise<string> {
    const path = join(directory, 'ssh');
    await writeFile(path, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
    return path;
  }

  it('is reached through the netcat of the other host', async () => {
    await start();
    const netcat = join(directory, 'netcat');
    await writeFile(netcat, `#!${process.execPath}\nconst socket = require('node:net').connect(process.argv[3]);\nprocess.stdin.pipe(socket).pipe(process.stdout);\n`);
    await chmod(netcat, 0o755);
    const command = await ssh(`echo "$@" >${directory}/words; eval "\${10}"`);

    using client = new GuestClient(libvirtAgent('vm7', { uri: `qemu+ssh://me@far:2222/system?command=${command}&netcat=${netcat}&socket=${double.path}` }), { timeoutMs: 20_000 });

    expect(await client.execute('guest-ping')).toBeUndefined();
  });

  it('is told of in the words of ssh when it is not reached', async () => {
    const command = await ssh('echo "me@far: Permission denied (publickey)." >&2; exit 255');

    await expect(Libvirt.connect({ uri: `qemu+ssh://far/system?command=${command}` })).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining('Permission denied (publickey)') });
    await expect(Libvirt.connect({ uri: 'qemu+ssh://far/system?command=/no/ssh' })).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining('there is no program /no/ssh') });
  });
});
