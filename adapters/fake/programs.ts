// SPDX-License-Identifier: Apache-2.0
import { conversations } from './conversations.ts';
import type { ProgramFunction, ProgramContext } from './program-context.ts';

export type { ProgramContext, ProgramFunction, ProgramResult } from './program-context.ts';

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
  ...conversations,
} satisfies Record<string, ProgramFunction>;

/** The programs that every fake machine has, by path. */
export const standardPrograms: Readonly<Record<string, ProgramFunction>> = Object.fromEntries(
  Object.entries(programs).map(([name, program]) => [`/usr/bin/${name}`, program]),
);
