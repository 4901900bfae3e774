// SPDX-License-Identifier: Apache-2.0
import { bad } from '../../../core/diagnosis/finding.ts';
import { messageOf } from '../../../core/errors/agent-error.ts';
import { harmless, harmlessJson } from '../../../core/errors/harmless-text.ts';
import type { Finding } from '../../../core/ports/index.ts';
import { channelFindings, commandFindings, hookFindings, planFindings } from '../doctor/backend-findings.ts';
import { configurationFindings } from '../doctor/configuration-findings.ts';
import { auditFindings, logFindings } from '../doctor/log-findings.ts';
import { policyFindings } from '../doctor/policy-findings.ts';
import { stateFindings } from '../doctor/state-findings.ts';
import { version } from '../../config/product.ts';
import { selfTest, type TrialReport } from '../doctor/self-test.ts';
import { afterRealTime, withinLimit, type After } from '../doctor/time-limit.ts';
import type { RunSubcommand, SubcommandContext } from '../subcommand.ts';

const order: readonly Finding['verdict'][] = ['bad', 'warning', 'good', 'by-hand'];

/** For one look: somebody is waiting, and what takes longer hangs. */
const lookMs = 10_000;
/** For all that the backend looks at: its looks have limits of their own, of up to a minute on Windows. */
const diagnosisMs = 90_000;

/** Looks at everything and changes nothing. Status 1 where something is bad. */
export const run: RunSubcommand = (context) => examine(context, afterRealTime);

export async function examine(context: SubcommandContext, after: After): Promise<number> {
  const { settings, configuration, flags, composition, print } = context;
  if (flags.has('self-test')) return trySystem(context);
  const findings = [
    ...configurationFindings(settings, configuration),
    ...stateFindings(settings.statedir),
    ...logFindings(settings.logfile),
    ...auditFindings(settings.audit),
    ...(await withinLimit('policy', lookMs, policyFindings(settings, composition), after)),
    ...(await systemFindings(settings, composition, after)),
  ];
  print(flags.has('json') ? `${harmlessJson(JSON.stringify(findings, undefined, 2))}\n` : asText(findings));
  return findings.some(({ verdict }) => verdict === 'bad') ? 1 : 0;
}

/** Status 1 where something failed. A word behind it is the one mount point that is frozen, and nothing else is tried. */
async function trySystem({ settings, words, flags, composition, print }: SubcommandContext): Promise<number> {
  if (process.platform === 'win32' && words[0] === 'leave-child') {
    // For the trial whether a program outlives who started it.
    const { startChild } = await import('../../windows/module.ts');
    print(`${(await startChild()).detail}\n`);
    return process.exit(0);
  }
  const backend = await composition.createBackend(settings);
  const reports = await selfTest(backend, settings.statedir, words[0]);
  if (flags.has('json')) print(`${harmlessJson(JSON.stringify({ version, platform: process.platform, at: new Date().toISOString(), trials: reports }, undefined, 2))}\n`);
  else print(reports.map(trialLine).join(''));
  return reports.some(({ result }) => result === 'failed') ? 1 : 0;
}

const trialLine = ({ trial, result, detail, ms, times = {} }: TrialReport): string =>
  `${result.padEnd('not here'.length)}  ${trial}: ${harmless(detail)} (${[`${ms} ms`, ...Object.entries(times).map(([step, its]) => `${step} ${its} ms`)].join(', ')})\n`;

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
