// SPDX-License-Identifier: Apache-2.0
const blockSize = 4096;
const blockSizeWide = BigInt(blockSize);

/** One piece of a file that lies in one block. */
interface Piece {
  readonly block: bigint;
  readonly from: number;
  readonly to: number;
  /** Where the piece begins in the caller's array. */
  readonly at: number;
}

function* pieces(offset: bigint, length: number): Generator<Piece> {
  let at = 0;
  while (at < length) {
    const position = offset + BigInt(at);
    const from = Number(position % blockSizeWide);
    const to = Math.min(blockSize, from + length - at);
    yield { block: position / blockSizeWide, from, to, at };
    at += to - from;
  }
}

/** The contents of a file with holes: a byte at offset 2^62 costs one block. */
export class SparseBytes {
  readonly #blocks = new Map<bigint, Uint8Array>();
  #size = 0n;

  get size(): bigint {
    return this.#size;
  }

  get allocatedBytes(): number {
    return this.#blocks.size * blockSize;
  }

  /** How many bytes of new blocks a write would take. */
  growthOf(offset: bigint, length: number): number {
    let growth = 0;
    for (const { block } of pieces(offset, length)) if (!this.#blocks.has(block)) growth += blockSize;
    return growth;
  }

  /** The length of the longest prefix that can be written with no more than `room` bytes of new blocks. */
  prefixWithin(offset: bigint, length: number, room: number): number {
    let left = room;
    for (const { block, at } of pieces(offset, length)) {
      if (this.#blocks.has(block)) continue;
      if (left < blockSize) return at;
      left -= blockSize;
    }
    return length;
  }

  read(offset: bigint, into: Uint8Array): number {
    const left = this.#size - offset;
    if (left <= 0n) return 0;
    const length = left < BigInt(into.length) ? Number(left) : into.length;
    for (const { block, from, to, at } of pieces(offset, length)) {
      const bytes = this.#blocks.get(block);
      if (bytes === undefined) into.fill(0, at, at + to - from);
      else into.set(bytes.subarray(from, to), at);
    }
    return length;
  }

  write(offset: bigint, bytes: Uint8Array): void {
    for (const { block, from, to, at } of pieces(offset, bytes.length)) {
      let into = this.#blocks.get(block);
      if (into === undefined) {
        into = new Uint8Array(blockSize);
        this.#blocks.set(block, into);
      }
      into.set(bytes.subarray(at, at + to - from), from);
    }
    const end = offset + BigInt(bytes.length);
    if (bytes.length > 0 && end > this.#size) this.#size = end;
  }

  clear(): void {
    this.#blocks.clear();
    this.#size = 0n;
  }

  /** Everything, holes as zeros. */
  toBytes(): Uint8Array {
    const all = new Uint8Array(Number(this.#size));
    this.read(0n, all);
    return all;
  }
}
