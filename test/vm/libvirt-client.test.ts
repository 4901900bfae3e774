// SPDX-License-Identifier: Apache-2.0
/** The client's own libvirt RPC against a real daemon and a real guest. */
import { EventEmitter, once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { runProgram } from '../../client/cli/program.ts';
import { byCommand, exec, GuestClient, Libvirt, libvirtAgent, readFile, terminal, withFrozen, writeFile, type AgentEvent } from '../../client/index.ts';
import { AgentUnit } from './lab/agent-unit.ts';
import { explainFailures } from './lab/explain.ts';
import { installPackages } from './lab/host.ts';
import { lacking } from './lab/lacking.ts';
import { libvirtRows, type HostSide, type LibvirtRow, type Told } from './lab/libvirt-rows.ts';
import { Libvirt as Daemon, type Domain } from './lab/libvirt.ts';
import { screenOf, type OnTerminal } from './lab/on-terminal.ts';
import { agentPayload } from './lab/payload.ts';
import { terminalPackages } from './lab/terminal-packages.ts';
import { conversesWith, terminalPrograms, userOfSudo } from './lab/terminal-programs.ts';

const missing = lacking();
/** libvirt's own first wait is five seconds, which an emulated guest on a busy machine may miss. */
const PATIENT = 120_000;
const SETUP = 600_000;

const bare = (name: string, channel: string): string => `<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os><devices>${channel}<memballoon model='none'/></devices></domain>`;
const channel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";

const hasTerminals = process.env['CONCIERGE_TEST_VM_TERMINALS'] === '1';

/** Rows of the table for this agent, each with the name of a test. */
const rowsOf = (agent: LibvirtRow['agent']): [string, LibvirtRow][] =>
  Object.entries(libvirtRows).flatMap(([name, rows]) => rows.filter((row) => row.agent === agent).map((row, index): [string, LibvirtRow] => [index === 0 ? name : `${name} (${index + 1})`, row]));

describe.skipIf(missing !== undefined)(`the client with libvirt${missing === undefined ? '' : ` (${missing})`}`, () => {
  let daemon: Daemon;
  let guest: Domain;
  let libvirt: Libvirt;
  let client: GuestClient;
  let directory: string;
  const events: AgentEvent[] = [];
  const over = (name: string, timeoutMs = PATIENT): GuestClient => new GuestClient(libvirtAgent(name, { libvirt }), { timeoutMs });

  const toGuest = (words: readonly string[], stdin: Readable, stdout: PassThrough, isTyped = false): Promise<number> =>
    runProgram({ words: ['--libvirt', 'guest', '--timeout', '120', ...words], environment: {}, version: '', stdin, stdout, stderr: stdout, isWatched: false, isTyped, isScreen: isTyped });

  async function ctl(words: readonly string[], input?: string): Promise<Told> {
    const stdout = new PassThrough();
    const [status, text] = await Promise.all([
      toGuest(words, input === undefined ? new Readable({ read: () => undefined }) : Readable.from([Buffer.from(input)]), stdout).finally(() => stdout.end()),
      buffer(stdout),
    ]);
    return { status, text: text.toString() };
  }

  function onTerminal(words: readonly string[]): OnTerminal {
    const [keys, stdout] = [new PassThrough(), new PassThrough()];
    return { ...screenOf(stdout, PATIENT), type: (typed) => void keys.write(typed), ended: toGuest(words, keys, stdout, true) };
  }

  async function tunnel(to: string): Promise<{ port: number; end: () => Promise<number> }> {
    const [signals, stdout] = [new EventEmitter(), new PassThrough()];
    const ended = runProgram({
      words: ['--libvirt', 'guest', '--timeout', '120', '--json', 'tunnel', `0:${to}`], environment: {}, version: '', stdin: new PassThrough(), stdout, stderr: new PassThrough().resume(), isWatched: false, signals,
    });
    const [line] = (await Promise.race([once(stdout, 'data'), ended.then((status) => { throw new Error(`the tunnel ended with ${status}`); })])) as [Buffer];
    const [, port] = /:(\d+)$/.exec((JSON.parse(line.toString()) as { listen: string }).listen) ?? [];
    return { port: Number(port), end: () => (signals.emit('SIGINT'), ended) };
  }

  const eventually: HostSide['eventually'] = async (assertion) => {
    await vi.waitFor(assertion, { timeout: PATIENT, interval: 200 });
  };

  async function onceAnswered(of = client): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await of.execute('guest-ping');
      } catch (error) {
        if (attempt > 200) throw error;
        await wait(500);
      }
    }
  }

  beforeAll(async () => {
    await installPackages();
    directory = mkdtempSync(join(tmpdir(), 'concierge-libvirt-client-'));
    daemon = await Daemon.start();
    const payload = await agentPayload();
    const installing = hasTerminals ? await terminalPackages(payload) : undefined;
    guest = await daemon.domain('guest', { payload });
    if (installing !== undefined) await guest.shell.run(`${installing} && ${userOfSudo}`);
    for (const [name, device, verb] of [['silent', channel, 'create'], ['without', '', 'create'], ['off', channel, 'define']] as const) {
      writeFileSync(join(directory, `${name}.xml`), bare(name, device));
      await daemon.virsh(verb, join(directory, `${name}.xml`));
    }
    libvirt = await Libvirt.connect();
    await libvirt.onAgentEvent((event) => events.push(event));
    client = over('guest');
    await guest.shell.run('systemctl start qemu-guest-agent');
    await onceAnswered();
  }, SETUP);
  explainFailures(() => guest);
  afterAll(async () => {
    libvirt?.close();
    await daemon?.virsh('undefine', 'off').catch(() => undefined);
    await daemon?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('lists and finds domains', async () => {
    const all = await libvirt.domains();
    const { uuid = '', id } = all.find(({ name }) => name === 'guest') ?? {};

    expect(all.map(({ name }) => name)).toEqual(['guest', 'off', 'silent', 'without']);
    expect((await libvirt.domains('running')).map(({ name }) => name)).toEqual(['guest', 'silent', 'without']);
    for (const named of ['guest', uuid, String(id)]) expect((await libvirt.domain(named)).name).toBe('guest');
  });

  it('has answers and refusals of the agent', async () => {
    expect((await client.execute('guest-get-host-name'))['host-name']).toBe('guest');
    await expect(client.execute('guest-file-open', { path: '/no/such' })).rejects.toMatchObject({ kind: 'refused', agentClass: 'GenericError', message: expect.stringContaining('No such file') });
    await expect(client.executeRaw('guest-no-such')).rejects.toMatchObject({ kind: 'refused', agentClass: 'CommandNotFound' });
  });

  it('copies files in both directions and runs a program', async () => {
    const bytes = Buffer.alloc(100_000, 'libvirt ');
    await pipeline(Readable.from([bytes]), writeFile(client, '/tmp/copied', { pieceBytes: 30_000 }));

    expect((await buffer(readFile(client, '/tmp/copied'))).equals(bytes)).toBe(true);
    expect((await exec(client, 'echo', { arguments: ['inside'] })).stdout.toString()).toBe('inside\n');
  });

  it('freezes around some work', async () => {
    const held = await withFrozen(client, async ({ count, check }) => {
      await check();
      return count;
    });

    expect(held).toBeGreaterThan(0n);
    expect(await client.execute('guest-fsfreeze-status')).toBe('thawed');
  });

  it.each(rowsOf('any'))('does %s by concierge-ctl', async (_name, { shows }) => {
    await shows({ ctl, onTerminal, tunnel, directory, eventually });
  });

  describe('where the guest has our own agent', () => {
    let agent: AgentUnit;

    beforeAll(async () => {
      await guest.shell.run('mkdir -p /payload && mount -o ro /dev/disk/by-id/virtio-payload /payload; systemctl mask --quiet --runtime --now qemu-guest-agent');
      agent = await AgentUnit.start(guest.shell, 'concierge', '--retry-path');
      await onceAnswered();
    }, SETUP);
    afterAll(async () => {
      await agent.stop();
      await guest.shell.run('systemctl unmask --quiet --runtime qemu-guest-agent && systemctl start qemu-guest-agent');
      await onceAnswered();
    }, SETUP);

    it.each(rowsOf('ours'))('does %s by concierge-ctl', async (_name, { shows }) => {
      await shows({ ctl, onTerminal, tunnel, directory, eventually });
    });

    const ways: [string, () => GuestClient][] = [
      ['libvirt', () => over('guest')],
      ['virsh qemu-agent-command', () => new GuestClient(byCommand(['virsh', '-c', 'qemu:///system', 'qemu-agent-command', '--timeout', '120', 'guest']), { timeoutMs: PATIENT })],
    ];

    it.skipIf(!hasTerminals).each(ways.flatMap(([name, open]) => Object.keys(terminalPrograms).map((program) => [program, name, open] as const)))(
      'has %s on a terminal by %s (needs CONCIERGE_TEST_VM_TERMINALS=1)',
      async (program, _name, open) => {
        using own = open();
        await guest.shell.run('rm -f /tmp/edited');
        const row = terminalPrograms[program];
        if (row !== undefined) await conversesWith(own, row, PATIENT);
      },
    );

    // Opt-in: a conversation of many steps with an emulated guest.
    it.skipIf(!hasTerminals).each(ways)('has a shell on a terminal by %s: its size, Ctrl-C, Ctrl-Z, Ctrl-\\, UTF-8 and all 256 bytes (needs CONCIERGE_TEST_VM_TERMINALS=1)', async (_name, open) => {
      using own = open();
      const size = { rows: 24, columns: 80 };
      const shell = terminal(own, '/bin/bash', ['--norc', '--noprofile', '--noediting', '-i'], { ...size, env: { PS1: '> ', HISTFILE: undefined } });
      const screen = screenOf(shell.stdout, PATIENT);
      const type = (keys: string): void => void shell.stdin?.write(keys);

      await screen.until('> ');
      type('stty size\n');
      await screen.until('24 80\r\n> ');
      await shell.resize(50, 132);
      type('stty size\n');
      await screen.until('50 132\r\n> ');
      type('echo "äö€"\n');
      await screen.until(`\n${Buffer.from('äö€').toString('latin1')}\r\n> `);
      type('cat\n');
      type('x\n');
      await screen.until('x\r\nx\r\n');
      type('\u0003');
      await screen.until('> ');
      type('echo $?\n');
      await screen.until('\n130\r\n> ');
      type('cat\n');
      type('y\n');
      await screen.until('y\r\ny\r\n');
      type('\u001a');
      await screen.until('Stopped');
      await screen.until('\r\n> ');
      type('fg\n');
      await screen.until('fg\r\ncat\r\n');
      type('z\n');
      await screen.until('z\r\nz\r\n');
      type('\u001c');
      await screen.until('Quit');
      const closed = new Promise((resolve) => void shell.once('close', (...how) => resolve(how)));
      type('exit 7\n');
      expect(await closed).toEqual([7, null]);

      const bytes = Buffer.from(Array.from({ length: 1024 }, (_, index) => index & 0xff));
      const echo = terminal(own, '/bin/sh', ['-c', `stty raw -echo; echo ready; exec head -c ${bytes.length}`], size);
      const raw = screenOf(echo.stdout, PATIENT);
      await raw.until('ready\n');
      echo.stdin?.write(bytes);
      await raw.until(bytes.toString('latin1'));
      echo.detach();
    });
  });

  it.each([
    ['silent', { kind: 'closed', message: expect.stringContaining('is an agent running in the guest?') }],
    ['without', { kind: 'closed', message: expect.stringContaining('org.qemu.guest_agent.0') }],
    ['off', { kind: 'closed', message: expect.stringContaining('start the domain') }],
    ['no-such', { kind: 'closed', message: expect.stringContaining("no domain with matching name 'no-such'") }],
  ])('says what is wrong with %s', async (name, expected) => {
    await expect(over(name).execute('guest-ping')).rejects.toMatchObject(expected);
    expect(libvirt.isOpen).toBe(true);
  });

  it('reads by the read-only socket, which refuses commands for the agent', async () => {
    using readOnly = await Libvirt.connect({ readOnly: true });

    expect((await readOnly.domain('guest')).name).toBe('guest');
    await expect(new GuestClient(libvirtAgent('guest', { libvirt: readOnly })).execute('guest-ping')).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining('read-only') });
  });

  it('is reached as behind ssh, by the helper that libvirt has there', async () => {
    const ssh = join(directory, 'ssh');
    // What the other host's shell would be given.
    writeFileSync(ssh, '#!/bin/sh\nfor last; do :; done\neval "$last"\n', { mode: 0o755 });
    using far = await Libvirt.connect({ uri: `qemu+ssh://host/system?command=${ssh}` });

    expect((await far.domains('running')).map(({ name }) => name)).toContain('guest');
    expect((await new GuestClient(libvirtAgent('guest', { libvirt: far }), { timeoutMs: PATIENT }).execute('guest-get-host-name'))['host-name']).toBe('guest');
  });

  it('says that this user has no rights', async () => {
    chmodSync('/run/libvirt/libvirt-sock', 0o700);
    process.seteuid?.(65_534);
    const refused = await Libvirt.connect().catch((error: unknown) => error);
    process.seteuid?.(0);
    chmodSync('/run/libvirt/libvirt-sock', 0o777);

    expect(refused).toMatchObject({ kind: 'closed', message: expect.stringContaining('member of the group libvirt') });
  });

  it('takes an answer beyond 4 MiB for too large, and the connection is good', async () => {
    await guest.shell.run('dd if=/dev/zero of=/tmp/large bs=1M count=16 status=none');
    const handle = await client.execute('guest-file-open', { path: '/tmp/large' });

    await expect(client.execute('guest-file-read', { handle, count: 3_500_000 })).rejects.toMatchObject({ kind: 'too-large' });
    expect((await client.execute('guest-file-read', { handle, count: 2_500_000 })).count).toBe(2_500_000n);
    expect(libvirt.isOpen).toBe(true);
  });

  it('hears when the agent goes and comes', async () => {
    events.length = 0;
    await guest.shell.run('systemctl stop qemu-guest-agent');
    await expect.poll(() => events.at(-1)?.state, { timeout: PATIENT }).toBe('disconnected');
    await expect(client.execute('guest-ping')).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining('not connected') });
    await guest.shell.run('systemctl start qemu-guest-agent');
    await expect.poll(() => events.at(-1)?.state, { timeout: PATIENT }).toBe('connected');
    await onceAnswered();

    expect(events.every(({ domain }) => domain.name === 'guest')).toBe(true);
  });

  it('gives an agent up that does not answer, and has it back', async () => {
    await guest.shell.run('kill -STOP $(pidof qemu-ga)');
    await expect(client.execute('guest-ping', {}, { timeoutMs: 2000 })).rejects.toMatchObject({ kind: 'timeout' });
    await expect(client.execute('guest-ping', {}, { timeoutMs: 20_000 })).rejects.toMatchObject({ kind: 'timeout' });
    await guest.shell.run('kill -CONT $(pidof qemu-ga)');

    await onceAnswered();
  });

  it('survives a domain that is shut down in the middle of a call', async () => {
    await guest.shell.run('kill -STOP $(pidof qemu-ga)');
    const waiting = expect(client.execute('guest-ping', {}, { timeoutMs: 60_000 })).rejects.toMatchObject({ kind: expect.stringMatching(/closed|timeout/) });
    await wait(500);
    await daemon.virsh('destroy', 'guest');

    await waiting;
    await expect(client.execute('guest-ping')).rejects.toMatchObject({ kind: 'closed' });
    expect(libvirt.isOpen).toBe(true);
  });

  // A guest of its own: whether libvirt finds the agent again depends on what lies in the port.
  it('says that the agent must be restarted after an answer beyond 10 MiB', async () => {
    const other = await daemon.domain('large', { payload: await agentPayload() });
    await other.shell.run('systemctl start qemu-guest-agent; dd if=/dev/zero of=/tmp/large bs=1M count=16 status=none');
    using large = over('large');
    await onceAnswered(large);
    const handle = await large.execute('guest-file-open', { path: '/tmp/large' });

    await expect(large.execute('guest-file-read', { handle, count: 9_000_000 })).rejects.toMatchObject({ kind: 'too-large', message: expect.stringContaining('restarted') });
    await expect(large.execute('guest-ping')).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining('restarted') });
    expect(libvirt.isOpen).toBe(true);
  });

  it('finds a daemon that was restarted', async () => {
    using own = new GuestClient(libvirtAgent('silent'));
    await expect(own.execute('guest-ping')).rejects.toMatchObject({ message: expect.stringContaining('not connected') });
    await daemon.restart();

    await expect(libvirt.domains()).rejects.toMatchObject({ kind: 'closed' });
    // The first call finds the old connection gone, or the new daemon.
    await own.execute('guest-ping').catch(() => undefined);
    await expect(own.execute('guest-ping')).rejects.toMatchObject({ message: expect.stringContaining('not connected') });
  });
});
