import type { Output } from '../guest-client.ts';
import { printable, table, timeText } from './table.ts';

const milliseconds = (ns: bigint | undefined): string => (ns === undefined ? '' : `${(Number(ns) / 1e6).toFixed(1)} ms`);
const clock = (ns: bigint): string => timeText(Number(ns / 1_000_000n));

/** The report of a freeze for people. */
export function reportText(report: Output<'__org.concierge_fsfreeze-report'>): string {
  const started = report['started-at'];
  if (started === undefined) return 'nothing has been frozen since the agent began\n';
  const ended = report['ended-at'];
  const lines = [
    `frozen ${clock(started)}${ended === undefined ? '' : `, ended ${clock(ended)}${report['ended-by'] === undefined ? '' : ` by ${report['ended-by']}`}`}`,
    ...(report.detail === undefined ? [] : [printable(report.detail)]),
  ];
  const systems = report.filesystems.length === 0 ? '' : table(
    [{ title: 'MOUNTED ON' }, { title: 'RESULT' }, { title: 'FLUSHED IN', right: true }, { title: 'FROZEN IN', right: true }, { title: 'PROBLEM' }],
    report.filesystems.map((one) => [one.mountpoint, one.result, milliseconds(one['flush-ns']), milliseconds(one['freeze-ns']), one.error ?? one['thaw-error'] ?? '']),
  );
  const leftOut = report['left-out'].map(({ mountpoint, detail }) => `left out ${detail.startsWith(mountpoint) ? '' : `${printable(mountpoint)}: `}${printable(detail)}\n`).join('');
  const hooks = report.hooks.map(({ name, phase, ok, error }) => `hook ${printable(name)} ${phase}: ${ok ? 'done' : printable(error ?? 'failed')}\n`).join('');
  return `${lines.join('\n')}\n${systems}${leftOut}${hooks}`;
}
