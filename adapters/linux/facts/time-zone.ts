// SPDX-License-Identifier: Apache-2.0
import type { Ready } from '../../../core/ports/index.ts';
import { next } from '../../shared/ready.ts';
import { parsePosixTimeZone, posixTimeAt, type LocalTime } from './posix-time-zone.ts';
import { tzifTimeAt } from './tzif.ts';

export interface TimeZoneSources {
  /** Put before every path: '' for the running system. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A whole file of at most `zoneFileLimit` bytes, off the event loop where it has to be read. @throws os error, as a rejection */
  readonly readFile: (path: string) => Uint8Array | Promise<Uint8Array>;
}

/** The largest of the zones that exist is 4 KiB long. */
export const zoneFileLimit = 256 * 1024;

const utc: LocalTime = { offset: 0, zone: 'UTC' };

/**
 * The local time zone at a moment, in seconds since 1970-01-01 UTC, as tzset(3) finds it: variable `TZ` (a file, a name
 * below `TZDIR`, or a rule), else /etc/localtime, else UTC. Node's own idea of it is fixed when the process starts.
 */
export function localTimeAt(sources: TimeZoneSources, at: number): Ready<LocalTime> {
  const variable = sources.environment['TZ'];
  if (variable === undefined) return next(fromFile(sources, '/etc/localtime', at), (found) => found ?? utc);
  const name = variable.replace(/^:/, '');
  if (name === '') return utc;
  const folder = sources.environment['TZDIR'] ?? '/usr/share/zoneinfo';
  return next(fromFile(sources, name.startsWith('/') ? name : `${folder}/${name}`, at), (found) => found ?? fromRule(name, at));
}

function fromRule(text: string, at: number): LocalTime {
  const rule = parsePosixTimeZone(text);
  return rule === undefined ? utc : posixTimeAt(rule, at);
}

/** `undefined` where there is no such file, or it is none of a time zone. */
function fromFile({ root, readFile }: TimeZoneSources, path: string, at: number): Ready<LocalTime | undefined> {
  const file = readFile(`${root}${path}`);
  return file instanceof Promise ? file.then((bytes) => tzifTimeAt(bytes, at), () => undefined) : tzifTimeAt(file, at);
}
