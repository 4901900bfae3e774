// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Processes } from '../../../core/ports/processes.ts';
import { helperOutcome, runHelperProgram } from '../programs/helper-program.ts';

/** The service manager answers at once, or it is of no use. */
const WITHIN = 30_000;

/** In this order: a start that comes while the unit is being stopped would be lost. */
const script = `
systemctl stop "$1"
echo "$2" >"$3/unbind"
echo "$2" >"$3/bind"
systemctl start "$1"`;

/**
 * The service that this process is, where systemd ends it together with a device (BindsTo=): it cannot itself take away the
 * device and live to give it back.
 */
export async function boundUnit(processes?: Processes, cgroup = '/proc/self/cgroup'): Promise<string | undefined> {
  const unit = unitOf(cgroup);
  if (unit === undefined) return undefined;
  const { output, error } = await helperOutcome(
    { program: 'systemctl', arguments: ['show', '--property=BindsTo', '--value', unit], action: `ask about ${unit}`, timeLimitMs: WITHIN },
    processes,
  );
  return error === undefined && /\.device\b/.test(output) ? unit : undefined;
}

function unitOf(cgroup: string): string | undefined {
  try {
    return readFileSync(cgroup, 'utf8').split('\n').map((line) => basename(line)).find((name) => name.endsWith('.service'));
  } catch {
    return undefined;
  }
}

/** Has systemd stop the unit, take the device from its driver and give it back, and start the unit again. @throws failed error */
export async function restartAround(unit: string, { device, driver }: { readonly device: string; readonly driver: string }, processes?: Processes): Promise<void> {
  await runHelperProgram(
    {
      program: 'systemd-run',
      arguments: ['--collect', '--quiet', `--description=Reset of the port of ${unit}`, '/bin/sh', '-c', script, 'sh', unit, device, driver],
      action: 'start the reset',
      timeLimitMs: WITHIN,
    },
    processes,
  );
}
