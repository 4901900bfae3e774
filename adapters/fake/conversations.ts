// SPDX-License-Identifier: Apache-2.0
import type { ProgramContext, ProgramFunction } from './program-context.ts';

const FLOOD = Buffer.from('y\n'.repeat(4096));

/** Lines of input; what stands behind the last line feed comes when the input ends. */
async function* linesOf(context: ProgramContext): AsyncGenerator<string> {
  let rest = '';
  for (let piece = await context.read(); piece !== undefined; piece = await context.read()) {
    const lines = (rest + Buffer.from(piece).toString()).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** One line of the shell: its status, or that it is to end with one. */
async function execute(context: ProgramContext, line: string, interrupted: () => Promise<void>): Promise<{ readonly status: number; readonly ends?: true }> {
  const [name = '', ...words] = line.trim().split(/\s+/u);
  switch (name) {
    case '':
      return { status: 0 };
    case 'echo':
      context.print(`${words.join(' ')}\n`);
      return { status: 0 };
    case 'exit':
      return { status: Number(words[0] ?? 0) & 0xff, ends: true };
    case 'size':
      context.print(context.terminal === undefined ? 'no terminal\n' : `${context.terminal.rows} ${context.terminal.columns}\n`);
      return { status: 0 };
    case 'sleep': {
      const woken = context.sleep(Number(words[0]) * 1000).then(() => 0);
      return { status: await Promise.race([woken, interrupted().then(() => 130)]) };
    }
    default:
      context.complain(`sh: ${name}: not found\n`);
      return { status: 127 };
  }
}

/** `sh`, and `sh -c LINE`: a prompt on a terminal; `echo`, `exit`, `size` of the terminal, and `sleep`, which Ctrl-C ends. */
const sh: ProgramFunction = async (context) => {
  let interrupt = (): void => undefined;
  const interrupted = (): Promise<void> => new Promise((resolve) => { interrupt = resolve; });
  if (context.argv[1] === '-c') return (await execute(context, context.argv[2] ?? '', interrupted)).status;
  const prompt = (): void => (context.terminal === undefined ? undefined : context.print('$ '));
  context.onSignal('INT', () => {
    context.print('\n');
    prompt();
    interrupt();
  });
  context.onSignal('TERM', () => undefined);
  context.onSignal('QUIT', () => undefined);
  let status = 0;
  prompt();
  for await (const line of linesOf(context)) {
    const done = await execute(context, line, interrupted);
    status = done.status;
    if (done.ends === true) return status;
    if (status !== 130) prompt();
  }
  return status;
};

/** Programs that read and write while they run. */
export const conversations = {
  cat: async ({ read, print, taken }) => {
    for (let piece = await read(); piece !== undefined; piece = await read()) {
      print(piece);
      // oxlint-disable-next-line no-await-in-loop -- a pipe that is full is waited for
      await taken();
    }
  },
  sh,
  /** Writes without end, as fast as it is read. */
  yes: async ({ print, taken, killed }) => {
    while (!killed.aborted) {
      print(FLOOD);
      // oxlint-disable-next-line no-await-in-loop -- a pipe that is full is waited for
      await taken();
    }
  },
  /** Ignores every signal that can be ignored, and its input; ends when that ends. */
  stubborn: async ({ read, onSignal }) => {
    for (const name of ['HUP', 'INT', 'QUIT', 'TERM', 'PIPE', 'ALRM', 'USR1', 'USR2']) onSignal(name, () => undefined);
    while ((await read()) !== undefined);
  },
} satisfies Record<string, ProgramFunction>;
