// SPDX-License-Identifier: Apache-2.0
import { harmless } from '../../core/errors/harmless-text.ts';

type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly type: 'gauge' | 'counter' | 'info';
  readonly help: string;
  readonly unit: string | undefined;
  /** By name and labels. */
  readonly samples: Map<string, bigint | number>;
}

/** Characters of the value of a label: names are a guest's, and as long as it likes. */
export const LONGEST_LABEL = 1024;

const escaped = (text: string): string => text.replaceAll('\\', String.raw`\\`).replaceAll('"', String.raw`\"`).replaceAll('\n', String.raw`\n`);
const labelText = (labels: Labels): string => {
  const all = Object.entries(labels).map(([name, value]) => `${name}="${escaped(harmless(value.slice(0, LONGEST_LABEL)))}"`);
  return all.length === 0 ? '' : `{${all.join(',')}}`;
};

/**
 * Samples in the text format of OpenMetrics 1.0, those of one family together. Prometheus' own text format, which the textfile collector of
 * node_exporter reads, takes it as well: there a counter's type is told of a name without `_total`, and the sample counts as untyped.
 * Of several samples with one name and the same labels the first is told: a second makes readers refuse the whole, with all other guests.
 */
export class OpenMetrics {
  readonly #families = new Map<string, Family>();

  /** No sample where there is no value. */
  gauge(name: string, help: string, labels: Labels, value: bigint | number | undefined, unit?: string): void {
    this.#add(name, { type: 'gauge', help, unit, samples: new Map() }, name, labels, value);
  }

  /** @param name without `_total` */
  counter(name: string, help: string, labels: Labels, value: bigint | number | undefined, unit?: string): void {
    this.#add(name, { type: 'counter', help, unit, samples: new Map() }, `${name}_total`, labels, value);
  }

  /** What is said in labels alone. @param name without `_info` */
  info(name: string, help: string, labels: Labels): void {
    this.#add(name, { type: 'info', help, unit: undefined, samples: new Map() }, `${name}_info`, labels, 1);
  }

  text(): string {
    const families = [...this.#families].map(([name, { type, help, unit, samples }]) =>
      [`# TYPE ${name} ${type}`, ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]), `# HELP ${name} ${escaped(help)}`, ...Array.from(samples, ([sample, value]) => `${sample} ${value}`)].join('\n'));
    return `${[...families, '# EOF'].join('\n')}\n`;
  }

  #add(name: string, empty: Family, sample: string, labels: Labels, value: bigint | number | undefined): void {
    // Beyond what a double holds is no number to readers either.
    if (value === undefined || !Number.isFinite(Number(value))) return;
    const family = this.#families.get(name) ?? empty;
    this.#families.set(name, family);
    const key = `${sample}${labelText(labels)}`;
    if (!family.samples.has(key)) family.samples.set(key, value);
  }
}
