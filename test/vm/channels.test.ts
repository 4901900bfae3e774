// SPDX-License-Identifier: Apache-2.0
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AgentUnit, type Footprint } from './lab/agent-unit.ts';
import { explainFailures } from './lab/explain.ts';
import { installPackages } from './lab/host.ts';
import { lacking } from './lab/lacking.ts';
import { kept } from './lab/keeper.ts';
import type { LineSocket } from './lab/line-socket.ts';
import { AGENT_PORT, Machine } from './lab/machine.ts';
import { observe } from './lab/observed.ts';
import { AGENT, agentPayload } from './lab/payload.ts';
import { random, seed } from './lab/random.ts';
import { beforeAnnouncement, BUFFERS, wearOut } from './lab/rude-hosts.ts';

const missing = lacking();

describe.skipIf(missing !== undefined)(`our agent's channels in a machine${missing === undefined ? '' : ` (${missing})`}`, () => {
  let machine: Machine;
  let agent: AgentUnit;

  beforeAll(async () => {
    await installPackages();
    machine = await Machine.boot({ payload: await agentPayload() });
  });
  explainFailures(() => machine);
  afterEach(() => machine?.leave());
  afterAll(async () => machine?.destroy());

  async function ask(host: LineSocket, request: string): Promise<unknown> {
    host.send(`${request}\n`);
    return JSON.parse(await host.line());
  }

  /** What libvirt does not, but Proxmox does: whatever the port still holds for hosts before this one ends at the sentinel. */
  async function synchronize(host: LineSocket, id: number, within?: number): Promise<void> {
    host.send(`\xff{"execute":"guest-sync-delimited","arguments":{"id":${id}}}\n`);
    let line = await host.line(within);
    while (!line.includes(`\xff{"return": ${id}}`)) line = await host.line(within);
  }

  /** Resolves once the host has been sent more than so many bytes. */
  function moreThan(host: LineSocket, bytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let count = 0;
    host.socket.on('data', (text: string) => {
      count += text.length;
      if (count > bytes) resolve();
    });
    return promise;
  }

  /** Resolves once the agent has nothing left to do. */
  async function rests(): Promise<Footprint> {
    for (let before = await agent.footprint(); ; ) {
      const now = await agent.footprint();
      if (now.switches === before.switches) return now;
      before = now;
    }
  }

  it('says who has the port when it is busy', async () => {
    const { status, output } = await machine.shell.try(`${AGENT} -t /run/busy`);

    const reference = await machine.shell.run('systemctl show -P MainPID qemu-guest-agent');
    expect(status).toBe(1);
    expect(output).toContain(
      `error opening channel '/dev/virtio-ports/${AGENT_PORT}': Device or resource busy (process ${reference} (qemu-ga) has it open: only one agent can, stop the other)`,
    );
  });

  it('waits for a busy port when it is told to retry, and answers once it has it', async () => {
    agent = await AgentUnit.start(machine.shell, 'concierge', '--retry-path');
    await machine.shell.run('systemctl stop qemu-guest-agent && systemctl mask --quiet --runtime qemu-guest-agent');
    const host = await machine.agent();

    expect(await ask(host, '{"execute":"guest-sync","arguments":{"id":1}}')).toEqual({ return: 1 });
    host.close();
  });

  // Before the others: work makes garbage, and V8 takes minutes of idleness to tidy it away in steps.
  it.each([
    ['with', true],
    ['without', false],
  ])('makes no system call while it is idle %s a host', async (_, connected) => {
    const host = await machine.agent();
    await ask(host, '{"execute":"guest-ping"}');
    if (!connected) host.close();
    const pid = await agent.processId();

    // Threads for files end themselves after ten seconds without work, and V8 tidies its heap a few times.
    let calls = 'not yet';
    let switches = Infinity;
    for (let window = 0; (calls !== '' || switches !== 0) && window < 12; window += 1) {
      const before = await agent.footprint();
      await machine.shell.run('sleep 10');
      switches = (await agent.footprint()).switches - before.switches;
      // strace itself stops and wakes every thread.
      if (switches === 0) calls = await machine.shell.run(`timeout 10 strace -f -c -p ${pid} 2>&1 | grep -v -e attached -e detached || true`);
    }

    expect(switches).toBe(0);
    expect(calls).toBe('');
    host.close();
  });

  it('answers the next host after each of a hundred that left in the middle of a request', async () => {
    let host = await machine.agent();
    await ask(host, '{"execute":"guest-ping"}');
    const before = await rests();

    for (let round = 0; round < 100; round += 1) {
      host.send('{"execute":"guest-file-open","arguments":{"path":"/etc/pas');
      host.close();
      host = await machine.agent();
      expect(await ask(host, `{"execute":"guest-sync","arguments":{"id":${round}}}`)).toEqual({ return: round });
    }
    host.close();

    const after = await rests();
    expect(after.descriptors).toBe(before.descriptors);
    expect(after.kilobytes).toBeLessThan(before.kilobytes + 8192);
  });

  it('answers the next host after each of a hundred that left in the middle of an answer', async () => {
    await machine.shell.run('head -c 3000000 /dev/zero > /run/large');
    for (let round = 0; round < 100; round += 1) {
      const rude = await machine.agent();
      const opened = (await ask(rude, '{"execute":"guest-file-open","arguments":{"path":"/run/large"}}')) as { return: number };
      rude.send(`{"execute":"guest-file-read","arguments":{"handle":${opened.return},"count":3000000}}\n`);
      await new Promise((resolve) => {
        rude.socket.once('data', resolve);
      });
      rude.close();

      const polite = await machine.agent();
      await synchronize(polite, round);
      await ask(polite, `{"execute":"guest-file-close","arguments":{"handle":${opened.return}}}`);
      polite.close();
    }
    expect((await rests()).kilobytes).toBeLessThan(100_000);
  });

  /** Resolves once one of the hosts that come one after the other, each of which waits two seconds, has had its answer. */
  async function hastyHosts(): Promise<void> {
    for (let turn = 0; ; turn += 1) {
      try {
        return await synchronize(await machine.agent(), turn, 2_000);
      } catch (error) {
        if (turn === 100) throw error;
      }
    }
  }

  async function unplug(): Promise<void> {
    await machine.qmp.execute('device_del', { id: 'agentport' });
    await machine.qmp.event('DEVICE_DELETED');
  }

  const plugIn = (): Promise<unknown> =>
    machine.qmp.execute('device_add', { driver: 'virtserialport', bus: 'ports.0', nr: 1, chardev: 'agent', id: 'agentport', name: AGENT_PORT });

  async function plugInAgain(): Promise<void> {
    await unplug();
    await plugIn();
  }

  it.each([
    ['hosts that do not wait long', () => hastyHosts()],
    [
      'a host whose request comes before it is announced',
      (pid: string) => beforeAnnouncement(machine, pid, async () => synchronize(await machine.agent(), 4711)),
    ],
    [
      'a host of the port plugged in again, its buffers still lost,',
      async () => {
        await plugInAgain();
        await synchronize(await machine.agent(), 4711);
      },
    ],
  ])('answers %s after others have worn out the port, and stays the same process', async (_, come) => {
    const pid = await agent.processId();

    await wearOut(machine);
    machine.leave();
    await come(pid);

    const resets = (await agent.journal()).match(/its device is reset/g) ?? [];
    console.log(`the port's device was reset ${resets.length} times`);
    observe('a port after 384 hosts that left an answer unread', resets.length > 0 ? 'worn out, repaired by a reset of its device' : 'goes on, no reset was needed');
    expect(await agent.processId()).toBe(pid);
  });

  it('answers in full where others have left the port a single buffer', async () => {
    await wearOut(machine, BUFFERS - 1);
    const host = await machine.agent();
    await synchronize(host, 4712);
    const { return: handle } = (await ask(host, '{"execute":"guest-file-open","arguments":{"path":"/dev/zero"}}')) as { return: number };

    for (let round = 0; round < 400; round += 1) {
      const answer = await ask(host, `{"execute":"guest-file-read","arguments":{"handle":${handle},"count":1000000}}`);
      expect(answer).toMatchObject({ return: { count: 1_000_000 } });
    }
    host.close();
  });

  it(`answers the next host after each of a thousand that left at any moment, and holds no more than before (CONCIERGE_SEED=${seed})`, async () => {
    const setUp = await machine.agent();
    const { return: handle } = (await ask(setUp, '{"execute":"guest-file-open","arguments":{"path":"/dev/zero"}}')) as { return: number };
    const conversation = [
      '\xff{"execute":"guest-sync-delimited","arguments":{"id":1}}',
      '{"execute":"guest-info"}',
      '{"execute":"guest-network-get-interfaces"}',
      `{"execute":"guest-file-read","arguments":{"handle":${handle},"count":90000}}`,
      '{"execute":"guest-get-osinfo"}',
      '',
    ].join('\n');
    const pid = await agent.processId();
    const draw = random();
    const moments: readonly ((host: LineSocket) => Promise<unknown> | void)[] = [
      // Before the agent has read a part of a request, or several.
      (host) => host.send(conversation.slice(0, draw(conversation.length))),
      // While it works on one, or has none.
      (host) => {
        host.send(conversation.slice(0, draw(conversation.length)));
        return wait(draw(30));
      },
      // While it answers.
      (host) => {
        const begun = moreThan(host, draw(120_000));
        host.send(conversation);
        return begun;
      },
    ];
    let warm = await rests();

    for (let round = 0; round < 1000; round += 1) {
      // By then V8's heap has the size that the work needs.
      if (round === 300) warm = await rests();
      const rude = await machine.agent();
      await moments[draw(moments.length)]?.(rude);
      rude.close();

      await synchronize(await machine.agent(), round + 100);
    }

    const after = await rests();
    console.log(`after 300 rounds ${warm.kilobytes} KiB anonymous and ${warm.descriptors} descriptors, after 1000 ${after.kilobytes} KiB and ${after.descriptors}`);
    expect(await agent.processId()).toBe(pid);
    expect(after.descriptors).toBe(warm.descriptors);
    expect(after.kilobytes).toBeLessThan(warm.kilobytes + 8192);
  });

  it('answers two requests in one write, in order', async () => {
    const host = await machine.agent();

    host.send('{"arguments":{"id":77},"execute":"guest-sync-delimited"}\n{"execute":"guest-ping"}\n');

    expect(await host.line()).toBe('\xff{"return": 77}');
    expect(await host.line()).toBe('{"return": {}}');
    host.close();
  });

  it('holds little for a host that does not read, and goes on when it does', async () => {
    const host = await machine.agent();
    const opened = (await ask(host, '{"execute":"guest-file-open","arguments":{"path":"/dev/zero"}}')) as { return: number };
    const before = await rests();
    host.socket.pause();

    host.send(`{"execute":"guest-file-read","arguments":{"handle":${opened.return},"count":16000000}}\n`);
    const while_ = await rests();
    host.socket.resume();
    const answer = JSON.parse(await host.line()) as { return: { count: number } };

    expect(while_.kilobytes).toBeLessThan(before.kilobytes + 16_384);
    expect(answer.return.count).toBe(16_000_000);
    host.close();
  });

  it('survives unplugging of its port and answers when it is plugged in again', async () => {
    await plugInAgain();
    const host = await machine.agent();

    expect(await ask(host, '{"execute":"guest-ping"}')).toEqual({ return: {} });
    expect(await machine.shell.run('systemctl is-active concierge')).toBe('active');
    host.close();
  });

  it('ends with an error when its port is unplugged and it is not told to retry', async () => {
    await agent.stop();
    const once = await AgentUnit.start(machine.shell, 'once', '');

    // Until QEMU has let go of it: an event that is left would tell the next who unplugs too early.
    await unplug();
    await machine.shell.until('[[ $(systemctl show -P ActiveState once) == @(failed|inactive) ]]');

    expect(await machine.shell.run('systemctl show -P ActiveState once')).toBe('failed');
    expect(await once.journal()).toContain(`error reading channel '/dev/virtio-ports/${AGENT_PORT}': No such device`);
  });

  it('answers on a serial line', async () => {
    // The line has no notion of a host: what is sent before it is opened is lost.
    await AgentUnit.start(machine.shell, 'serial', '-m isa-serial -p /dev/ttyS1');
    const host = await machine.serial();

    expect(await ask(host, '{"execute":"guest-sync","arguments":{"id":5}}')).toEqual({ return: 5 });
    host.close();
  });

  it('serves its line while the port of its other channel is unplugged, in its sleep where it has a keeper, and both when it is back', async () => {
    const exec = '{"execute":"guest-exec","arguments":{"path":"/bin/true"}}';
    await machine.shell.run("systemctl stop concierge once serial qemu-guest-agent || true; printf '[channel line]\\nmethod=isa-serial\\npath=/dev/ttyS1\\nprofile=observe\\n' >/run/several.conf");
    if ((await machine.shell.try(`test -e /dev/virtio-ports/${AGENT_PORT}`)).status !== 0) await plugIn();
    const several = await AgentUnit.start(machine.shell, 'several', '-v --retry-path -c /run/several.conf');
    // A host that comes lets the one before it go, whatever their channels are.
    await synchronize(await machine.agent(), 6);
    expect(await ask(await machine.serial(), exec)).toMatchObject({ error: { class: 'CommandNotFound' } });
    machine.leave();
    if (kept) await machine.shell.until('journalctl -q -o cat -u several | grep -q "debug: asleep"');

    await unplug();

    expect(await ask(await machine.serial(), '{"execute":"guest-sync","arguments":{"id":8}}')).toEqual({ return: 8 });
    await plugIn();
    const again = await machine.agent();
    await synchronize(again, 9);
    expect(await ask(again, exec)).toMatchObject({ return: { pid: expect.any(Number) as number } });
    expect(await ask(await machine.serial(), exec)).toMatchObject({ error: { class: 'CommandNotFound' } });
    await several.stop();
  });

  it('refuses everybody but the host on vsock', async () => {
    await machine.shell.run('modprobe -a vsock vsock_loopback');
    const vsock = await AgentUnit.start(machine.shell, 'vsock', '-v -m vsock-listen -p 4294967295:1234');

    const { output } = await machine.shell.try(`echo '{"execute":"guest-ping"}' | timeout 60 socat -t 30 - VSOCK-CONNECT:1:1234`);

    expect(output).not.toContain('return');
    expect(await vsock.journal()).toMatch(/CID 1 port \d+ is refused: only the host may talk to the agent/);
  });
});
