// SPDX-License-Identifier: Apache-2.0
import { harmless } from '../../core/errors/harmless-text.ts';
import type { Output } from '../guest-client.ts';
import { leftOutText } from './left-out.ts';
import { bytesText, table } from './table.ts';

type Plan = Output<'__org.concierge_fsfreeze-plan'>;
type Planned = Plan['filesystems'][number];

const flush = ({ 'dirty-bytes': dirty, 'flush-estimate-ms': ms }: Planned): string => {
  if (dirty === undefined) return '';
  return ms === undefined ? bytesText(dirty) : `${bytesText(dirty)}, ${ms < 100n ? 'at once' : `about ${(Number(ms) / 1000).toFixed(1)} s`}`;
};

/** What a freeze would do, for people. */
export function planText(plan: Plan): string {
  // /proc, /sys and their like would bury the rest.
  const shown = plan['left-out'].filter(({ reason }) => reason !== 'pseudo');
  const sections = [
    plan.hooks.map(({ name, refused }) => `hook ${harmless(name)}${refused === undefined ? '' : ` (will not run: ${harmless(refused)})`}\n`).join(''),
    plan.filesystems.length === 0 ? whyNothing(plan, shown.length) : table(
      [{ title: 'LEVEL', right: true }, { title: 'MOUNTED ON' }, { title: 'TYPE' }, { title: 'DEVICE' }, { title: 'TO BE FLUSHED' }],
      plan.filesystems.map((one) => [String(one.level), one.mountpoint, one.type, one.source, flush(one)]),
    ),
    leftOutText(shown),
    plan['cut-cycles'].map((one) => `file systems rest on each other in a ring, cut open at ${harmless(one)}\n`).join(''),
  ];
  return sections.join('');
}

function whyNothing({ 'left-out': leftOut, unmatched }: Plan, shown: number): string {
  if (leftOut.length === 0 && unmatched.length > 0) return `nothing would be frozen: ${unmatched.length === 1 ? 'what is named is no mount point' : 'what is named are no mount points'}\n`;
  if (leftOut.length === 0) return 'nothing would be frozen: nothing is mounted that could be\n';
  const all = leftOut.length === 1 ? '1 file system is' : `${leftOut.length} file systems are`;
  return `nothing would be frozen: ${all} left out${shown === leftOut.length ? '' : ', all of them listed with --json'}\n`;
}
