// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { closestName } from '../../core/errors/closest-name.ts';
import { anyGlob } from '../../core/policy/glob.ts';
import type { Environment } from './target.ts';
import { UsageError } from './usage-error.ts';

/** What leads to a guest, as the flags of the same names do. */
const keys: readonly string[] = ['socket', 'vsock', 'via', 'libvirt', 'connect', 'proxmox', 'url', 'token-file', 'fingerprint', 'timeout'];

/** Bytes of a list: some hundred thousand guests. */
const MOST = 16 * 1024 * 1024;

/** Flags by the name of the guest that they lead to, in the order of the file. */
export type GuestList = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Where a list of guests is looked for: what the flag or the variable names, the user's own, that of the host. */
export const guestListPlaces = (given: string | undefined, environment: Environment): readonly string[] => {
  const named = given ?? environment['CONCIERGE_GUESTS'];
  if (named !== undefined && named !== '') return [named];
  const home = environment['XDG_CONFIG_HOME'] ?? join(environment['HOME'] ?? homedir(), '.config');
  return [join(home, 'concierge-ctl/guests.conf'), '/etc/concierge-ctl/guests.conf'];
};

/** The first list that is there; an empty one where there is none. @throws UsageError */
export async function readGuestList(places: readonly string[]): Promise<GuestList> {
  for (const path of places) {
    const text = await textOf(path, places.length === 1);
    if (text !== undefined) return guestsIn(text, path);
  }
  return new Map();
}

/** A list names programs that are run (`via`) and files with secrets: nobody else may write to it. */
async function textOf(path: string, mustBe: boolean): Promise<string | undefined> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && !mustBe) return undefined;
    throw new UsageError(`the list of guests ${path} cannot be read: ${error.code === 'ENOENT' ? 'there is none' : (error.code ?? error.message)}`);
  });
  if (file === undefined) return undefined;
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw new UsageError(`the list of guests ${path} is no file`);
    const isOurs = facts.uid === 0 || facts.uid === process.geteuid?.();
    if (process.platform !== 'win32' && (!isOurs || (facts.mode & 0o022) !== 0)) throw new UsageError(`others may write to the list of guests ${path}, which names programs to be run: chmod go-w ${path}`);
    if (facts.size > MOST) throw new UsageError(`the list of guests ${path} is longer than ${MOST} bytes`);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(facts.size), 0, facts.size, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Groups with a guest's name in brackets, `key=value` in each, comments in lines that begin with `#`. @throws UsageError that names the line */
export function guestsIn(text: string, path: string): GuestList {
  const guests = new Map<string, Map<string, string>>();
  let guest: Map<string, string> | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const wrong = (why: string): UsageError => new UsageError(`${path}, line ${index + 1}: ${why}`);
    const [, name] = /^\[(.*)\]$/.exec(line) ?? [];
    if (name !== undefined) {
      if (!/^[^\s[\]*?,]{1,200}$/.test(name)) throw wrong(`'${name}' is no name for a guest: no blanks, commas, brackets, * or ?`);
      if (guests.has(name)) throw wrong(`there are two guests named ${name}`);
      guest = new Map();
      guests.set(name, guest);
      continue;
    }
    const [, key, value = ''] = /^([^=\s]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key === undefined) throw wrong('it is neither [NAME] nor key=value');
    if (guest === undefined) throw wrong('a guest begins with its name in brackets: [vm7]');
    if (!keys.includes(key)) throw wrong(`there is no '${key}': there are ${keys.join(', ')}`);
    if (key === 'libvirt' && isPattern(value)) throw wrong(`a guest of a list is one domain, and ${value} means several: --libvirt '${value}' is for these`);
    guest.set(key, value);
  }
  return guests;
}

/** Whether it stands for many: `web*`, `web?`, `a,b`. */
export const isPattern = (text: string): boolean => /[*?,]/.test(text);

/** Names, patterns with `*` and `?`, several with commas. */
export function matches(patterns: string, name: string): boolean {
  // A backslash takes no meaning away here: names may have one.
  return anyGlob(patterns.replaceAll('\\', String.raw`\\`).split(','), 'text')(name);
}

/** For who has no list yet. */
export const howToBegin = 'begin it with two lines, [NAME] and socket=PATH (or libvirt=DOMAIN, proxmox=NODE/VMID)';

/** The guests of a list that are meant, in its order. @throws UsageError where there is none of a name */
export function chosen(list: GuestList, patterns: string, places: readonly string[]): GuestList {
  const names = [...list.keys()];
  if (names.length === 0) throw new UsageError(`there is no list of guests: ${places.join(' or ')} would be one; ${howToBegin}`);
  for (const pattern of patterns.split(',')) {
    if (names.some((name) => matches(pattern, name))) continue;
    const meant = closestName(pattern, names);
    throw new UsageError(`no guest is named ${pattern}${meant === undefined ? '' : `; did you mean ${meant}?`} ('concierge-ctl guests' prints the names)`);
  }
  return new Map([...list].filter(([name]) => matches(patterns, name)));
}
