import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { installPackages, missingForLab } from './lab/host.ts';
import type { LineSocket } from './lab/line-socket.ts';
import { AGENT_PORT, Machine } from './lab/machine.ts';
import { AGENT, agentPayload } from './lab/payload.ts';

const missing = missingForLab();

describe.skipIf(missing !== undefined)(`our agent's channels in a machine${missing === undefined ? '' : ` (${missing})`}`, () => {
  let machine: Machine;
  const unit = (name: string, flags: string): Promise<string> =>
    machine.shell.run(`systemd-run --quiet --unit=${name} --property=StandardError=journal ${AGENT} -t /run/${name} ${flags}`);
  const process = (name: string): Promise<string> => machine.shell.run(`systemctl show -P MainPID ${name}`);
  /** What the process holds: kilobytes of anonymous memory, and descriptors. */
  const held = async (name: string): Promise<{ kilobytes: number; descriptors: number }> => {
    const pid = await process(name);
    const [kilobytes, descriptors] = (await machine.shell.run(`grep -oP 'RssAnon:\\s+\\K\\d+' /proc/${pid}/status; ls /proc/${pid}/fd | wc -l`)).split('\n');
    return { kilobytes: Number(kilobytes), descriptors: Number(descriptors) };
  };

  beforeAll(async () => {
    await installPackages();
    machine = await Machine.boot({ payload: await agentPayload() });
  });
  afterEach(() => machine?.leave());
  afterAll(async () => machine?.destroy());

  async function ask(host: LineSocket, request: string): Promise<unknown> {
    host.send(`${request}\n`);
    return JSON.parse(await host.line());
  }

  it('says who has the port when it is busy', async () => {
    const { status, output } = await machine.shell.try(`${AGENT} -t /run/busy`);

    const reference = await process('qemu-guest-agent');
    expect(status).toBe(1);
    expect(output).toContain(
      `error opening channel '/dev/virtio-ports/${AGENT_PORT}': Device or resource busy (process ${reference} (qemu-ga) has it open: only one agent can, stop the other)`,
    );
  });

  it('waits for a busy port when it is told to retry, and answers once it has it', async () => {
    await unit('concierge', '--retry-path');
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
    const pid = await process('concierge');

    // Threads for files end themselves after ten seconds without work, and V8 tidies its heap a few times.
    let calls = 'not yet';
    for (let window = 0; calls !== '' && window < 8; window += 1) {
      calls = await machine.shell.run(`timeout 10 strace -f -c -p ${pid} 2>&1 | grep -v -e attached -e detached || true`);
    }

    expect(calls).toBe('');
    host.close();
  });

  it('answers the next host after each of a hundred that left in the middle of a request', async () => {
    let host = await machine.agent();
    await ask(host, '{"execute":"guest-ping"}');
    const before = await held('concierge');

    for (let round = 0; round < 100; round += 1) {
      host.send('{"execute":"guest-file-open","arguments":{"path":"/etc/pas');
      host.close();
      host = await machine.agent();
      expect(await ask(host, `{"execute":"guest-sync","arguments":{"id":${round}}}`)).toEqual({ return: round });
    }
    host.close();

    const after = await held('concierge');
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
      polite.send(`\xff{"execute":"guest-sync-delimited","arguments":{"id":${round}}}\n`);
      let line = await polite.line();
      // What the port still held of the old answer ends at the sentinel.
      while (!line.includes(`\xff{"return": ${round}}`)) line = await polite.line();
      await ask(polite, `{"execute":"guest-file-close","arguments":{"handle":${opened.return}}}`);
      polite.close();
    }
    expect((await held('concierge')).kilobytes).toBeLessThan(100_000);
  });

  it('answers the next host after each of a thousand that left at any moment, and holds no more than before', async () => {
    const conversation = '\xff{"execute":"guest-sync-delimited","arguments":{"id":1}}\n{"execute":"guest-info"}\n{"execute":"guest-network-get-interfaces"}\n{"execute":"guest-get-osinfo"}\n';
    const pid = await process('concierge');
    let random = 20_260_101;
    let before = await held('concierge');

    for (let round = 0; round < 1000; round += 1) {
      // By then V8's heap has the size that the work needs.
      if (round === 300) before = await held('concierge');
      // Numerical Recipes' generator: the same moments in every run.
      random = (random * 1_664_525 + 1_013_904_223) % 2 ** 32;
      const rude = await machine.agent();
      rude.send(conversation.slice(0, random % conversation.length));
      if (random % 3 === 0) await rude.line(50).catch(() => '');
      rude.close();

      const polite = await machine.agent();
      polite.send(`\xff{"execute":"guest-sync-delimited","arguments":{"id":${round + 100}}}\n`);
      let line = await polite.line();
      while (!line.includes(`\xff{"return": ${round + 100}}`)) line = await polite.line();
    }

    const after = await held('concierge');
    expect(await process('concierge')).toBe(pid);
    expect(after.descriptors).toBe(before.descriptors);
    expect(after.kilobytes).toBeLessThan(before.kilobytes + 8192);
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
    const before = await held('concierge');
    host.socket.pause();

    host.send(`{"execute":"guest-file-read","arguments":{"handle":${opened.return},"count":16000000}}\n`);
    await machine.shell.run('sleep 2');
    const while_ = await held('concierge');
    host.socket.resume();
    const answer = JSON.parse(await host.line(120_000)) as { return: { count: number } };

    expect(while_.kilobytes).toBeLessThan(before.kilobytes + 16_384);
    expect(answer.return.count).toBe(16_000_000);
    host.close();
  });

  it('survives unplugging of its port and answers when it is plugged in again', async () => {
    await machine.qmp.execute('device_del', { id: 'agentport' });
    await machine.qmp.event('DEVICE_DELETED');
    await machine.qmp.execute('device_add', { driver: 'virtserialport', bus: 'ports.0', nr: 1, chardev: 'agent', id: 'agentport', name: AGENT_PORT });

    const host = await machine.agent();

    expect(await ask(host, '{"execute":"guest-ping"}')).toEqual({ return: {} });
    expect(await machine.shell.run('systemctl is-active concierge')).toBe('active');
    host.close();
  });

  it('ends with an error when its port is unplugged and it is not told to retry', async () => {
    await machine.shell.run('systemctl stop concierge');
    await unit('once', '');
    await machine.shell.run(`until ls -l /proc/$(systemctl show -P MainPID once)/fd | grep -q vport; do sleep 0.1; done`);

    await machine.qmp.execute('device_del', { id: 'agentport' });
    await machine.shell.run('while systemctl is-active --quiet once; do sleep 0.1; done');

    expect(await machine.shell.run('systemctl is-failed once')).toBe('failed');
    expect(await machine.shell.run('journalctl -q -o cat -u once')).toContain(`error reading channel '/dev/virtio-ports/${AGENT_PORT}': No such device`);
  });

  it('answers on a serial line', async () => {
    await unit('serial', '-m isa-serial -p /dev/ttyS1');
    const host = await machine.serial();

    // The line has no notion of a host: what was sent before it was opened is lost.
    await machine.shell.run(`until ls -l /proc/$(systemctl show -P MainPID serial)/fd | grep -q ttyS1; do sleep 0.1; done`);
    expect(await ask(host, '{"execute":"guest-sync","arguments":{"id":5}}')).toEqual({ return: 5 });
    host.close();
  });

  it('refuses everybody but the host on vsock', async () => {
    await machine.shell.run('modprobe -a vsock vsock_loopback');
    await unit('vsock', '-v -m vsock-listen -p 4294967295:1234');
    await machine.shell.run('until journalctl -q -o cat -u vsock | grep -q serving; do sleep 0.1; done');

    const { output } = await machine.shell.try(`echo '{"execute":"guest-ping"}' | timeout 10 socat -t 5 - VSOCK-CONNECT:1:1234`);

    expect(output).not.toContain('return');
    expect(await machine.shell.run('journalctl -q -o cat -u vsock')).toMatch(/CID 1 port \d+ is refused: only the host may talk to the agent/);
  });
});
