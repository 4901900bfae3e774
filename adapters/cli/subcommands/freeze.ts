// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import { harmless, harmlessJson } from '../../../core/errors/harmless-text.ts';
import { nameOf, planFreeze, type FreezePlan, type LeftOut } from '../../../core/freeze/plan.ts';
import type { FreezeCandidate, Hook } from '../../../core/ports/index.ts';
import type { SubcommandContext } from '../subcommand.ts';

/** Prints the plan of a freeze. Nothing is opened for writing, flushed, frozen or run. */
export async function run({ settings, words, flags, composition, print, complain }: SubcommandContext): Promise<number> {
  if (!flags.has('dry-run')) throw AgentError.failed('freezing is for the host to order; add --dry-run to see what it would do');
  const { fileSystem, hooks } = await composition.createBackend(settings);
  const freezing = fileSystem?.freezing;
  if (freezing === undefined) throw AgentError.failed('this machine has nothing that freezes file systems');

  const plan = planFreeze(await freezing.survey(), {
    excluded: settings.fsfreezeExclude,
    mountPoints: words.length === 0 ? undefined : words,
  });
  const hookList = (await hooks?.list()) ?? [];
  print(flags.has('json') ? `${harmlessJson(JSON.stringify(asJson(plan, hookList), undefined, 2))}\n` : asText(plan, hookList));
  for (const mountPoint of plan.idleExclusions) complain(`fsfreeze-exclude names ${mountPoint}, where nothing is mounted`);
  for (const mountPoint of plan.unmatched) complain(`nothing is mounted at ${mountPoint}`);
  for (const mountPoint of plan.covered) complain(`the file system at ${mountPoint} is covered by another mount`);
  return plan.unmatched.length + plan.covered.length === 0 ? 0 : 1;
}

/** The shape is documented in docs/configuration.md: members are only ever added. */
const asJson = (plan: FreezePlan, hooks: readonly Hook[]) => ({
  levels: plan.levels.map((level) =>
    level.map((candidate) => ({
      mountPoint: nameOf(candidate),
      alsoMountedAt: candidate.mountPoints.slice(1),
      type: candidate.type,
      source: candidate.source,
      ...(candidate.dirtyBytes === undefined ? {} : { dirtyBytes: Number(candidate.dirtyBytes) }),
      ...(candidate.flushEstimateMs === undefined ? {} : { flushEstimateMs: candidate.flushEstimateMs }),
    })),
  ),
  leftOut: plan.leftOut,
  cutCycles: plan.cutCycles,
  unmatched: plan.unmatched,
  covered: plan.covered,
  idleExclusions: plan.idleExclusions,
  hooks: hooks.map(({ name, refused }) => ({ name, ...(refused === undefined ? {} : { refused }) })),
});

function asText(plan: FreezePlan, hooks: readonly Hook[]): string {
  const frozen = plan.levels.flatMap((level, index) => level.map((candidate) => [`  ${index + 1}`, ...cells(candidate)]));
  const sections = [
    ['Hooks, before anything is frozen:', ...hooks.map(({ name, refused }) => `  ${harmless(name)}${refused === undefined ? '' : ` (will not run: ${harmless(refused)})`}`)],
    ['To be frozen, all of one level side by side, level 1 first:', ...aligned(frozen)],
    ['To be left out:', ...aligned(plan.leftOut.filter(isDisk).map(({ mountPoint, type, detail }) => [`  ${harmless(mountPoint)}`, type, harmless(detail)]))],
    ['Rings of file systems that rest on each other, cut open here:', ...plan.cutCycles.map((mountPoint) => `  ${harmless(mountPoint)}`)],
  ];
  const filled = sections.filter((section) => section.length > 1).map((section) => `${section.join('\n')}\n`);
  return [...(frozen.length === 0 ? [whyNothing(plan)] : []), ...filled].join('\n');
}

function whyNothing({ leftOut, unmatched }: FreezePlan): string {
  if (leftOut.length === 0 && unmatched.length > 0) return `Nothing would be frozen: ${unmatched.length === 1 ? 'what is named is no mount point' : 'what is named are no mount points'}.\n`;
  if (leftOut.length === 0) return 'Nothing would be frozen: nothing is mounted that could be.\n';
  const hidden = leftOut.filter((one) => !isDisk(one)).length;
  const listed = hidden === 0 ? '' : `; ${hidden === leftOut.length ? 'they' : `${hidden} of them`} keep nothing on a disk and are listed with --json alone`;
  return `Nothing would be frozen: ${leftOut.length === 1 ? '1 file system is' : `${leftOut.length} file systems are`} left out${listed}.\n`;
}

/** /proc, /sys and their like would bury the rest; `--json` has them too. */
const isDisk = ({ reason }: LeftOut): boolean => reason !== 'pseudo';

const cells = (candidate: FreezeCandidate): readonly string[] => [
  harmless(nameOf(candidate)),
  candidate.type,
  harmless(candidate.source),
  candidate.dirtyBytes === undefined ? '' : `${size(candidate.dirtyBytes)} to be flushed${likely(candidate.flushEstimateMs)}`,
];

const likely = (ms: number | undefined): string => {
  if (ms === undefined) return '';
  return ms < 100 ? ', at once' : `, in about ${(ms / 1000).toFixed(1)} s`;
};

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
}

function size(bytes: bigint): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let amount = Number(bytes);
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit] ?? ''}`;
}
