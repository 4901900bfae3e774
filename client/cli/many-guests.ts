// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { Readable, Writable } from 'node:stream';

import { messageOf } from '../../core/errors/agent-error.ts';
import { harmless, harmlessLines } from '../../core/errors/harmless-text.ts';
import { withFrozenHint } from './frozen-hint.ts';
import { statusOfError } from './status-of-error.ts';
import { table, type Column } from './table.ts';
import type { Target } from './target.ts';
import type { RunSubcommand, SubcommandContext } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** How many guests are asked side by side. */
export const SIDE_BY_SIDE = 16;
/** Bytes that a guest may have printed. */
const MOST_PRINTED = 16 * 1024 * 1024;

interface Told {
  readonly status: number;
  readonly text: string;
  readonly tables: readonly { readonly columns: readonly Column[]; readonly rows: readonly (readonly string[])[] }[];
  readonly complaints: string;
  readonly error?: string;
}

/** `--parallel`. @throws UsageError */
export function sideBySide(flags: ReadonlyMap<string, string>): number {
  const given = flags.get('parallel');
  if (given === undefined) return SIDE_BY_SIDE;
  if (!/^[1-9]\d{0,3}$/.test(given)) throw new UsageError(`--parallel takes how many guests are asked side by side, not '${given}'`);
  return Number(given);
}

/** Does something for all, some of them side by side. */
export async function forAll<T>(all: readonly T[], atOnce: number, work: (one: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < all.length) {
      const index = next;
      next += 1;
      await work(all[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, all.length) }, worker));
}

/**
 * Runs a subcommand for each of many guests, and tells of all in one table, or in a line of JSON for each as it is done.
 *
 * @returns 0 when it was for all, else the status of those that failed where it is the same, else 1
 */
export async function runForEach(run: RunSubcommand, context: Omit<SubcommandContext, 'client' | 'reconnect'>, guests: readonly Target[], opensItself: boolean): Promise<number> {
  const told: Told[] = [];
  await forAll(guests, sideBySide(context.flags), async (guest, index) => {
    const one = await tell(run, context, guest, opensItself);
    told[index] = one;
    if (context.json) context.print(`${jsonLine(guest.name, one)}\n`);
  });
  if (!context.json) show(context, guests, told);
  const failed = new Set(told.map(({ status }) => status).filter((status) => status !== 0));
  return failed.size === 0 ? 0 : failed.size === 1 ? ([...failed][0] ?? 1) : 1;
}

async function tell(run: RunSubcommand, context: Omit<SubcommandContext, 'client' | 'reconnect'>, { open }: Target, opensItself: boolean): Promise<Told> {
  const [out, err] = [new Collector(), new Collector()];
  const tables: Told['tables'][number][] = [];
  let client;
  let status = 0;
  let error: string | undefined;
  try {
    client = opensItself ? undefined : await open();
    const { ask: _nobody, ...rest } = context;
    status = await run({
      ...rest, stdin: Readable.from([]), stdout: out, stderr: err, isWatched: false, isScreen: false, isTyped: false,
      print: (text) => void out.write(text),
      complain: (text) => void err.write(text),
      showTable: (columns, rows) => void tables.push({ columns, rows }),
      showPairs: (given) => void tables.push({ columns: given.map(([name]) => ({ title: name.toUpperCase() })), rows: [given.map(([, value]) => value ?? '')] }),
      // What opens its channels itself does not ask for one.
      client: client as SubcommandContext['client'],
      reconnect: open,
    });
  } catch (thrown) {
    const explained = client === undefined ? thrown : await withFrozenHint(client, thrown);
    status = statusOfError(explained);
    error = messageOf(explained);
  } finally {
    client?.close();
  }
  return { status, text: out.text(), tables, complaints: err.text(), ...(error === undefined ? {} : { error }) };
}

/** The answer is JSON already; between its parts alone are line feeds. */
function jsonLine(name: string, { status, text, complaints, error }: Told): string {
  const answer = text.trim().replaceAll(/\n */g, '');
  const problem = error ?? (status === 0 || complaints === '' ? undefined : complaints.trim());
  return `{"guest": ${JSON.stringify(name)}, "status": ${status}${answer === '' ? '' : `, "answer": ${answer}`}${problem === undefined ? '' : `, "error": ${JSON.stringify(problem)}`}}`;
}

function show({ print, complain }: Pick<SubcommandContext, 'print' | 'complain'>, guests: readonly Target[], told: readonly Told[]): void {
  // Every guest has the columns of the others: it is the same subcommand.
  const columns = told.find(({ tables }) => tables.length > 0)?.tables[0]?.columns;
  if (columns !== undefined) {
    print(table([{ title: 'GUEST' }, ...columns], guests.flatMap(({ name }, index) => told[index]?.tables.flatMap(({ rows }) => rows.map((row) => [name, ...row])) ?? [])));
  }
  const width = Math.max(...guests.map(({ name }) => name.length));
  for (const [index, { name }] of guests.entries()) {
    const { text, complaints, error } = told[index] as Told;
    for (const line of text.split('\n').filter((one) => one !== '')) print(`${harmless(name).padEnd(width)}  ${line}\n`);
    for (const line of complaints.split('\n').filter((one) => one !== '')) complain(`${harmless(name)}: ${harmlessLines(line).replace(/^concierge-ctl: /, '')}\n`);
    if (error !== undefined) complain(`concierge-ctl: ${harmless(name)}: ${harmless(error)}\n`);
  }
}

/** Keeps what is printed. */
class Collector extends Writable {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#length < MOST_PRINTED) this.#chunks.push(chunk.subarray(0, MOST_PRINTED - this.#length));
    this.#length += chunk.length;
    done();
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
