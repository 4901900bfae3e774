// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { compatibleWith, version } from '../adapters/config/product.ts';

export const repository = resolve(import.meta.dirname, '..');

/** The revision of the packaging of one release. */
export const revision = '1';

export const facts = {
  name: 'concierge-ga',
  version,
  compatibleWith,
  maintainer: 'Concierge contributors <concierge-ga@example.org>',
  licence: 'Apache-2.0',
  summary: 'guest agent that speaks the QEMU Guest Agent protocol',
  /** Paragraphs. */
  description: [
    'A service inside a virtual machine that lets the host freeze its file systems for a backup, shut it down, read and ' +
      'write files, run programs, and ask for its addresses, disks, users and statistics. It takes the place of qemu-ga, ' +
      'with its protocol, its command line and its configuration, so that libvirt, Proxmox VE, KubeVirt and OpenStack ' +
      'work with it unchanged.',
    'What is frozen is thawed again whatever becomes of the agent, every refusal says why, and a long command holds up no ' +
      'other. The runtime that it needs is in the package.',
  ],
} as const;

/** Names of one processor in the worlds that a package meets. */
export interface Architecture {
  /** Node's. */
  readonly node: 'x64' | 'arm64';
  readonly debian: string;
  readonly rpm: string;
  /** Prefix of GNU tools for it. */
  readonly gnu: string;
  /** For SystemCallArchitectures=: itself and its 32-bit predecessor. */
  readonly systemCalls: string;
}

export const architectures: readonly Architecture[] = [
  { node: 'x64', debian: 'amd64', rpm: 'x86_64', gnu: 'x86_64-linux-gnu', systemCalls: 'native x86' },
  { node: 'arm64', debian: 'arm64', rpm: 'aarch64', gnu: 'aarch64-linux-gnu', systemCalls: 'native arm' },
];

/**
 * The time of everything in a package, in seconds since 1970: SOURCE_DATE_EPOCH (reproducible-builds.org), else that of
 * the last commit, so that a commit makes the same packages whenever they are built.
 */
export function sourceDate(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined && /^\d+$/.test(given)) return Number(given);
  return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: repository, encoding: 'utf8' }).trim());
}

/** Breaks text into lines of at most `width` columns. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}
