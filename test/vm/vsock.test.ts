// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ClientError } from '../../client/client-error.ts';
import { connectHybridVsock } from '../../client/connect.ts';
import { GuestClient } from '../../client/guest-client.ts';
import { AgentUnit } from './lab/agent-unit.ts';
import { explainFailures } from './lab/explain.ts';
import { installPackages } from './lab/host.ts';
import { agentCommand } from './lab/keeper.ts';
import { lacking } from './lab/lacking.ts';
import { Machine } from './lab/machine.ts';
import { AGENT, agentPayload } from './lab/payload.ts';
import { random, seed } from './lab/random.ts';
import { GUEST_CID, kernelHasVhostVsock, VsockHost } from './lab/vsock-host.ts';

const missing = lacking();

const PORT = 1024;
/** For connections and answers: emulated, and perhaps beside other work. */
const PATIENCE = { timeoutMs: 240_000 };
const MEBIBYTE = 1024 * 1024;
/** A CID that is neither the host's nor the guest's: a neighbour's. */
const NEIGHBOUR_CID = 7;

describe.skipIf(missing !== undefined)(`our agent on vsock in a machine${missing === undefined ? '' : ` (${missing})`}`, () => {
  let vsock: VsockHost;
  let machine: Machine;
  let agent: AgentUnit;
  const open: { close(): void }[] = [];

  beforeAll(async () => {
    await installPackages();
    vsock = await VsockHost.start({ host: 2, neighbour: NEIGHBOUR_CID });
    machine = await Machine.boot({ payload: await agentPayload(), devices: vsock.devices });
    await machine.shell.run('modprobe vmw_vsock_virtio_transport');
    agent = await AgentUnit.start(machine.shell, 'vsock', `-v -m vsock-listen -p ${GUEST_CID}:${PORT}`);
  });
  explainFailures(() => machine);
  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });
  afterAll(async () => {
    await machine?.destroy();
    await vsock?.stop();
  });

  async function stream(peer = 'host', port = PORT): Promise<Duplex> {
    const duplex = await connectHybridVsock(vsock.socket(peer), port, PATIENCE);
    duplex.on('error', () => {});
    open.push({ close: () => duplex.destroy() });
    return duplex;
  }

  /** Reads until `enough` of the count of bytes and the last of them, then no more. */
  async function receive(duplex: Duplex, enough: (count: number, last: string) => boolean): Promise<{ count: number; last: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ count: number; last: string }>();
    let count = 0;
    let last = '';
    const onData = (chunk: Buffer): void => {
      count += chunk.length;
      last = (last + chunk.toString('latin1', Math.max(chunk.length - 100, 0))).slice(-100);
      if (enough(count, last)) resolve({ count, last });
    };
    const onClose = (): void => reject(new Error(`closed after ${count} bytes`));
    duplex.on('data', onData).once('close', onClose).resume();
    return promise.finally(() => duplex.pause().off('data', onData).off('close', onClose));
  }

  async function guest(peer = 'host', port = PORT): Promise<GuestClient> {
    const client = new GuestClient(await connectHybridVsock(vsock.socket(peer), port, PATIENCE), PATIENCE);
    open.push(client);
    return client;
  }

  /** Closes what is open, and waits until the agent has seen it. */
  async function everybodyHasGone(): Promise<void> {
    for (const one of open.splice(0)) one.close();
    await machine.shell.run(
      "until journalctl -q -o cat -u vsock | awk '/ is here$/ { here += 1 } / has gone$/ { gone += 1 } END { exit here != gone }'; do sleep 0.1; done",
    );
  }

  async function opened(client: GuestClient, path: string, mode: 'r' | 'w+' = 'r'): Promise<bigint> {
    return client.execute('guest-file-open', { path, mode });
  }

  it('answers the host', async () => {
    const host = await guest();

    await host.synchronize();
    const { supported_commands: commands } = await host.execute('guest-info');

    expect(commands.find(({ name }) => name === 'guest-fsfreeze-freeze')?.enabled).toBe(true);
    expect(await host.execute('guest-get-host-name')).toEqual({ 'host-name': await machine.shell.run('hostname') });
  });

  it('takes a file from the host and gives it back, byte for byte', async () => {
    const host = await guest();
    const content = randomBytes(MEBIBYTE);

    const target = await opened(host, '/run/written', 'w+');
    const written = await host.execute('guest-file-write', { handle: target, 'buf-b64': content.toString('base64') });
    await host.execute('guest-file-close', { handle: target });
    const source = await opened(host, '/run/written');
    const read = await host.execute('guest-file-read', { handle: source, count: 2 * MEBIBYTE });

    expect(written).toMatchObject({ count: BigInt(MEBIBYTE), eof: false });
    expect(read).toMatchObject({ count: BigInt(MEBIBYTE), eof: true });
    expect(Buffer.from(read['buf-b64'], 'base64').equals(content)).toBe(true);
  });

  it('gives 16 MiB in one answer', async () => {
    const host = await guest();
    const digest = (await machine.shell.run(`head -c ${16 * MEBIBYTE} /dev/urandom >/run/large && sha256sum </run/large`)).slice(0, 64);

    const handle = await opened(host, '/run/large');
    const read = await host.execute('guest-file-read', { handle, count: 16 * MEBIBYTE });

    const received = await crypto.subtle.digest('SHA-256', Buffer.from(read['buf-b64'], 'base64'));
    expect(Buffer.from(received).toString('hex')).toBe(digest);
  });

  it('serves several hosts at once, each with its own answers', async () => {
    const numbers = Array.from({ length: 12 }, (_, i) => i);
    await machine.shell.run(`for i in ${numbers.join(' ')}; do yes "$i" | head -c 300000 >/run/of-$i; done`);
    const hosts = await Promise.all(numbers.map(() => guest()));

    const contents = await Promise.all(
      hosts.map(async (host, i) => {
        const handle = await opened(host, `/run/of-${i}`);
        const pieces: string[] = [];
        for (let piece = 0; piece < 3; piece += 1) {
          pieces.push(Buffer.from((await host.execute('guest-file-read', { handle, count: 100_000 }))['buf-b64'], 'base64').toString());
        }
        return pieces.join('');
      }),
    );

    expect(contents.map((content, i) => content === `${i}\n`.repeat(300_000).slice(0, 300_000))).toEqual(numbers.map(() => true));
  });

  it(`answers the next host after each of fifty that left in the middle of a request or of an answer (CONCIERGE_SEED=${seed})`, async () => {
    const draw = random();
    await everybodyHasGone();
    const before = await agent.footprint();
    const first = await guest();
    const handle = await opened(first, '/run/large');
    first.close();
    const request = `{"execute":"guest-file-read","arguments":{"handle":${handle},"count":3000000}}\n`;

    for (let round = 0; round < 50; round += 1) {
      const rude = await stream();
      if (round % 2 === 0) {
        rude.write(request.slice(0, 1 + draw(request.length - 2)));
      } else {
        const most = draw(1_000_000);
        rude.write(request);
        await receive(rude, (count) => count > most);
      }
      rude.destroy();

      const polite = await guest();
      await polite.synchronize();
      await polite.execute('guest-file-seek', { handle, offset: 0, whence: 'set' });
      polite.close();
    }

    const last = await guest();
    await last.execute('guest-file-close', { handle });
    last.close();
    await everybodyHasGone();
    const after = await agent.footprint();
    expect(after.descriptors).toBe(before.descriptors);
    expect(after.kilobytes).toBeLessThan(before.kilobytes + 8192);
  });

  it('holds little for a host that stops reading; others are served, and can freeze and thaw', async () => {
    const slow = await stream();
    const handle = await opened(await guest(), '/dev/zero');
    slow.write(`{"execute":"guest-file-read","arguments":{"handle":${handle},"count":16000000}}\n`);
    await receive(slow, () => true);
    const before = await agent.footprint();

    const other = await guest();
    const read = await other.execute('guest-file-read', { handle: await opened(other, '/run/written'), count: MEBIBYTE });
    const frozen = await other.execute('guest-fsfreeze-freeze');
    const status = await other.execute('guest-fsfreeze-status');
    const thawed = await other.execute('guest-fsfreeze-thaw');
    const during = await agent.footprint();

    expect(read.count).toBe(BigInt(MEBIBYTE));
    expect(Number(frozen)).toBeGreaterThan(0);
    expect(status).toBe('frozen');
    expect(thawed).toBe(frozen);
    expect(during.kilobytes).toBeLessThan(before.kilobytes + 16_384);

    const { count, last } = await receive(slow, (_, end) => end.endsWith('\n'));
    expect(count).toBeGreaterThan(20_000_000);
    expect(last).toMatch(/"count": 16000000, "eof": false\}\}\n$/);
  });

  it('lets go of a host that leaves while its request is worked on', async () => {
    await machine.shell.run("printf '#!/bin/sh\\ntouch /run/in-hook; until [ -e /run/go-on ]; do sleep 0.1; done\\n' >/run/hook; chmod 755 /run/hook");
    const unit = await AgentUnit.start(machine.shell, 'hooked', `-v -m vsock-listen -p ${GUEST_CID}:${PORT + 3} -F/run/hook`);
    const rude = await stream('host', PORT + 3);
    rude.write('{"execute":"guest-fsfreeze-freeze"}\n');
    await machine.shell.run('until [ -e /run/in-hook ]; do sleep 0.1; done');

    rude.destroy();
    await machine.shell.run('until journalctl -q -o cat -u hooked | grep -q " has gone$"; do sleep 0.1; done');
    const other = await guest('host', PORT + 3);
    await machine.shell.run('touch /run/go-on');
    const thawed = await other.execute('guest-fsfreeze-thaw');

    expect(Number(thawed)).toBeGreaterThan(0);
    expect(await other.execute('guest-fsfreeze-status')).toBe('thawed');
    await unit.stop();
  });

  it.skipIf(kernelHasVhostVsock)('refuses a peer that is not the host (the kernel\'s own vsock would have no such peer)', async () => {
    const refused = await guest('neighbour').then((neighbour) => neighbour.synchronize()).catch((error: unknown) => error);

    expect(ClientError.is(refused) && refused.kind).toBe('closed');
    expect(await agent.journal()).toMatch(
      new RegExp(`vsock-listen ${GUEST_CID}:${PORT}: CID ${NEIGHBOUR_CID} port \\d+ is refused: only the host may talk to the agent; vsock-allow lists further CIDs`),
    );
    await (await guest()).execute('guest-ping');
  });

  it.skipIf(kernelHasVhostVsock)('serves a neighbour that vsock-allow names, and then not the host (the kernel\'s own vsock would have no such peer)', async () => {
    const unit = await AgentUnit.start(machine.shell, 'neighbourly', `-m vsock-listen -p 4294967295:${PORT + 1} --vsock-allow=${NEIGHBOUR_CID}`);

    const name = await (await guest('neighbour', PORT + 1)).execute('guest-get-host-name');
    const refused = await guest('host', PORT + 1).then((host) => host.synchronize()).catch((error: unknown) => error);

    expect(name).toEqual({ 'host-name': 'guest' });
    expect(ClientError.is(refused) && refused.kind).toBe('closed');
    await unit.stop();
  });

  it('is not reached where nobody listens', async () => {
    await expect(guest('host', 4711)).rejects.toMatchObject({ kind: 'closed' });
  });

  it('is started by a socket of systemd, and answers who woke it', async () => {
    await machine.shell.run(
      `systemd-run --quiet --unit=woken --socket-property=ListenStream=vsock::${PORT + 2} --property=StandardError=journal ${agentCommand} -t /run/woken`,
    );

    const before = await machine.shell.run('systemctl is-active woken || true');
    const name = await (await guest('host', PORT + 2)).execute('guest-get-host-name');

    expect(before).toBe('inactive');
    expect(name).toEqual({ 'host-name': 'guest' });
    await machine.shell.run('systemctl stop woken.socket woken');
  });

  it('says in one line what is wrong with an address', async () => {
    const said: Readonly<Record<string, string>> = {
      nonsense: "error parsing address 'nonsense' (it is CID:PORT, as in 4294967295:1024)",
      '3:': "error parsing address '3:' (it is CID:PORT, as in 4294967295:1024)",
      '1:2:3': "trailing characters in address '1:2:3'",
      '4294967296:1': "Failed to parse cid '4294967296'",
      '77:1030': 'Failed to bind socket: Cannot assign requested address (77 is no CID of this machine: 4294967295 stands for whichever it has)',
      [`${GUEST_CID}:${PORT}`]: `Failed to bind socket: Address already in use (something else listens on port ${PORT}: stop it or choose another port)`,
    };

    for (const [address, sentence] of Object.entries(said)) {
      const { status, output } = await machine.shell.try(`${AGENT} -t /run/misled -m vsock-listen -p ${address}`);

      expect(output).toBe(`${AGENT}: ${sentence}\n`);
      expect(status).toBe(1);
    }
  });
});
