// SPDX-License-Identifier: Apache-2.0
/** Requests made from the schema: of every command, with arguments that are right, nearly right, or of another kind. */
import type { CommandSchema } from '../../../core/schema/command.ts';
import { commands } from '../../../core/schema/index.ts';
import type { Member, SchemaType } from '../../../core/schema/types.ts';
import type { Dice } from './dice.ts';

const paths = [
  '/', '/etc/hostname', '/etc/passwd', '/data', '/data/x', '/boot/x', '/srv/x', '/nope/x', '', 'relative', '/etc/hostname/x', '/data/./x', '//data/',
  '/data/ü', '/data/\u0000', `/${'x'.repeat(300)}`, '/proc/self/mountinfo',
];
const words = [
  'true', 'false', 'echo', 'sh', 'r', 'w', 'w+', 'a', 'rb', 'set', 'cur', 'end', 'root', 'nobody', 'halt', 'powerdown', 'reboot', 'none', 'stdout', 'merged',
  'QUJD', 'QUJ', '====', '\u00ff', '\ud83d\ude00', '\u202e', '\u0000', 'A=1', 'ssh-ed25519 AAAA x', "'", '"', '\\', 'null', 'x'.repeat(5000),
];
const numbers = ['0', '1', '-1', '2', '3', '7', '99', '999', '4096', '65535', '65536', '1000000', '50331648', '50331649', '2147483648',
  '9223372036854775807', '-9223372036854775808', '9223372036854775808', '18446744073709551615', '18446744073709551616', '1.0', '1e3', '0.5'];

export interface Message {
  readonly text: string;
  readonly schema: CommandSchema;
}

/** `handles` and `pids`: numbers around those that have been given out. */
export class Messages {
  readonly #dice: Dice;
  highestHandle = 1000;
  highestPid = 1;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** One request on a line; `id` comes back with the answer. */
  next(id: number): Message {
    const dice = this.#dice;
    const schema: CommandSchema = dice.once(40) ? this.#of('guest-fsfreeze-thaw') : dice.of(commands);
    const members = Object.entries(schema.arguments as Readonly<Record<string, Member>>)
      .filter(([, { optional }]) => (optional ? dice.once(2) : !dice.once(25)))
      .map(([name, { type }]) => `${JSON.stringify(name)}: ${this.#value(type, name, 0)}`);
    if (dice.once(50)) members.push(`"stray": ${this.#anything(0)}`);
    const args = members.length > 0 || dice.once(8) ? `, "arguments": {${members.join(', ')}}` : '';
    const stray = dice.once(200) ? `, "control": ${this.#anything(0)}` : '';
    return { schema, text: `{"execute": "${schema.name}"${args}${stray}, "id": ${id}}\n` };
  }

  /** Bytes that most likely are no request, made of one; where they are, its `id` is no number. */
  broken(): string {
    const dice = this.#dice;
    const text = this.next(0).text.replace('"id": 0}', '"id": "broken"}');
    const at = dice.throw(text.length);
    switch (dice.throw(4)) {
      case 0: return `${text.slice(0, at)}\n`;
      case 1: return text.slice(0, at) + String.fromCharCode(dice.throw(256)) + text.slice(at + 1);
      case 2: return text.slice(0, at) + text.slice(at + dice.throw(6));
      default: return text.slice(0, at) + dice.of(['[', '{', '"', "'", '\\u', '}', ']', ',', '0', '\u0001', '1'.repeat(400)]) + text.slice(at);
    }
  }

  #of(name: string): CommandSchema {
    return commands.find((one) => one.name === name) as CommandSchema;
  }

  #value(type: SchemaType, name: string, depth: number): string {
    const dice = this.#dice;
    if (dice.once(40)) return this.#anything(depth);
    switch (type.kind) {
      case 'int': case 'uint64': case 'uint16':
        if (name === 'handle' && !dice.once(10)) return String(this.highestHandle - dice.throw(6));
        if (name === 'pid' && !dice.once(10)) return String(this.highestPid - dice.throw(4));
        return dice.of(numbers);
      case 'number': return dice.of(numbers);
      case 'bool': return dice.of(['true', 'false']);
      case 'nothing': return '{}';
      case 'str': return this.#string(type.base64 === true, name);
      case 'enum': return JSON.stringify(dice.once(10) ? dice.of(words) : dice.of(type.values));
      case 'alternate': return this.#value(dice.once(2) ? type.plain : type.words, name, depth);
      case 'list': return `[${Array.from({ length: dice.once(30) ? 300 : dice.throw(4) }, () => this.#value(type.of, name, depth + 1)).join(', ')}]`;
      default:
        return `{${Object.entries(type.members)
          .filter(([, { optional }]) => (optional ? dice.once(2) : !dice.once(30)))
          .map(([member, { type: its }]) => `${JSON.stringify(member)}: ${this.#value(its, member, depth + 1)}`)
          .join(', ')}}`;
    }
  }

  #string(base64: boolean, name: string): string {
    const dice = this.#dice;
    if (base64 && !dice.once(10)) return JSON.stringify(Buffer.alloc(dice.once(50) ? 70_000 : dice.throw(90), dice.throw(256)).toString('base64'));
    if ((name === 'path' || name === 'mountpoints') && !dice.once(10)) return JSON.stringify(dice.of(paths));
    return JSON.stringify(dice.of(dice.once(4) ? paths : words));
  }

  #anything(depth: number): string {
    const dice = this.#dice;
    switch (dice.throw(depth > 3 ? 5 : 7)) {
      case 0: return 'null';
      case 1: return dice.of(numbers);
      case 2: return JSON.stringify(dice.of(words));
      case 3: return dice.of(['true', 'false']);
      case 4: return '{}';
      case 5: return `[${this.#anything(depth + 1)}, ${this.#anything(depth + 1)}]`;
      default: return `{"a": ${this.#anything(depth + 1)}}`;
    }
  }
}
