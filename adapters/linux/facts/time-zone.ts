// SPDX-License-Identifier: Apache-2.0
import { parsePosixTimeZone, posixTimeAt, type LocalTime } from './posix-time-zone.ts';
import { tzifTimeAt } from './tzif.ts';

export interface TimeZoneSources {
  /** Put before every path: '' for the running system. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A whole file of at most `zoneFileLimit` bytes, off the event loop where it has to be read. @throws os error */
  readonly readFile: (path: string) => Uint8Array | Promise<Uint8Array>;
}

/** The largest of the zones that exist is 4 KiB long. */
export const zoneFileLimit = 256 * 1024;

const utc: LocalTime = { offset: 0, zone: 'UTC' };

/**
 * The local time zone at a moment, in seconds since 1970-01-01 UTC, as tzset(3) finds it: variable `TZ` (a file, a name
 * below `TZDIR`, or a rule), else /etc/localtime, else UTC. Node's own idea of it is fixed when the process starts.
 */
export async function localTimeAt(sources: TimeZoneSources, at: number): Promise<LocalTime> {
  const variable = sources.environment['TZ'];
  if (variable === undefined) return (await fromFile(sources, '/etc/localtime', at)) ?? utc;
  const name = variable.replace(/^:/, '');
  if (name === '') return utc;
  const folder = sources.environment['TZDIR'] ?? '/usr/share/zoneinfo';
  const found = await fromFile(sources, name.startsWith('/') ? name : `${folder}/${name}`, at);
  if (found !== undefined) return found;
  const rule = parsePosixTimeZone(name);
  return rule === undefined ? utc : posixTimeAt(rule, at);
}

async function fromFile({ root, readFile }: TimeZoneSources, path: string, at: number): Promise<LocalTime | undefined> {
  let file: Uint8Array;
  try {
    file = await readFile(`${root}${path}`);
  } catch {
    return undefined;
  }
  return tzifTimeAt(file, at);
}
