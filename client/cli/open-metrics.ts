// SPDX-License-Identifier: Apache-2.0
type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly type: 'gauge' | 'counter' | 'info';
  readonly help: string;
  readonly unit: string | undefined;
  readonly samples: string[];
}

const escaped = (text: string): string => text.replaceAll('\\', String.raw`\\`).replaceAll('"', String.raw`\"`).replaceAll('\n', String.raw`\n`);
const labelText = (labels: Labels): string => {
  const all = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return all.length === 0 ? '' : `{${all.join(',')}}`;
};

/**
 * Samples in the text format of OpenMetrics 1.0, those of one family together. Prometheus' own text format, which the textfile collector of
 * node_exporter reads, takes it as well: there a counter's type is told of a name without `_total`, and the sample counts as untyped.
 */
export class OpenMetrics {
  readonly #families = new Map<string, Family>();

  /** No sample where there is no value. */
  gauge(name: string, help: string, labels: Labels, value: bigint | number | undefined, unit?: string): void {
    this.#add(name, { type: 'gauge', help, unit, samples: [] }, name, labels, value);
  }

  /** @param name without `_total` */
  counter(name: string, help: string, labels: Labels, value: bigint | number | undefined, unit?: string): void {
    this.#add(name, { type: 'counter', help, unit, samples: [] }, `${name}_total`, labels, value);
  }

  /** What is said in labels alone. @param name without `_info` */
  info(name: string, help: string, labels: Labels): void {
    this.#add(name, { type: 'info', help, unit: undefined, samples: [] }, `${name}_info`, labels, 1);
  }

  text(): string {
    const families = [...this.#families].map(([name, { type, help, unit, samples }]) =>
      [`# TYPE ${name} ${type}`, ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]), `# HELP ${name} ${escaped(help)}`, ...samples].join('\n'));
    return `${[...families, '# EOF'].join('\n')}\n`;
  }

  #add(name: string, empty: Family, sample: string, labels: Labels, value: bigint | number | undefined): void {
    if (value === undefined) return;
    const family = this.#families.get(name) ?? empty;
    this.#families.set(name, family);
    family.samples.push(`${sample}${labelText(labels)} ${value}`);
  }
}
