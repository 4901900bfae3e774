// SPDX-License-Identifier: Apache-2.0
/**
 * A key file as GLib writes and reads it: groups in brackets, `key=value`, comments with `#`. Bytes are kept as they
 * are until a value is asked for, because only values that somebody reads have to be UTF-8 (GLib; observed with
 * qemu-ga 11.1). Problems are `KeyFileError`s with GLib's sentences, which administrators know and search for.
 */
export class KeyFile {
  /** Values are byte strings (one UTF-16 unit per byte), still escaped. */
  readonly #groups = new Map<string, Map<string, string>>();
  /** Of each group its first line and, by key, the last one: what is said of a mistake. */
  readonly #lines = new Map<string, number>();

  static parse(bytes: Uint8Array): KeyFile {
    const file = new KeyFile();
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    // Editors on Windows put a byte order mark in front.
    const lines = (text.startsWith('\u00EF\u00BB\u00BF') ? text.slice(3) : text).split('\n');
    let group: Map<string, string> | undefined;
    let groupName = '';
    for (const [index, raw] of lines.entries()) {
      const line = (raw.endsWith('\r') ? raw.slice(0, -1) : raw).replace(/^[\t\n\v\f\r ]+/, '');
      if (line === '' || line.startsWith('#')) continue;
      const name = /^\[(.*)\][\t ]*$/.exec(line)?.[1];
      if (name !== undefined) {
        group = file.#enter(name);
        groupName = decode(name);
        if (!file.#lines.has(groupName)) file.#lines.set(groupName, index + 1);
      } else if (line.indexOf('=') > 0) {
        group = file.#assign(group, line);
        file.#lines.set(`${groupName}/${keyOf(line)}`, index + 1);
      } else {
        throw new KeyFileError(`Key file contains line “${decode(line)}” which is not a key-value pair, group, or comment`);
      }
    }
    return file;
  }

  #enter(name: string): Map<string, string> {
    if (name === '' || /[[\]\x00-\x1f\x7f]/.test(name)) throw new KeyFileError(`Invalid group name: ${decode(name)}`);
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const group = new Map<string, string>();
    this.#groups.set(name, group);
    return group;
  }

  #assign(group: Map<string, string> | undefined, line: string): Map<string, string> {
    if (group === undefined) throw new KeyFileError('Key file does not start with a group');
    const equals = line.indexOf('=');
    const key = keyOf(line);
    if (!/^[^[\]=]+(\[[A-Za-z0-9_.@-]*\])?$/.test(key)) throw new KeyFileError(`Invalid key name: ${decode(key)}`);
    group.set(key, line.slice(equals + 1).replace(/^[\t\v\f\r ]+/, ''));
    return group;
  }

  /** Names of the keys of a group as they were written, a repeated key once. */
  get groups(): readonly string[] {
    return [...this.#groups.keys()].map(decode);
  }

  /** On which line a group begins, or a key has its value. */
  line(group: string, key?: string): number | undefined {
    return this.#lines.get(key === undefined ? group : `${group}/${key}`);
  }

  keys(group: string): readonly string[] {
    return [...(this.#groups.get(group)?.keys() ?? [])];
  }

  /** @throws KeyFileError for a value that is not UTF-8 or has an escape that GLib does not know */
  string(group: string, key: string): string | undefined {
    const value = this.#value(group, key);
    if (value === undefined) return undefined;
    const text = unescape(value);
    if (text === undefined) throw uninterpretable(key);
    return text;
  }

  boolean(group: string, key: string): boolean | undefined {
    const value = this.#value(group, key)?.trimEnd();
    if (value === undefined) return undefined;
    if (value === 'true' || value === '1') return true;
    if (value === 'false' || value === '0') return false;
    throw uninterpretable(key, 'true or false');
  }

  #value(group: string, key: string): string | undefined {
    const bytes = this.#groups.get(group)?.get(key);
    if (bytes === undefined) return undefined;
    const text = decode(bytes);
    if (Buffer.from(text, 'utf8').toString('latin1') !== bytes) {
      throw new KeyFileError(`Key file contains key “${decode(key)}” with value “${text}” which is not UTF-8`);
    }
    return text;
  }
}

/** What is wrong with a key file, without its name. */
export class KeyFileError extends Error {}

/** The value is there and is not what the key takes: GLib's sentence, and what it takes. */
export const uninterpretable = (key: string, takes?: string): KeyFileError =>
  new KeyFileError(`Key file contains key “${key}” which has a value that cannot be interpreted.${takes === undefined ? '' : ` (it takes ${takes})`}`);

const keyOf = (line: string): string => line.slice(0, line.indexOf('=')).replace(/[\t ]+$/, '');

const decode = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

const meanings: Readonly<Record<string, string>> = { s: ' ', n: '\n', t: '\t', r: '\r', '\\': '\\' };

function unescape(value: string): string | undefined {
  if (!value.includes('\\')) return value;
  let known = true;
  const text = value.replace(/\\(.?)/gsu, (_, letter: string) => {
    const meaning = meanings[letter];
    known &&= meaning !== undefined;
    return meaning ?? '';
  });
  return known ? text : undefined;
}

/** The value as GLib writes it: blanks are escaped only where the reader would strip them, at the start. */
export const escapeValue = (text: string): string =>
  text
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replace(/^[ \t]+/, (blanks) => blanks.replaceAll(' ', '\\s').replaceAll('\t', '\\t'));
