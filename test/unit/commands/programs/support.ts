// SPDX-License-Identifier: Apache-2.0
import { settled } from '../../../../adapters/fake/clock.ts';
import type { MachineDescription } from '../../../../adapters/fake/description.ts';
import { PresentHost } from '../../../../core/state/caller.ts';
import { exchange, guest } from '../support/exchange.ts';

export interface Answer {
  readonly 'input-accepted': number;
  readonly 'input-ended': boolean;
  readonly output?: string;
  readonly 'output-offset': number;
  readonly 'output-lost'?: number;
  readonly 'output-ended': boolean;
  readonly errors?: string;
  readonly 'errors-offset': number;
  readonly 'errors-lost'?: number;
  readonly 'errors-ended': boolean;
  readonly exited: boolean;
  readonly exitcode?: number;
  readonly signal?: number;
  readonly 'timed-out'?: boolean;
}

/** A host that converses with programs of a guest in memory. */
export function conversing(description: Partial<MachineDescription> = {}) {
  const { machine, context, log, ask } = guest(description);
  const host = new PresentHost();
  const say = (name: string, args: object = {}): Promise<string> => exchange(context, `__org.concierge_exec-${name}`, JSON.stringify(args), host);
  const start = async (path: string, args: object = {}): Promise<number> => {
    const answer = await say('start', { path, ...args });
    if (answer.startsWith('error')) throw new Error(answer);
    await settled();
    return (JSON.parse(answer) as { program: number }).program;
  };
  const begin = (program: number, args: object = {}): Promise<Answer> =>
    say('exchange', { program, ...args }).then((text) => {
      if (text.startsWith('error')) throw new Error(text);
      return JSON.parse(text) as Answer;
    });
  return {
    machine, context, log, ask, host, say, start,
    /** Begins an exchange that may wait. */
    begin,
    /** One that waits for nothing. */
    now: (program: number, args: object = {}) => begin(program, { 'wait-ms': 0, ...args }),
    /** The error of one. */
    refusal: (program: number, args: object) => say('exchange', { program, 'wait-ms': 0, ...args }),
  };
}

export const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');
export const text = (data: string | undefined): string => Buffer.from(data ?? '', 'base64').toString('latin1');
