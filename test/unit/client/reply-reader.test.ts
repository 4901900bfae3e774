// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { describe, expect, it, vi } from 'vitest';

import { ReplyReader } from '../../../client/reply-reader.ts';

const MiB = 1024 * 1024;
const reader = (maxBytes = MiB): ReplyReader => new ReplyReader(maxBytes, new Set());

/** Hands the text in piece by piece, in memory that is written over afterwards, as a socket does. */
function hear(to: ReplyReader, text: string, size: number): void {
  const bytes = Buffer.from(text, 'latin1');
  const memory = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const length = bytes.copy(memory, 0, at, at + size);
    to.push(memory.subarray(0, length));
    to.retain();
    memory.fill('#');
  }
}

describe('what comes while nobody takes answers', () => {
  it.each([1, 2, 7, 1000])('is read later, whatever was handed in at a time (%i bytes)', (size) => {
    const replies = reader();
    const long = 'x'.repeat(500);
    hear(replies, `{"return":1}\n{"return":"${long}"}\n{"return":3}\n{"ret`, size);

    const taken = [replies.next(), replies.next()].map((reply) => reply?.returned);
    hear(replies, 'urn":4}\n', size);
    taken.push(...[replies.next(), replies.next(), replies.next()].map((reply) => reply?.returned));

    expect(taken).toEqual([1n, long, 3n, 4n, undefined]);
    expect(replies.isEmpty).toBe(true);
  });

  it('is dropped up to the sentinel, over as many pieces as it came in', () => {
    const replies = reader();
    replies.waitForSentinel();
    hear(replies, 'stale\n'.repeat(50), 16);
    hear(replies, '\u00ff{"return":7}\n', 5);

    expect(replies.next()?.returned).toBe(7n);
  });

  it('is copied once and not with every chunk again', () => {
    const allocated: number[] = [];
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((size) => {
      allocated.push(size);
      return Buffer.alloc(size);
    });
    const from = vi.spyOn(Buffer, 'from');
    const concat = vi.spyOn(Buffer, 'concat');
    const replies = reader(16 * MiB);
    const chunk = Buffer.alloc(256 * 1024, 'A');

    for (let fed = 0; fed < 16 * MiB; fed += chunk.length) {
      replies.push(chunk);
      replies.retain();
    }
    const copiesElsewhere = from.mock.calls.length + concat.mock.calls.length;
    for (const spy of [allocate, from, concat]) spy.mockRestore();

    expect(allocated.reduce((sum, size) => sum + size, 0)).toBe(16 * MiB);
    expect(copiesElsewhere).toBe(0);
  });

  it('lies in few blocks where it comes byte by byte', () => {
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
    const replies = reader();

    hear(replies, 'A'.repeat(200_000), 1);
    const blocks = allocate.mock.calls.length;
    allocate.mockRestore();

    expect(blocks).toBeLessThan(25);
  });

  it('may not be more than one answer can be, all pieces together', () => {
    const replies = reader(1000);
    hear(replies, 'A'.repeat(1000), 100);

    expect(() => hear(replies, 'A', 1)).toThrow(expect.objectContaining({ kind: 'too-large' }));
  });
});
