import { setTimeout as wait } from 'node:timers/promises';
import type { LineSocket } from './line-socket.ts';
import type { Machine } from './machine.ts';

/** Buffers of a port's output. QEMU 7.2 keeps one for good each time that a host leaves which has stopped reading an answer. */
const BUFFERS = 128;

/** Hosts that ask for much, do not read it and leave, until the port has no buffer left or QEMU has shown that it keeps none. */
export async function wearOut(machine: Machine): Promise<void> {
  await machine.shell.run('head -c 3000000 /dev/zero > /run/large');
  for (let round = 0; round < BUFFERS; round += 1) {
    const host = await machine.agent();
    host.send('{"execute":"guest-file-open","arguments":{"path":"/run/large"}}\n');
    const { return: handle } = await answerWithHandle(host);
    host.send(`{"execute":"guest-file-read","arguments":{"handle":${handle},"count":3000000}}\n`);
    host.socket.pause();
    // Emulated, an answer of that size takes a while to begin; where it has not, this host does no harm.
    await wait(100);
    host.close();
  }
}

/** What hosts before have left unread comes first. */
async function answerWithHandle(host: LineSocket): Promise<{ readonly return: number }> {
  for (;;) {
    const line = await host.line();
    if (/^\{"return": \d+\}$/.test(line)) return JSON.parse(line) as { readonly return: number };
  }
}
