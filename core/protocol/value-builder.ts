// SPDX-License-Identifier: Apache-2.0
import { jsonString } from './json-text.ts';
import { protocolLimits } from './limits.ts';
import type { JsonValue } from './value.ts';
import type { Base64Text } from './base64-text.ts';

/** What the grammar expects next. All up to `MEMBER` accept a value, all up to `KEY` a string. */
const TOP = 0;
const FIRST_ELEMENT = 1;
const ELEMENT = 2;
const MEMBER = 3;
const FIRST_KEY = 4;
const KEY = 5;
const COLON = 6;
const SEPARATOR = 7;
const REFUSED = 8;

type Container = JsonValue[] | Map<string, JsonValue>;

/**
 * Puts tokens together to one value, and counts brackets.
 *
 * A grammar error does not end the value: it ends where its brackets balance or where a closing bracket has no
 * partner, as in qemu-ga. The first error counts; from it on brackets are counted and nothing is kept.
 */
export class ValueBuilder {
  #expect = TOP;
  #braces = 0;
  #brackets = 0;
  #container: Container | undefined;
  #key = '';
  #parents: Container[] = [];
  #keys: string[] = [];
  #root: JsonValue = null;
  #error: string | undefined;
  #idError: string | undefined;
  #echoing = false;
  #idText: string | undefined;

  /** Open braces and brackets. */
  get depth(): number {
    return this.#braces + this.#brackets;
  }

  /** After a token: the value ends here. */
  get settled(): boolean {
    return (this.#braces | this.#brackets) === 0 || this.#braces < 0 || this.#brackets < 0;
  }

  /** Nothing more is kept of this value. */
  get refused(): boolean {
    return this.#expect === REFUSED;
  }

  /** A string here would be a key or a value: worth making. */
  get wantsText(): boolean {
    return this.#expect <= KEY;
  }

  /** The token is part of the top-level `id`, whose text is repeated as it was sent. */
  get echoing(): boolean {
    return this.#echoing;
  }

  /** The name of the member whose value comes next, `undefined` elsewhere and where the text is to be repeated. */
  get memberName(): string | undefined {
    return this.#expect === MEMBER && !this.#echoing ? this.#key : undefined;
  }

  /** The finished value; meaningful if `error` is undefined. */
  get root(): JsonValue {
    return this.#root;
  }

  get error(): string | undefined {
    return this.#error ?? this.#idError;
  }

  get idText(): string | undefined {
    return this.#idText;
  }

  reset(): void {
    this.#expect = TOP;
    this.#braces = 0;
    this.#brackets = 0;
    this.#container = undefined;
    if (this.#parents.length > 0) {
      this.#parents = [];
      this.#keys = [];
    }
    this.#root = null;
    this.#error = undefined;
    this.#idError = undefined;
    this.#echoing = false;
    this.#idText = undefined;
  }

  /** Something in this value cannot be: nothing more of it is kept. */
  refuse(error: string): void {
    this.#fail(error);
  }

  word(word: string): void {
    if (word === 'true') this.scalar(true, word);
    else if (word === 'false') this.scalar(false, word);
    else if (word === 'null') this.scalar(null, word);
    else this.#fail(this.#expect <= MEMBER ? `invalid keyword '${word}'` : this.#unexpected());
  }

  /** A number or keyword, with its text as sent. */
  scalar(value: JsonValue, source: string): void {
    if (this.#expect > MEMBER) this.#fail(this.#unexpected());
    else {
      if (this.#echoing) this.#echo(source);
      this.#attach(value);
    }
  }

  string(text: string): void {
    const expect = this.#expect;
    if (expect > KEY) this.#fail(this.#unexpected());
    else {
      if (this.#echoing) this.#echoString(text);
      if (expect > MEMBER) {
        this.#key = text;
        this.#expect = COLON;
      } else this.#attach(text);
    }
  }

  /** The value of the member that `memberName` named. */
  base64(text: Base64Text): void {
    this.#attach(text);
  }

  /** One of `{ } [ ] : ,`. */
  punctuation(byte: number): void {
    if (byte === 0x3a) this.#colon();
    else if (byte === 0x2c) this.#comma();
    else if (byte === 0x7b) {
      this.#braces += 1;
      this.#open(new Map(), FIRST_KEY, '{');
    } else if (byte === 0x7d) {
      this.#braces -= 1;
      this.#close(true);
    } else if (byte === 0x5b) {
      this.#brackets += 1;
      this.#open([], FIRST_ELEMENT, '[');
    } else {
      this.#brackets -= 1;
      this.#close(false);
    }
  }

  #comma(): void {
    if (this.#expect !== SEPARATOR) {
      this.#fail(this.#unexpected());
      return;
    }
    if (this.#echoing) this.#echo(', ');
    this.#expect = this.#container instanceof Map ? KEY : ELEMENT;
  }

  #colon(): void {
    if (this.#expect !== COLON) {
      this.#fail(this.#unexpected());
      return;
    }
    if (this.#echoing) this.#echo(': ');
    this.#expect = MEMBER;
    if (this.#parents.length === 0 && this.#key === 'id') {
      this.#echoing = true;
      this.#idText = '';
    }
  }

  #echo(text: string): void {
    this.#idText = (this.#idText as string) + text;
    if (this.#idText.length > protocolLimits.idText) this.#refuseId();
  }

  /** Its length is looked at first: to write 64 MiB as JSON takes seconds. */
  #echoString(text: string): void {
    if (text.length > protocolLimits.idText) this.#refuseId();
    else this.#echo(jsonString(text));
  }

  /** The value goes on, to its end: only its `id` is of no use. */
  #refuseId(): void {
    this.#idError = 'id is too long';
    this.#echoing = false;
    this.#idText = undefined;
  }

  #open(container: Container, expect: number, source: string): void {
    if (this.#expect > MEMBER) this.#fail(this.#unexpected());
    else {
      if (this.#echoing) this.#echo(source);
      if (this.#container !== undefined) {
        this.#parents.push(this.#container);
        this.#keys.push(this.#key);
      }
      this.#container = container;
      this.#expect = expect;
    }
  }

  #close(brace: boolean): void {
    const finished = this.#container;
    const expect = this.#expect;
    const fits = expect === (brace ? FIRST_KEY : FIRST_ELEMENT) || (expect === SEPARATOR && finished instanceof Map === brace);
    if (finished === undefined || !fits) {
      this.#fail(this.#unexpected());
      return;
    }
    if (this.#echoing) this.#echo(brace ? '}' : ']');
    this.#container = this.#parents.pop();
    this.#key = this.#keys.pop() ?? '';
    this.#attach(finished);
  }

  #attach(value: JsonValue): void {
    const container = this.#container;
    this.#expect = SEPARATOR;
    if (container === undefined) this.#root = value;
    else if (container instanceof Map) {
      const size = container.size;
      container.set(this.#key, value);
      if (container.size === size) this.#fail('duplicate key');
      else if (this.#echoing && this.#parents.length === 0) this.#echoing = false;
    } else container.push(value);
  }

  #unexpected(): string {
    if (this.#expect === COLON) return "expecting ':'";
    if (this.#expect <= MEMBER) return 'expecting value';
    if (this.#expect <= KEY) return 'expecting key';
    return this.#container instanceof Map ? "expected ',' or '}'" : "expected ',' or ']'";
  }

  #fail(error: string): void {
    this.#error ??= error;
    this.#expect = REFUSED;
    this.#container = undefined;
    this.#parents = [];
    this.#keys = [];
    this.#echoing = false;
    this.#idText = undefined;
  }
}
