import { setTimeout as wait } from 'node:timers/promises';
import type { LineSocket } from './line-socket.ts';
import type { Machine } from './machine.ts';

/** Buffers of a port's output. QEMU 7.2 keeps one for good each time that a host leaves which has stopped reading an answer. */
const BUFFERS = 128;

/** Hosts that ask for much, do not read it and leave, until the port has no buffer left or QEMU has shown that it keeps none. */
export async function wearOut(machine: Machine): Promise<void> {
  for (let round = 0; round < BUFFERS; round += 1) {
    const host = await machine.agent();
    host.send('{"execute":"guest-file-open","arguments":{"path":"/dev/zero"}}\n');
    const handle = await openedHandle(host);
    if (handle === undefined) return;
    host.send(`{"execute":"guest-file-read","arguments":{"handle":${handle},"count":3000000}}\n`);
    await new Promise((resolve) => {
      host.socket.once('data', resolve);
    });
    host.socket.pause();
    // Until the host's kernel takes no more, QEMU hands on what it gets.
    await wait(60);
    host.close();
  }
}

/** What hosts before have left unread comes first. `undefined`: the port is worn out, nothing comes. */
async function openedHandle(host: LineSocket): Promise<number | undefined> {
  for (;;) {
    const line = await host.line(10_000).catch(() => undefined);
    if (line === undefined) return undefined;
    const [, handle] = /^\{"return": (\d+)\}$/.exec(line) ?? [];
    if (handle !== undefined) return Number(handle);
  }
}
