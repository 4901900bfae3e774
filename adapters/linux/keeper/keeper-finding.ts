// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, statSync } from 'node:fs';
import { good, warning } from '../../../core/diagnosis/finding.ts';
import type { Finding } from '../../../core/ports/diagnosis.ts';
import { latin1Text, namesInIfAny } from '../kernel-files.ts';

const subject = 'keeper';

/** What a keeper says of itself (native/linux/keeper/status_file.h). */
interface Status {
  readonly state: string;
  readonly sinceMs: number;
  readonly starts: number;
  readonly deaths: number;
  readonly lastDeath: string;
  /** By kind. */
  readonly held: ReadonlyMap<string, number>;
  readonly running: number;
  readonly ended: number;
}

/** It is half a kibibyte (native/linux/keeper/status_file.cc). */
const mostStatus = 4096;

const linkText = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    // It has ended, or is somebody else's.
    return '';
  }
};

/** Whether a process is root's or this user's. Another user may call a program, and what it has open, whatever they like. */
function isTrusted(path: string): boolean {
  try {
    return [0, process.geteuid?.()].includes(statSync(path).uid);
  } catch {
    return false;
  }
}

/** Processes that are keepers, by the file that they run; a guardian that was forked from one has another name. */
const keepers = (root: string): readonly string[] =>
  namesInIfAny(`${root}/proc`).filter((name) =>
    /^\d+$/.test(name) && isTrusted(`${root}/proc/${name}`) && /\/concierge-keeper(?: \(deleted\))?$/.test(linkText(`${root}/proc/${name}/exe`)) && latin1Text(`${root}/proc/${name}/comm`)?.startsWith('concierge-keepe') === true);

function statusOf(root: string, pid: string): Status | undefined {
  const directory = `${root}/proc/${pid}/fd`;
  const fd = namesInIfAny(directory).find((name) => linkText(`${directory}/${name}`).endsWith('/memfd:keeper-status (deleted)'));
  const text = fd === undefined ? undefined : shortFile(`${directory}/${fd}`);
  return text === undefined ? undefined : parse(text);
}

/** A file in memory of a page at most; nothing else is waited for or read to its end. */
function shortFile(path: string): string | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const bytes = Buffer.alloc(mostStatus);
      return fstatSync(fd).isFile() ? bytes.toString('latin1', 0, readSync(fd, bytes, 0, mostStatus, 0)) : undefined;
    } finally {
      closeSync(fd);
    }
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

function parse(text: string): Status | undefined {
  const number = (pattern: RegExp, group = 1): number => Number(pattern.exec(text)?.[group] ?? 0);
  const [, state, sinceMs] = /^keeper .*\n(awake|asleep|pausing|left) (\d+)$/m.exec(text) ?? [];
  if (state === undefined) return undefined;
  return {
    state,
    sinceMs: Number(sinceMs),
    starts: number(/^starts (\d+)$/m),
    deaths: number(/^deaths (\d+) /m),
    lastDeath: /^deaths \d+ ([a-z]+-\d+)$/m.exec(text)?.[1] ?? '',
    held: new Map(Array.from(text.matchAll(/^held ([a-z]+) (\d+)$/gm), ([, kind = '', count]) => [kind, Number(count)])),
    running: number(/^programs (\d+) (\d+)$/m),
    ended: number(/^programs (\d+) (\d+)$/m, 2),
  };
}

const names: readonly (readonly [kind: string, one: string, several: string])[] = [
  ['port', 'port', 'ports'],
  ['listener', 'listening socket', 'listening sockets'],
  ['stream', 'connection', 'connections'],
  ['waste', 'pipe of what programs left running', 'pipes of what programs left running'],
  ['plain', 'other descriptor', 'other descriptors'],
];

const counted = (count: number, one: string, several: string): readonly string[] => (count === 0 ? [] : [`${count} ${count === 1 ? one : several}`]);

/** `3 d 4 h`, `5 min 6 s`. */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'], [Math.floor(seconds / 60) % 60, 'min'], [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return first < 0 ? '0 s' : parts.slice(first, first + 2).map(([count, unit]) => `${count} ${unit}`).join(' ');
}

const states: Readonly<Record<string, string>> = { awake: 'its agent has been awake', asleep: 'its agent has been asleep', pausing: 'its agent has ended, and the next one has been waited with', left: 'it is the service no more, and has waited for the end of programs' };

function findingOf(pid: string, status: Status | undefined, nowMs: number): Finding {
  if (status === undefined) return warning(subject, `process ${pid} says nothing of itself`, 'restart the service, if it has been upgraded since it was started');
  const { state, sinceMs, starts, deaths, lastDeath, held, running, ended } = status;
  const holds = [
    ...names.flatMap(([kind, one, several]) => counted(held.get(kind) ?? 0, one, several)),
    ...counted(running, 'running program', 'running programs'),
    ...counted(ended, 'result of a program', 'results of programs'),
  ];
  const text = [
    `process ${pid}: ${states[state]} for ${duration(nowMs - sinceMs)}`,
    `${counted(starts, 'agent', 'agents').join('') || 'no agent'} so far${deaths === 0 ? '' : `, ${deaths} of which ended unexpectedly (last ${lastDeath})`}`,
    `holds ${holds.join(', ') || 'nothing'}`,
  ].join('; ');
  return state === 'pausing' ? warning(subject, text, 'look into the log of the service for why') : good(subject, text);
}

/** Of each keeper that runs here. `nowMs`: by the monotonic clock. */
export function keeperFindings(root: string, nowMs = Number(process.hrtime.bigint() / 1_000_000n)): readonly Finding[] {
  const found = keepers(root);
  if (found.length === 0) return [good(subject, 'none: the agent is all there is, and never sleeps')];
  return found.map((pid) => findingOf(pid, statusOf(root, pid), nowMs));
}
