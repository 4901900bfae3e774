// SPDX-License-Identifier: Apache-2.0

/** As many as on Linux. */
const mostLeft = 256;

/** A pipe from a program that has ended, and that another one, which it has started, still holds. */
export interface LeftPipe {
  /** Settles when nobody holds its other end any more. Until then what comes is read. Never rejects. */
  readonly ended: Promise<unknown>;
  close(): void;
}

const left = new Set<LeftPipe>();

/** Holds a pipe open, so that whoever writes to it goes on. Past the limit the oldest is closed: writing to that fails. */
export function leaveOpen(pipe: LeftPipe): void {
  const [oldest] = left;
  if (left.size >= mostLeft && oldest !== undefined) drop(oldest);
  left.add(pipe);
  void pipe.ended.then(() => drop(pipe));
}

function drop(pipe: LeftPipe): void {
  if (left.delete(pipe)) pipe.close();
}
