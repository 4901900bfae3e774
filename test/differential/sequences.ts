// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import type { LineClient } from '../wire/lib/line-client.ts';
import { agrees } from './explanation.ts';
import type { Random } from './random.ts';

/** One agent with a directory of its own, `{dir}` in what is compared. */
export interface Actor {
  readonly client: LineClient;
  readonly directory: string;
  /** Numbers of processes that it gave out, in order. */
  readonly pids: number[];
}

export interface Step {
  readonly execute: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Asks for the result of the program with this number in the order of their starts, until there is one. */
  readonly program?: number;
}

const handles = [1000, 1001, 1002, 1003];
const scripts = [
  'exit 0', 'exit 7', 'echo out; echo err >&2', 'cat', 'kill -TERM $$', 'head -c 3000 /dev/zero', 'printf "%s|" "$0" "$@"', 'echo "$A$B"', 'pwd | wc -c', 'cat; exit 3',
];

export const captureModes = [true, false, 'none', 'separated', 'merged'];
/** Those that 7.2 has. */
export const olderCaptureModes = [true, false];

/** A sequence of commands with arguments that are valid, about files and programs that there are or were. */
export function sequenceOf(random: Random, modes: readonly unknown[]): Step[] {
  let programs = 0;
  const asked = new Set<number>();
  return random.several(5, 40, () => {
    const handle = random.oneIn(8) ? 4711 : random.pick(handles);
    const kind = random.below(20);
    if (kind < 4) return step('guest-file-open', { path: `{dir}/${random.pick(['a', 'b', 'c', 'no/d'])}`, ...(random.oneIn(4) ? {} : { mode: random.pick(['r', 'w', 'a', 'r+', 'w+', 'a+', 'rb', 'wb', 'ab+', 'x', 'rw', '']) }) });
    if (kind < 7) {
      const data = Buffer.from(random.several(0, 60, () => random.below(256)));
      return step('guest-file-write', { handle, 'buf-b64': data.toString('base64'), ...(random.oneIn(4) ? { count: random.pick([0, 1, 5, -1, 1000]) } : {}) });
    }
    if (kind < 10) return step('guest-file-read', { handle, ...(random.oneIn(4) ? {} : { count: random.pick([0, 1, 3, 10, 100, 5000, -1]) }) });
    if (kind < 12) return step('guest-file-seek', { handle, offset: random.pick([0, 1, 5, 100, -1, -5, 2 ** 40]), whence: random.pick([0, 1, 2, 'set', 'cur', 'end', 3]) });
    if (kind < 13) return step('guest-file-flush', { handle });
    if (kind < 15) return step('guest-file-close', { handle });
    if (kind < 18) {
      programs += 1;
      return step('guest-exec', {
        path: '/bin/sh', arg: ['-c', random.pick(scripts), ...random.several(0, 3, () => random.pick(['x', '', 'a b', '"', '$A', '\u00e9']))],
        ...(random.oneIn(3) ? {} : { 'capture-output': random.pick(modes) }),
        ...(random.oneIn(3) ? { env: random.pick([['A=1', 'B=two words', 'PATH=/bin:/usr/bin'], ['PATH=/bin:/usr/bin'], ['A=', 'PATH=/bin:/usr/bin']]) } : {}),
        'input-data': Buffer.from(random.pick(['', 'line\n', 'x'.repeat(2000)])).toString('base64'),
      });
    }
    if (kind < 19 && programs > asked.size) {
      const program = [...Array.from({ length: programs }).keys()].find((one) => !asked.has(one)) ?? 0;
      asked.add(program);
      return { ...step('guest-exec-status', {}), program };
    }
    return step(random.pick(['guest-ping', 'guest-fsfreeze-status', 'guest-get-host-name', 'guest-sync']), {});
  });
}

const step = (execute: string, args: Step['arguments']): Step => ({ execute, arguments: args });

/** The answer of one agent, without what is its own affair: its directory and the numbers of its processes. */
export async function answerTo({ execute, arguments: args, program }: Step, actor: Actor): Promise<string> {
  const ask = async (more: object = {}): Promise<string> => {
    const text = await actor.client.ask(`${JSON.stringify({ execute, arguments: { ...args, ...more } }).replaceAll('{dir}', actor.directory)}\n`);
    return text.replaceAll(actor.directory, '{dir}');
  };
  if (program !== undefined) {
    let answer = '';
    while (answer === '' || answer.includes('"exited": false')) {
      if (answer !== '') await delay(5);
      answer = await ask({ pid: actor.pids[program] });
    }
    return answer;
  }
  const answer = await ask();
  const pid = /"pid": (\d+)/.exec(answer)?.[1];
  if (pid === undefined) return answer;
  actor.pids.push(Number(pid));
  return answer.replace(pid, 'N');
}

/**
 * qemu-ga keeps what was written to itself until a flush (docs/differences.md#write-through), and another handle of the file, or a
 * program, would see the difference: each write is flushed.
 */
const flushOf = ({ execute, arguments: args }: Step): Step[] => (execute === 'guest-file-write' ? [step('guest-file-flush', { handle: args['handle'] })] : []);

export interface SequenceDeviation {
  readonly step: Step;
  readonly before: number;
  readonly ours: string;
  readonly theirs: string;
}

/** Makes both take the same steps, up to the first that they answer differently. */
export async function walk(steps: readonly Step[], ours: Actor, theirs: Actor, isNewest: boolean): Promise<SequenceDeviation | undefined> {
  for (const [before, one] of steps.entries()) {
    for (const each of [one, ...flushOf(one)]) {
      const [own, other] = await Promise.all([answerTo(each, ours), answerTo(each, theirs)]);
      if (!agrees(own, other, isNewest)) return { step: each, before, ours: own, theirs: other };
    }
  }
  return undefined;
}
