// SPDX-License-Identifier: Apache-2.0
import { setTimeout as wait } from 'node:timers/promises';
import type { LineSocket } from './line-socket.ts';
import type { Machine } from './machine.ts';

/** Buffers of a port's output. QEMU 7.2 keeps one for good each time that a host leaves which has stopped reading an answer. */
export const BUFFERS = 128;

/**
 * Hosts that ask for much, do not read it and leave, until the port has lost so many buffers or has none left. Where QEMU
 * keeps none, none is lost.
 */
export async function wearOut(machine: Machine, buffers = BUFFERS): Promise<void> {
  for (let round = 0; round < buffers; round += 1) {
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

/**
 * For half a second the process runs in the guest and the kernel's workers do not: the request of a host that comes meanwhile is
 * read, and refused room for its answer, before the host is announced. `act` is called when that has begun, as far as clocks can tell.
 */
export async function beforeAnnouncement({ shell }: Machine, pid: string, act: () => Promise<void>): Promise<void> {
  const unit = 'lab-busy-processors';
  // What ends a busy loop comes before it, and the process before both.
  await shell.run(`systemd-run --quiet --collect --unit=${unit} bash -c '
    sleep 1
    chrt --all-tasks --fifo --pid 30 ${pid}
    for processor in 0 1; do taskset --cpu-list $processor chrt --fifo 20 timeout 0.5 chrt --fifo 10 sh -c "while :; do :; done" & done
    wait
    chrt --all-tasks --other --pid 0 ${pid}'`);
  await wait(1200);
  await act();
  await shell.until(`! systemctl is-active --quiet ${unit}`);
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
