// SPDX-License-Identifier: Apache-2.0
import type { Buffer } from 'node:buffer';

/** What stands before a member, of GNU's kind (a name of any length) or of POSIX' (pax(1)). */
export interface Extension {
  readonly name?: string;
  readonly link?: string;
  readonly pax?: ReadonlyMap<string, string>;
}

/** A member of an archive as tar(5) has it. Names are bytes, one a character. */
export interface Member {
  readonly type: string;
  readonly name: string;
  /** All that some program may take for its name. */
  readonly names: readonly string[];
  readonly link: string;
  /** All that some program may take for what it leads to. */
  readonly links: readonly string[];
  /** Bytes of data behind its header. */
  readonly size: number;
}

/**
 * Files, links, devices, directories, FIFOs. GNU's older kind of sparse files is not: where its map ends and the next header begins depends on
 * what is in the map (GNU tar stops at the first empty entry), and nobody who is asked here writes it.
 */
const known = '01234567';

/** The largest size that a header has room for in octal digits: more stands in attributes alone. */
const LARGEST_OCTAL = 8 ** 11 - 1;

/** @throws Error for what is no header, or may be read in two ways */
export function memberOf(block: Buffer, { name: long, link: longLink, pax }: Extension): Member {
  checkSum(block);
  const given = block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0);
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = textOf(block.subarray(345, 500));
  // Some programs would take it for a part of the name.
  if (!isPosix && prefix !== '') throw new Error('the archive has a name that may be read in two ways');
  const own = `${prefix === '' ? '' : `${prefix}/`}${textOf(block.subarray(0, 100))}`;
  const candidates = [pax?.get('GNU.sparse.name'), pax?.get('path'), long, own].filter((one) => one !== undefined);
  const name = candidates[0] ?? own;
  if (!known.includes(given)) throw new Error(`the archive has a member of an unknown kind, '${given}'`);
  // Before there was a kind for it, a directory was a file whose name has a slash at its end.
  const type = given === '0' && name.endsWith('/') ? '5' : given;
  const plain = sizeOf(block);
  const size = paxSize(pax) ?? plain;
  // A program that knows no such attributes would find a header where others find data.
  if (size !== plain && size <= LARGEST_OCTAL) throw new Error('the archive has a member of two sizes');
  if (size !== 0 && '123456'.includes(type)) throw new Error('the archive has data where there can be none');
  if (name === '') throw new Error('the archive has a member without a name');
  const links = [pax?.get('linkpath'), longLink, textOf(block.subarray(157, 257))].filter((one) => one !== undefined);
  return { type, name, names: candidates, link: links[0] ?? '', links, size };
}

/** @throws Error */
export function sizeOf(block: Buffer): number {
  checkSum(block);
  // GNU's way for more than 8 GiB: a number of 12 bytes, of which the first bit is set.
  if ((block[124] ?? 0) & 0x80) {
    const size = block.readUIntBE(130, 6);
    if (block[124] !== 0x80 || block.subarray(125, 130).some((byte) => byte !== 0) || !Number.isSafeInteger(size)) throw new Error('the archive has a member of an impossible size');
    return size;
  }
  return octal(block.subarray(124, 136));
}

/** Up to the first zero byte. */
export const textOf = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end === -1 ? bytes.length : end);
};

/** `LENGTH NAME=VALUE` and a line feed each. @throws Error */
export function paxRecords(bytes: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const [whole = '', digits = ''] = /^(\d{1,8}) /.exec(bytes.toString('latin1', at, at + 9)) ?? [];
    const end = at + Number(digits);
    const equals = bytes.indexOf('=', at + whole.length);
    if (whole === '' || end > bytes.length || equals === -1 || equals >= end || bytes[end - 1] !== 0x0a) throw new Error('the archive has attributes that cannot be read');
    records.set(bytes.toString('latin1', at + whole.length, equals), bytes.toString('latin1', equals + 1, end - 1));
    at = end;
  }
  return records;
}

function paxSize(pax: ReadonlyMap<string, string> | undefined): number | undefined {
  const text = pax?.get('size');
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new Error('the archive has a member of an impossible size');
  return Number(text);
}

function octal(field: Buffer): number {
  const text = textOf(field).trim();
  if (!/^[0-7]*$/.test(text)) throw new Error('the archive has a number that is none');
  return text === '' ? 0 : Number.parseInt(text, 8);
}

/** The sum of all bytes, its own field counted as blanks. */
function checkSum(block: Buffer): void {
  let sum = 8 * 0x20;
  for (let at = 0; at < 512; at += 1) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  const given = textOf(block.subarray(148, 156)).trim();
  if (!/^[0-7]+$/.test(given) || Number.parseInt(given, 8) !== sum) throw new Error('what came is no archive of tar');
}
