import { messageOf } from '../../../core/errors/agent-error.ts';
import type { Finding } from '../../../core/ports/index.ts';
import { channelFindings, commandFindings, freezeFindings } from '../doctor/backend-findings.ts';
import { configurationFindings } from '../doctor/configuration-findings.ts';
import { unwell } from '../doctor/finding.ts';
import { stateFindings } from '../doctor/state-findings.ts';
import type { SubcommandContext } from './index.ts';

const order: readonly Finding['verdict'][] = ['bad', 'warning', 'good', 'by-hand'];

/** Looks at everything and changes nothing. Status 1 where something is bad. */
export async function run({ settings, configuration, flags, composition, print }: SubcommandContext): Promise<number> {
  const findings = [...configurationFindings(settings, configuration), ...stateFindings(settings.statedir), ...(await systemFindings(settings, composition))];
  print(flags.has('json') ? `${JSON.stringify(findings, undefined, 2)}\n` : asText(findings));
  return findings.some(({ verdict }) => verdict === 'bad') ? 1 : 0;
}

async function systemFindings(settings: SubcommandContext['settings'], composition: SubcommandContext['composition']): Promise<readonly Finding[]> {
  try {
    const backend = await composition.createBackend(settings);
    return [
      ...(await channelFindings(await composition.channelsOf(backend), settings)),
      ...(await freezeFindings(backend, settings.fsfreezeExclude)),
      ...commandFindings(backend),
      ...((await backend.diagnosis?.examine()) ?? []),
    ];
  } catch (error) {
    return [unwell('bad', 'backend', messageOf(error), 'concierge-ga backends lists what there is')];
  }
}

function asText(findings: readonly Finding[]): string {
  const sections = order.map((verdict) => findings.filter((finding) => finding.verdict === verdict)).filter((section) => section.length > 0);
  const width = Math.max(0, ...findings.map(({ subject }) => subject.length));
  const paragraphs = sections.map((section) => section.map((finding) => lines(finding, width)).join(''));
  return `${paragraphs.join('\n')}\n${summary(findings)}\n`;
}

/** A path may have a newline in it, and a line is one finding. */
const printable = (text: string): string => text.replace(/[\x00-\x1f\x7f]/g, (character) => JSON.stringify(character).slice(1, -1));

function lines({ verdict, subject, detail, remedy }: Finding, width: number): string {
  const first = `${verdict.padEnd('warning'.length)}  ${subject.padEnd(width)}  ${printable(detail)}\n`;
  return remedy === undefined ? first : `${first}${' '.repeat('warning'.length + width + 4)}→ ${printable(remedy)}\n`;
}

function summary(findings: readonly Finding[]): string {
  const count = (verdict: Finding['verdict']): number => findings.filter((finding) => finding.verdict === verdict).length;
  const [bad, warnings, byHand] = [count('bad'), count('warning'), count('by-hand')];
  const rest = byHand === 0 ? '' : `; ${byHand} to be seen by a person alone`;
  if (bad === 0 && warnings === 0) return `Nothing is wrong${rest}.`;
  return `${bad} bad, ${warnings === 1 ? '1 warning' : `${warnings} warnings`}${rest}.`;
}
