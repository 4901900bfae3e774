// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** `process 812 (qemu-ga)`; a process of another pid namespace has no number here. */
export function processName(pid: number): string {
  if (pid === 0) return 'a process';
  try {
    return `process ${pid} (${programOf(pid)})`;
  } catch {
    return `process ${pid}`;
  }
}

function programOf(pid: number): string {
  const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  // What Node calls its first thread says nothing; the command line names the script, or what bin/concierge-ga was called as.
  if (name !== 'MainThread') return name;
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const given = words.find((word) => word.startsWith('--argv0='))?.slice('--argv0='.length);
  return basename(given ?? words.slice(1).find((word) => word !== '' && !word.startsWith('-')) ?? name);
}
