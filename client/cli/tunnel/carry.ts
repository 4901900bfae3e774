// SPDX-License-Identifier: Apache-2.0
import type { Socket } from 'node:net';

import type { GuestProcess } from '../../guest-process.ts';
import { reasonOf } from './guest-end.ts';

/** Milliseconds without a byte from a program here, when the far side has said its last: that is how long it may keep the connection half open. */
export const HALF_OPEN_MS = 60_000;
/** Milliseconds in which a program that has complained ends, if it does because of that. */
const COMPLAINED_MS = 500;
/** Bytes of what a program in the guest complains of. */
const MOST_SAID = 4096;

/**
 * Passes everything on between a connection of this host and one of the guest, until both have ended: the end of one side is passed on to the other,
 * and an error resets both. Who does not read is not read for.
 *
 * @param failed called with why, where it is not the one here that broke off
 * @returns when both have gone
 */
export function carry(here: Socket, there: GuestProcess, failed: (why: string | Error) => void, halfOpenMs = HALF_OPEN_MS): Promise<void> {
  let said = '';
  let isOver = false;
  there.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < MOST_SAID) said += text;
  });
  const toGuest = there.stdin;
  const fromGuest = there.stdout;
  toGuest?.on('error', () => undefined);
  fromGuest?.on('error', () => undefined);
  if (toGuest !== null) here.pipe(toGuest);
  fromGuest?.pipe(here, { end: false });
  fromGuest?.once('end', () => {
    // The far side has said its last: whoever never closes would keep a program in the guest for ever.
    here.setTimeout(halfOpenMs, () => here.resetAndDestroy());
    // Its end comes before that of the program, which complains first where it fails: that is a reset, and no end.
    if (said === '') here.end();
    else setTimeout(() => here.end(), COMPLAINED_MS).unref();
  });
  // Nobody takes it any more: what waits to be passed on is passed over.
  toGuest?.once('close', () => here.resume());

  const gone = new Promise<void>((resolve) => {
    const end = (): void => {
      isOver = true;
      resolve();
    };
    there.once('close', (code) => {
      // Whoever still says something learns that nobody hears it.
      if (code === 0) here.destroySoon();
      else if (!here.destroyed) {
        failed(reasonOf(said) || `the program that carries it ended with ${code === null ? there.signalCode : `status ${code}`}`);
        here.resetAndDestroy();
      }
      end();
    });
    there.on('error', (error) => {
      if (isOver) return;
      failed(error);
      here.resetAndDestroy();
      end();
    });
  });
  here.on('error', () => undefined);
  here.once('close', () => {
    // It takes nothing more, whatever the guest has to say: there, it is reset.
    if (!isOver && !(here.readableEnded && fromGuest?.readableEnded === true)) hangUp(there);
  });
  return Promise.all([gone, new Promise<void>((resolve) => (here.closed ? resolve() : void here.once('close', () => resolve())))]).then(() => undefined);
}

/** Also one that has not been started yet. */
function hangUp(there: GuestProcess): void {
  if (!there.kill('SIGTERM', { group: true })) there.once('spawn', () => there.kill('SIGTERM', { group: true }));
  // What it still has to say holds nobody up.
  there.stdout?.destroy();
}
