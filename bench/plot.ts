// SPDX-License-Identifier: Apache-2.0
/**
 * Draws docs/plots from what benchmarks have written to bench/results (freeze.ts, asleep.ts, facts.ts): `npm run bench -- --plot`.
 * The figures that are drawn are kept beside the plots, so that they can be drawn again.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { init, type EChartsOption, type SeriesOption } from 'echarts';

const results = join(import.meta.dirname, 'results');
const plots = resolve(import.meta.dirname, '../docs/plots');
const colours = { ours: '#2f6f9f', asleep: '#9fc4dc', theirs: '#c8762b' };

/** The newest figures of a benchmark, made smaller; else those of the last plot. */
function figures<Figures>(name: string, from: string, keep: (result: never) => Figures): Figures | undefined {
  const [newer, kept] = [join(results, from), join(plots, `${name}.json`)];
  if (existsSync(newer)) writeFileSync(kept, `${JSON.stringify(keep(JSON.parse(readFileSync(newer, 'utf8')) as never))}\n`);
  return existsSync(kept) ? (JSON.parse(readFileSync(kept, 'utf8')) as Figures) : undefined;
}

function draw(name: string, height: number, option: EChartsOption): void {
  const chart = init(undefined, undefined, { renderer: 'svg', ssr: true, width: 720, height });
  chart.setOption({ animation: false, backgroundColor: '#ffffff', textStyle: { fontFamily: 'sans-serif' }, ...option });
  writeFileSync(join(plots, `${name}.svg`), `${chart.renderToSVGString()}\n`);
  chart.dispose();
  console.log(`docs/plots/${name}.svg`);
}

/** Wide apart: without a browser the words are measured by a narrower font than they are shown in. */
const legend = { bottom: 0, itemGap: 32 };

const title = (text: string, subtext: string): NonNullable<EChartsOption['title']> => ({ text, subtext, left: 'center', textStyle: { fontSize: 15 }, subtextStyle: { fontSize: 11 } });

/** Milliseconds, sorted: what part of the freezes stalled a writer for at most so long. */
interface Stalls {
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

interface FreezeResult {
  readonly all: Readonly<Record<string, Readonly<Record<'ours' | 'theirs', { readonly stall: readonly number[] }>>>>;
}

const sortedMilliseconds = (nanoseconds: readonly number[]): number[] => nanoseconds.map((ns) => Number((ns / 1e6).toFixed(2))).toSorted((a, b) => a - b);

function drawStalls({ ours, theirs }: Stalls): void {
  const steps = (values: readonly number[]): number[][] => values.map((value, index) => [value, ((index + 1) / values.length) * 100]);
  const line = (name: string, values: readonly number[], color: string): object => ({ name, type: 'line', step: 'end', showSymbol: false, data: steps(values), color, lineStyle: { width: 2.5 } });
  draw('stall', 340, {
    title: title('How long applications stand still through a freeze', `longest stall of writers on 8 file systems, ${ours.length} samples each: part of them that stood still no longer than`),
    legend,
    grid: { left: 60, right: 30, top: 70, bottom: 75 },
    xAxis: { type: 'log', name: 'milliseconds', nameLocation: 'middle', nameGap: 25, min: 1, max: 1000 },
    yAxis: { type: 'value', max: 100, axisLabel: { formatter: '{value} %' } },
    series: [line('concierge-ga', ours, colours.ours), line('qemu-ga', theirs, colours.theirs)] as SeriesOption[],
  });
}

type Memory = Readonly<Record<'rss' | 'pss' | 'anonymous', number>>;
interface Footprint {
  readonly memory: Readonly<Record<'concierge-ga' | 'qemu-ga' | 'asleep', Memory>>;
}

function drawFootprint({ memory }: Footprint): void {
  const kinds = ['rss', 'pss', 'anonymous'] as const;
  const bar = (name: string, of: Memory, color: string): object => ({
    name, type: 'bar', color, data: kinds.map((kind) => Number((of[kind] / 1024).toFixed(of[kind] < 1024 ? 2 : 1))), label: { show: true, position: 'right', fontSize: 11 },
  });
  draw('footprint', 320, {
    title: title('Memory of an agent that has nothing to do', 'MiB; asleep: under a keeper, which is asked for'),
    legend,
    grid: { left: 90, right: 60, top: 60, bottom: 60 },
    xAxis: { type: 'value' },
    yAxis: { type: 'category', inverse: true, data: ['RSS', 'PSS', 'anonymous'] },
    series: [bar('concierge-ga, awake', memory['concierge-ga'], colours.ours), bar('concierge-ga, asleep', memory.asleep, colours.asleep), bar('qemu-ga', memory['qemu-ga'], colours.theirs)] as SeriesOption[],
  });
}

/** Microseconds, for each command: ours and the reference's, of the first ten requests and of later ones. */
type Latencies = Readonly<Record<string, Readonly<Record<'first' | 'after', readonly [ours: number, theirs: number]>>>>;
interface FactsResult {
  readonly summary: Readonly<Record<string, Readonly<Record<'first' | 'after', readonly { readonly median: number }[]>>>>;
}

function drawLatencies(latencies: Latencies): void {
  const names = Object.keys(latencies);
  const bar = (name: string, when: 'first' | 'after', which: 0 | 1, color: string): object => ({ name, type: 'bar', color, barGap: '10%', data: names.map((one) => Math.round(latencies[one]?.[when][which] ?? 0)) });
  draw('latency', 90 + names.length * 40, {
    title: title('Time until an answer, in microseconds', 'medians; the first ten requests after the start, and after a thousand and more; less is better'),
    legend,
    grid: { left: 190, right: 30, top: 60, bottom: 60 },
    xAxis: { type: 'log', min: 10 },
    yAxis: { type: 'category', inverse: true, data: names.map((name) => name.replace('guest-', '')) },
    series: [
      bar('concierge-ga, first', 'first', 0, colours.asleep), bar('concierge-ga, later', 'after', 0, colours.ours),
      bar('qemu-ga, first', 'first', 1, '#e9bd93'), bar('qemu-ga, later', 'after', 1, colours.theirs),
    ] as SeriesOption[],
  });
}

mkdirSync(plots, { recursive: true });
const stalls = figures<Stalls>('stall', 'freeze.json', ({ all }: FreezeResult) => {
  const of = all['under load, 8'];
  return { ours: sortedMilliseconds(of?.ours.stall ?? []), theirs: sortedMilliseconds(of?.theirs.stall ?? []) };
});
const footprint = figures<Footprint>('footprint', 'footprint.json', ({ memory }: Footprint) => ({ memory }));
const latencies = figures<Latencies>('latency', 'facts.json', ({ summary }: FactsResult) =>
  Object.fromEntries(Object.entries(summary).map(([name, { first, after }]) => [name, { first: first.map((one) => Number(one.median.toFixed(1))), after: after.map((one) => Number(one.median.toFixed(1))) }])) as unknown as Latencies);
if (stalls !== undefined) drawStalls(stalls);
if (footprint !== undefined) drawFootprint(footprint);
if (latencies !== undefined) drawLatencies(latencies);
