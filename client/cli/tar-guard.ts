// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { Transform, type TransformCallback } from 'node:stream';

import { harmless } from '../../core/errors/harmless-text.ts';
import { memberOf, paxRecords, sizeOf, textOf, type Extension, type Member } from './tar-header.ts';

const BLOCK = 512;
/** Bytes of a long name or of attributes of one member. */
const MOST_ATTRIBUTES = 1024 * 1024;
/** Links of one archive, whose names are kept. */
const MOST_LINKS = 1_000_000;
/** Characters of all names of links, and of what is left out, that are kept. */
const MOST_KEPT = 256 * 1024 * 1024;
/** Bytes of a name, or of what a link leads to: PATH_MAX. No system unpacks a longer one, and each part of it is looked at. */
const LONGEST_NAME = 4096;

export interface GuardOptions {
  /** Links may lead out of the folder. */
  readonly anyLinks: boolean;
  /** Device files are let through. */
  readonly devices: boolean;
  /** Is told what was left out, and why. */
  readonly leftOut: (name: string, why: string) => void;
  /** Is told of all that comes, whether it goes on or not. @throws Error where it is too much */
  readonly came?: (bytes: number) => void;
  /** Characters of all names that are kept; replaced by a test. */
  readonly mostKept?: number;
}

type State =
  | { readonly kind: 'header' }
  /** Of a member, or of attributes that are looked at and kept. `left` includes what fills the last block up. */
  | { readonly kind: 'data'; readonly left: number; readonly passes: boolean }
  | { readonly kind: 'attributes'; readonly type: string; readonly size: number; readonly left: number }
  | { readonly kind: 'end' };

/**
 * Lets an archive of tar(1) through as it is, but for what must not be unpacked: it fails on a name that leads out of the folder, or through a
 * link of the same archive, and on whatever two programs might read in two ways; links that lead out and devices are left out.
 */
export class TarGuard extends Transform {
  /** It ended in the middle, which may be because its writer failed. */
  brokeOff = false;
  readonly #options: GuardOptions;
  #state: State = { kind: 'header' };
  #rest: Buffer = Buffer.alloc(0);
  /** Headers and attributes that belong to the member to come. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #extension: Extension = {};
  /** By name, what they lead to. */
  readonly #links = new Map<string, string>();
  readonly #missing = new Set<string>();
  #kept = 0;

  constructor(options: GuardOptions) {
    super();
    this.#options = options;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#options.came?.(chunk.length);
      let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      while (bytes.length > 0) {
        const taken = this.#take(bytes);
        if (taken === 0) break;
        bytes = bytes.subarray(taken);
      }
      this.#rest = Buffer.from(bytes);
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    this.brokeOff = this.#state.kind !== 'end';
    done(this.brokeOff ? new Error('the archive breaks off') : null);
  }

  /** Answers how many bytes were taken; none where more are needed. */
  #take(bytes: Buffer): number {
    const state = this.#state;
    if (state.kind === 'end') return bytes.length;
    if (state.kind === 'data') {
      const count = Math.min(state.left, bytes.length);
      if (state.passes) this.push(bytes.subarray(0, count));
      this.#state = count === state.left ? { kind: 'header' } : { ...state, left: state.left - count };
      return count;
    }
    if (state.kind === 'attributes') {
      if (bytes.length < state.left) return 0;
      this.#hold(bytes.subarray(0, state.left));
      this.#attributes(state.type, bytes.subarray(0, state.size));
      this.#state = { kind: 'header' };
      return state.left;
    }
    if (bytes.length < BLOCK) return 0;
    const block = bytes.subarray(0, BLOCK);
    this.#header(block);
    return BLOCK;
  }

  #header(block: Buffer): void {
    if (block.every((byte) => byte === 0)) {
      if (this.#held.length > 0) throw new Error('the archive breaks off');
      this.push(Buffer.alloc(2 * BLOCK));
      this.#state = { kind: 'end' };
      return;
    }
    const type = String.fromCharCode(block[156] ?? 0);
    if ('xgLK'.includes(type)) {
      const size = sizeOf(block);
      if (size > MOST_ATTRIBUTES || this.#heldBytes > MOST_ATTRIBUTES) throw new Error('a member of the archive has too many attributes');
      this.#hold(block);
      this.#state = size === 0 ? { kind: 'header' } : { kind: 'attributes', type, size, left: filledUp(size) };
      return;
    }
    const member = memberOf(block, this.#extension);
    const passes = this.#judge(member);
    if (passes) {
      for (const held of this.#held) this.push(held);
      this.push(Buffer.from(block));
    }
    this.#held = [];
    this.#heldBytes = 0;
    this.#extension = {};
    this.#data(member.size, passes);
  }

  #hold(bytes: Buffer): void {
    this.#held.push(Buffer.from(bytes));
    this.#heldBytes += bytes.length;
  }

  #data(size: number, passes: boolean): void {
    this.#state = size === 0 ? { kind: 'header' } : { kind: 'data', left: filledUp(size), passes };
  }

  #attributes(type: string, bytes: Buffer): void {
    const { name, link, pax } = this.#extension;
    // Some programs take the first, some the last, and some know one kind alone.
    if (pax !== undefined || (type === 'L' && name !== undefined) || (type === 'K' && link !== undefined) || (type === 'x' && (name ?? link) !== undefined)) throw new Error('the archive has attributes of a member twice');
    if (type === 'L') this.#extension = { ...this.#extension, name: textOf(bytes) };
    else if (type === 'K') this.#extension = { ...this.#extension, link: textOf(bytes) };
    else {
      const records = paxRecords(bytes);
      if (type === 'g' && [...records.keys()].some((key) => key !== 'comment')) throw new Error('the archive has attributes for all of its members');
      if (type === 'x') this.#extension = { ...this.#extension, pax: records };
    }
  }

  /** Whether a member is let through. @throws Error for what makes the archive one that nobody should unpack */
  #judge({ names, name, links, link, type }: Member): boolean {
    if ([...names, ...links].some(({ length }) => length > LONGEST_NAME)) throw new Error(`the archive has a name of more than ${LONGEST_NAME} bytes`);
    for (const one of names) this.#demandFree(inside(one), one);
    const parts = inside(name);
    const path = parts.join('/');
    if (type === '3' || type === '4') return this.#options.devices || this.#leaveOut(path, name, 'it is a device');
    if (type === '1') {
      const target = inside(link);
      for (const one of links) this.#demandFree(inside(one).slice(0, -1), one);
      const same = target.join('/');
      if (this.#missing.has(same)) return this.#leaveOut(path, name, `it is the same as ${shown(link)}`);
      // A link at another place leads elsewhere.
      const to = this.#links.get(same);
      return to === undefined || this.#isLink(parts, name, [to]);
    }
    return type !== '2' || this.#isLink(parts, name, links);
  }

  /** @throws Error for a place that is a link of the archive, or behind one */
  #demandFree(parts: readonly string[], name: string): void {
    if (this.#links.size === 0 || parts.length === 0) return;
    const path = parts.join('/');
    for (let at = path.indexOf('/'); ; at = path.indexOf('/', at + 1)) {
      if (this.#links.has(at === -1 ? path : path.slice(0, at))) throw new Error(`the archive has ${shown(name)} behind a link of its own`);
      if (at === -1) return;
    }
  }

  /** Whether it is let through. @param targets all that some program may take for what it leads to */
  #isLink(parts: readonly string[], name: string, targets: readonly string[]): boolean {
    const path = parts.join('/');
    const out = this.#options.anyLinks ? undefined : targets.find((target) => leadsOut(parts, target));
    if (out !== undefined) return this.#leaveOut(path, name, `it is a link that leads out of the folder, to ${shown(out)}`);
    if (this.#links.size >= MOST_LINKS) throw new Error(`the archive has more than ${MOST_LINKS} links`);
    const target = targets[0] ?? '';
    this.#keep(path.length + target.length);
    this.#links.set(path, target);
    return true;
  }

  #keep(characters: number): void {
    this.#kept += characters;
    if (this.#kept > (this.#options.mostKept ?? MOST_KEPT)) throw new Error('the archive has too many links and devices with long names');
  }

  #leaveOut(path: string, name: string, why: string): false {
    if (this.#missing.size < MOST_LINKS && !this.#missing.has(path)) {
      this.#keep(path.length);
      this.#missing.add(path);
    }
    this.#options.leftOut(harmless(Buffer.from(name, 'latin1').toString()), why);
    return false;
  }
}

const filledUp = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

const shown = (name: string): string => harmless(JSON.stringify(Buffer.from(name, 'latin1').toString()));

/** The parts of a name, seen from the folder. @throws Error for one that leads out of it */
function inside(name: string): readonly string[] {
  const parts = name.split('/');
  if (name.includes('\0') || name.startsWith('/') || parts.includes('..') || (process.platform === 'win32' && /[\\:]/.test(name))) {
    throw new Error(`the archive has a name that leads out of the folder: ${shown(name)}`);
  }
  return parts.filter((part) => part !== '' && part !== '.');
}

/** Whether a link may lead out of the folder: one that goes up first, and not too far, stays inside, as all others do. */
function leadsOut(parts: readonly string[], target: string): boolean {
  if (target.startsWith('/') || target.includes('\0')) return true;
  const steps = target.split('/').filter((step) => step !== '' && step !== '.');
  const up = steps.findIndex((step) => step !== '..');
  const ups = up === -1 ? steps.length : up;
  return ups > parts.length - 1 || steps.slice(ups).includes('..');
}
