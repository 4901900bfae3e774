// SPDX-License-Identifier: Apache-2.0
import type { ProcessEnd } from '../../core/ports/index.ts';

/** What a program of the fake sees and can do. */
export interface ProgramContext {
  readonly pid: number;
  /** `argv`: the program's name as it was called, then its arguments. */
  readonly argv: readonly string[];
  /** `NAME=VALUE` each. */
  readonly environment: readonly string[];
  readonly input: Uint8Array;
  readonly workingDirectory: string;
  /** Aborted when the process is killed; what it does afterwards has no effect. */
  readonly killed: AbortSignal;
  readonly print: (data: string | Uint8Array) => void;
  readonly complain: (data: string | Uint8Array) => void;
  /** Resolves after `ms` of the machine's time, whether it was killed meanwhile or not. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Leaves a child behind that holds the output open until the returned function is called. */
  readonly leaveChild: () => () => void;
}

/** A program: answers its exit code (nothing: 0), or how it ended. One that throws is ended by SIGABRT. */
export type ProgramFunction = (context: ProgramContext) => ProgramResult | Promise<ProgramResult>;
export type ProgramResult = number | ProcessEnd | void;

const variable = (environment: readonly string[], name: string): string | undefined =>
  environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);

/** sleep(1): seconds with a fraction, several are added up, with the suffixes s, m, h and d. */
function seconds(context: ProgramContext): number | undefined {
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
  let sum = 0;
  for (const argument of context.argv.slice(1)) {
    const [, number, unit] = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(argument) ?? [];
    if (number === undefined) {
      context.complain(`sleep: invalid time interval '${argument}'\n`);
      return undefined;
    }
    sum += Number(number) * (units[unit ?? ''] ?? 1);
  }
  return sum;
}

const programs = {
  true: () => 0,
  false: () => 1,
  echo: ({ argv, print }) => {
    const words = argv.slice(1);
    const newline = words[0] === '-n' ? '' : '\n';
    print(`${(newline === '' ? words.slice(1) : words).join(' ')}${newline}`);
  },
  cat: ({ input, print }) => print(input),
  pwd: ({ workingDirectory, print }) => print(`${workingDirectory}\n`),
  env: ({ environment, print }) => print(environment.map((entry) => `${entry}\n`).join('')),
  printenv: ({ argv, environment, print }) => {
    const value = variable(environment, argv[1] ?? '');
    if (value === undefined) return 1;
    print(`${value}\n`);
    return 0;
  },
  sleep: async (context) => {
    const duration = seconds(context);
    if (duration === undefined) return 1;
    await context.sleep(duration * 1000);
    return 0;
  },
} satisfies Record<string, ProgramFunction>;

/** The programs that every fake machine has, by path. */
export const standardPrograms: Readonly<Record<string, ProgramFunction>> = Object.fromEntries(
  Object.entries(programs).map(([name, program]) => [`/usr/bin/${name}`, program]),
);
