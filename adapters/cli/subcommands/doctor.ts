// SPDX-License-Identifier: Apache-2.0
import { bad } from '../../../core/diagnosis/finding.ts';
import { messageOf } from '../../../core/errors/agent-error.ts';
import { harmless, harmlessJson } from '../../../core/errors/harmless-text.ts';
import type { Finding } from '../../../core/ports/index.ts';
import { channelFindings, commandFindings, hookFindings, planFindings } from '../doctor/backend-findings.ts';
import { configurationFindings } from '../doctor/configuration-findings.ts';
import { logFindings } from '../doctor/log-findings.ts';
import { stateFindings } from '../doctor/state-findings.ts';
import { afterRealTime, withinLimit, type After } from '../doctor/time-limit.ts';
import type { RunSubcommand, SubcommandContext } from '../subcommand.ts';

const order: readonly Finding['verdict'][] = ['bad', 'warning', 'good', 'by-hand'];

/** For one look: somebody is waiting, and what takes longer hangs. */
const lookMs = 10_000;
/** For all that the backend looks at: its looks have limits of their own, of up to a minute on Windows. */
const diagnosisMs = 90_000;

/** Looks at everything and changes nothing. Status 1 where something is bad. */
export const run: RunSubcommand = (context) => examine(context, afterRealTime);

export async function examine({ settings, configuration, flags, composition, print }: SubcommandContext, after: After): Promise<number> {
  const findings = [...configurationFindings(settings, configuration), ...stateFindings(settings.statedir), ...logFindings(settings.logfile), ...(await systemFindings(settings, composition, after))];
  print(flags.has('json') ? `${harmlessJson(JSON.stringify(findings, undefined, 2))}\n` : asText(findings));
  return findings.some(({ verdict }) => verdict === 'bad') ? 1 : 0;
}

async function systemFindings(settings: SubcommandContext['settings'], composition: SubcommandContext['composition'], after: After): Promise<readonly Finding[]> {
  try {
    const backend = await composition.createBackend(settings);
    return [
      ...(await withinLimit('channel', lookMs, channelFindings(await composition.channelsOf(backend), settings), after)),
      ...(await withinLimit('freeze hooks', lookMs, hookFindings(backend), after)),
      ...(await withinLimit('freeze plan', lookMs, planFindings(backend, settings.fsfreezeExclude), after)),
      ...commandFindings(backend, settings),
      ...(backend.diagnosis === undefined ? [] : await withinLimit('diagnosis', diagnosisMs, backend.diagnosis.examine(), after)),
    ];
  } catch (error) {
    return [bad('backend', messageOf(error), 'concierge-ga backends lists what there is')];
  }
}

function asText(findings: readonly Finding[]): string {
  const sections = order.map((verdict) => findings.filter((finding) => finding.verdict === verdict)).filter((section) => section.length > 0);
  const width = Math.max(0, ...findings.map(({ subject }) => subject.length));
  const paragraphs = sections.map((section) => section.map((finding) => lines(finding, width)).join(''));
  return `${paragraphs.join('\n')}\n${summary(findings)}\n`;
}

function lines({ verdict, subject, detail, remedy }: Finding, width: number): string {
  const first = `${verdict.padEnd('warning'.length)}  ${subject.padEnd(width)}  ${harmless(detail)}\n`;
  return remedy === undefined ? first : `${first}${' '.repeat('warning'.length + width + 4)}→ ${harmless(remedy)}\n`;
}

function summary(findings: readonly Finding[]): string {
  const count = (verdict: Finding['verdict']): number => findings.filter((finding) => finding.verdict === verdict).length;
  const [wrong, warnings, byHand] = [count('bad'), count('warning'), count('by-hand')];
  const rest = byHand === 0 ? '' : `; ${byHand} to be seen by a person alone`;
  if (wrong === 0 && warnings === 0) return `Nothing is wrong${rest}.`;
  return `${wrong} bad, ${warnings === 1 ? '1 warning' : `${warnings} warnings`}${rest}.`;
}
