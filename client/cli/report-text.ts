// SPDX-License-Identifier: Apache-2.0
import { harmless } from '../../core/errors/harmless-text.ts';
import type { Output } from '../guest-client.ts';
import { leftOutText } from './left-out.ts';
import { table, timeText } from './table.ts';

type Report = Output<'__org.concierge_fsfreeze-report'>;

const milliseconds = (ns: bigint | undefined): string => (ns === undefined ? '' : `${(Number(ns) / 1e6).toFixed(1)} ms`);
const clock = (ns: bigint): string => timeText(Number(ns / 1_000_000n));

/** Until when the freeze lasts that is on, and what it means that nothing is known of that. */
export function untilText(report: Report | undefined): string {
  if (report === undefined) return 'until it is thawed: an agent that is not Concierge has no deadline';
  const deadline = report['deadline-at'];
  return deadline === undefined ? 'until it is thawed: it has no deadline' : `until it is thawed, at the latest until ${clock(deadline)} by the guest's clock`;
}

/** The report of a freeze for people. */
export function reportText(report: Report): string {
  const started = report['started-at'];
  if (started === undefined) return 'nothing has been frozen since the agent began\n';
  const ended = report['ended-at'];
  const until = report['deadline-at'] === undefined ? '' : `, until ${clock(report['deadline-at'])} at the latest`;
  const lines = [
    `frozen ${clock(started)}${until}${ended === undefined ? '' : `, ended ${clock(ended)}${report['ended-by'] === undefined ? '' : ` by ${harmless(report['ended-by'])}`}`}`,
    ...(report.detail === undefined ? [] : [harmless(report.detail)]),
  ];
  const systems = report.filesystems.length === 0 ? '' : table(
    [{ title: 'MOUNTED ON' }, { title: 'RESULT' }, { title: 'FLUSHED IN', right: true }, { title: 'FROZEN IN', right: true }, { title: 'PROBLEM' }],
    report.filesystems.map((one) => [one.mountpoint, one.result, milliseconds(one['flush-ns']), milliseconds(one['freeze-ns']), one.error ?? one['thaw-error'] ?? '']),
  );
  const leftOut = leftOutText(report['left-out']);
  const hooks = report.hooks.map(({ name, phase, ok, error }) => `hook ${harmless(name)} ${harmless(phase)}: ${ok ? 'done' : harmless(error ?? 'failed')}\n`).join('');
  return `${lines.join('\n')}\n${systems}${leftOut}${hooks}`;
}
