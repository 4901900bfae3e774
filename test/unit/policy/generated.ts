// SPDX-License-Identifier: Apache-2.0
import type { Facts } from '../../../core/policy/facts.ts';
import { factsOf } from '../../../core/policy/facts.ts';
import type { Conditions, Rule } from '../../../core/policy/rule.ts';
import { commandGroups, type CommandSchema } from '../../../core/schema/command.ts';
import { commands } from '../../../core/schema/index.ts';

/** A generator of numbers from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Rules and requests from few words, so that they meet. */
export class Generator {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  maybe(): boolean {
    return this.#random() < 0.5;
  }

  one<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  some<T>(from: readonly T[], most = 3): readonly T[] {
    return Array.from({ length: this.below(most + 1) }, () => this.one(from));
  }

  rule(number: number): Rule {
    const what = this.below(4);
    return {
      name: `rule-${number}`,
      effect: this.one(['allow', 'refuse']),
      ...(what % 2 === 1 && { commands: this.some(commandWords) }),
      ...(what >= 2 && { groups: this.some(commandGroups, 2) }),
      ...(this.below(5) === 0 && { except: this.some(commandWords, 2) }),
      ...(this.below(3) === 0 && { channels: this.some(channels, 2) }),
      ...(this.below(6) === 0 && { at: this.some(channels, 2) }),
      ...(this.below(3) > 0 && { when: this.#conditions() }),
      tell: this.one(['host', 'log']),
      origin: { kind: 'built-in' },
    };
  }

  #conditions(): Conditions {
    const one = (): boolean => this.below(4) === 0;
    return {
      ...(one() && { programs: this.some(programPatterns) }),
      ...(one() && { arguments: [...this.some(words), ...(this.maybe() ? ['...'] : [])] }),
      ...(one() && { environment: this.some(['PATH', 'LD_*', 'LC_*', '*']) }),
      ...(one() && { files: { ...(this.maybe() && { read: this.some(roots, 2) }), ...(this.maybe() && { write: this.some(roots, 2) }) } }),
      ...(one() && { users: this.some(['root', 'bob', 'b*', '*']) }),
      ...(one() && { userGroups: this.some(['root', 'wheel', 'w*', '*']) }),
      ...(one() && { mountPoints: this.some(['/', '/data', '/data/*', '/**']) }),
      ...(one() && { size: { ...(this.maybe() && { atMost: BigInt(this.below(5000)) }), ...(this.maybe() && { moreThan: BigInt(this.below(5000)) }) } }),
    };
  }

  request(): { readonly schema: CommandSchema; readonly channel: string; readonly facts: Facts } {
    const schema: CommandSchema = this.maybe() ? this.one(withConditions) : this.one(commands);
    return { schema, channel: this.one(channels), facts: this.#opened(factsOf(schema, this.#arguments(schema))) };
  }

  #arguments(schema: CommandSchema): Record<string, unknown> {
    const args: Record<string, unknown> = {};
    for (const [name, { optional, type, judged }] of Object.entries(schema.arguments)) {
      if (optional && this.maybe()) continue;
      if (judged === 'environment') args[name] = this.some(['PATH=/x', 'LD_PRELOAD=/y', 'LC_ALL=C', 'EMPTY', '=odd']);
      else if (judged === 'mountPoints') args[name] = this.some(['/', '/data', '/data/./', '//data//x', '/srv']);
      else if (judged === 'user') args[name] = this.one(['root', 'bob', 'alice', 'Root']);
      else if (type.kind === 'int') args[name] = BigInt(this.below(8000));
      else if (type.kind === 'list') args[name] = this.some(words);
      else args[name] = 'A'.repeat(this.below(8000));
    }
    return args;
  }

  #opened(facts: Facts): Facts {
    return {
      ...facts,
      ...(facts.userGroups === 'unopened' && this.maybe() && { userGroups: this.some(['root', 'wheel', 'users', 'w']) }),
      ...(facts.file !== undefined && this.maybe() && { file: { names: this.some(places, 2), mayHaveOthers: this.below(5) === 0, read: this.maybe(), write: this.maybe() } }),
      ...(facts.program !== undefined && this.maybe() && { program: { path: this.one(programs), ...(this.below(5) === 0 && { distrusted: 'others' }) } }),
    };
  }
}

const channels = ['', 'virtio-serial', 'vsock-listen', 'tools'];
export const methods: ReadonlyMap<string, string> = new Map([['tools', 'vsock-listen']]);
const commandWords = ['guest-exec', 'guest-file-*', 'guest-*', 'guest-ping', '*freeze*', 'guest-set-user-password', 'guest-file-open', '__org*'];
const words = ['', 'status', 'a\nb', '--force', 's*', 'a?b', '*', 'status\n'];
const programPatterns = ['/usr/bin/true', '/usr/bin/*', '/usr/**', '/**/true', String.raw`/usr/bin/\*`];
const programs = ['/usr/bin/true', '/usr/bin/x/true', '/opt/true', '/usr/bin/*', '/usr/bin/tr\nue'];
const roots = ['/', '/srv', '/srv/in', '/etc'];
const places = ['/srv', '/srv/in/a', '/srvx', '/etc/shadow', '/'];
const withConditions = (commands as readonly CommandSchema[]).filter((schema) => schema.concernsAll !== undefined || Object.values(schema.arguments).some(({ judged }) => judged !== undefined));
