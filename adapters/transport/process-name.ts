import { readFileSync } from 'node:fs';

/** `process 812 (qemu-ga)`; a process of another pid namespace has no number here. */
export function processName(pid: number): string {
  if (pid === 0) return 'a process';
  try {
    return `process ${pid} (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`;
  } catch {
    return `process ${pid}`;
  }
}
