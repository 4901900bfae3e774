// SPDX-License-Identifier: Apache-2.0
import { warning } from '../../../core/diagnosis/finding.ts';
import { messageOf } from '../../../core/errors/agent-error.ts';
import type { Diagnosis, Finding } from '../../../core/ports/diagnosis.ts';
import { within } from '../../shared/within.ts';
import { byHand } from './checklist.ts';
import { portFindings } from './port-findings.ts';
import { eventSourceFindings, keyFileFindings, placeFindings, rightsFindings } from './security-findings.ts';
import { windowsTrials } from './self-test.ts';
import { agentServiceFindings, commandServiceFindings, rivalFindings, vssServiceFindings } from './service-findings.ts';
import { sleepFindings } from './sleep-findings.ts';
import { providerFindings, writerFindings } from './vss-findings.ts';

interface Look {
  readonly subject: string;
  readonly look: () => readonly Finding[] | Promise<readonly Finding[]>;
}

/** In the order in which somebody would ask: may it, does it run, can the host come, will it freeze. */
const looks: readonly Look[] = [
  { subject: 'rights', look: rightsFindings },
  { subject: 'places', look: placeFindings },
  { subject: 'service', look: agentServiceFindings },
  { subject: 'service QEMU-GA', look: rivalFindings },
  { subject: 'virtio port', look: portFindings },
  { subject: 'services of VSS', look: vssServiceFindings },
  { subject: 'VSS provider', look: providerFindings },
  { subject: 'VSS writers', look: () => writerFindings() },
  { subject: 'services for commands', look: commandServiceFindings },
  { subject: 'event log', look: eventSourceFindings },
  { subject: 'SSH keys', look: keyFileFindings },
  { subject: 'guest-suspend', look: sleepFindings },
];

/** Longer than the writers may take, which have limits of their own. */
const patienceMs = 60_000;

/** One look, whatever becomes of it. */
async function examined({ subject, look }: Look, limitMs: number): Promise<readonly Finding[]> {
  try {
    // Not begun before somebody catches what it throws.
    const found = await within(limitMs, Promise.resolve().then(look));
    return found ?? [warning(subject, `no answer within ${limitMs / 1000} s`)];
  } catch (error) {
    return [warning(subject, messageOf(error))];
  }
}

/** What of Windows has to be there, and what only a person can see. Side by side: none waits for another. */
export const windowsDiagnosis = (tasks: readonly Look[] = looks, limitMs = patienceMs): Diagnosis => ({
  async examine() {
    const found = await Promise.all(tasks.map((task) => examined(task, limitMs)));
    return [...found.flat(), ...byHand];
  },
  trials: windowsTrials,
});
