// SPDX-License-Identifier: Apache-2.0
/** As the event loop tells of an end; a status below 0: nobody can tell how. */
export interface ToldEnd {
  readonly exited: boolean;
  readonly status: number;
}

/** As of waitpid(2). */
export const waitStatus = ({ exited, status }: ToldEnd): number => (exited && status >= 0 ? status << 8 : status);

/** @param how as of waitpid(2), or −1: nobody can tell, as of the child of another process */
export function toldEnd(how: number): ToldEnd {
  if (how < 0) return { exited: true, status: -1 };
  const signal = how & 0x7f;
  return signal === 0 ? { exited: true, status: (how >> 8) & 0xff } : { exited: false, status: signal };
}
