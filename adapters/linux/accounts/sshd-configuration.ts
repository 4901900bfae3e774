// SPDX-License-Identifier: Apache-2.0
import { textFromBytes } from '../text.ts';

/** Reads of a configuration on a disk, off the event loop. */
export interface ConfigurationFiles {
  /** The first `limit` bytes. @throws os error */
  readStart(path: string, limit: number): Promise<Uint8Array>;
  /** Names in a directory, in any order. @throws os error */
  namesIn(path: string): Promise<readonly string[]>;
}

/** The administrator's, else the distribution's (SUSE). */
const places = ['/etc/ssh/sshd_config', '/usr/etc/ssh/sshd_config'];

const fileLimit = 64 * 1024;
/** Files that are read in all, with those that they include. */
const mostFiles = 64;

/** What sshd_config(5) expands to `.ssh/authorized_keys` in the home of an ordinary user. */
const usual = new Set(['.ssh/authorized_keys', '%h/.ssh/authorized_keys', '/home/%u/.ssh/authorized_keys']);

interface Setting {
  readonly file: string;
  readonly value: readonly string[];
  /** Within a Match block: for some users, addresses or hosts only. */
  readonly conditional: boolean;
}

/**
 * Why sshd takes no keys from `.ssh/authorized_keys`, as a sentence; `undefined` where it does, or where there is no sshd.
 * As sshd_config(5) has it, the first value of a keyword counts, and a Match block overrides it for those whom it is about.
 */
export async function keysElsewhere(root: string, files: ConfigurationFiles): Promise<string | undefined> {
  const settings: Setting[] = [];
  const reader = new Reader(root, files, settings);
  for (const place of places) if (await reader.read(place, false)) break;
  const general = settings.find(({ conditional }) => !conditional);
  const looked = [...(general === undefined ? [] : [general]), ...settings.filter(({ conditional }) => conditional)];
  const elsewhere = looked.find(({ value }) => !value.some((path) => usual.has(path)));
  if (elsewhere === undefined) return undefined;
  const { file, value, conditional } = elsewhere;
  return `sshd does not look there${conditional ? ' for all users' : ''}: ${file} has AuthorizedKeysFile ${value.join(' ')}${conditional ? ' in a Match block' : ''}`;
}

class Reader {
  readonly #root: string;
  readonly #files: ConfigurationFiles;
  readonly #settings: Setting[];
  #left = mostFiles;

  constructor(root: string, files: ConfigurationFiles, settings: Setting[]) {
    this.#root = root;
    this.#files = files;
    this.#settings = settings;
  }

  /** False where it cannot be read. A Match block ends with its file. */
  async read(file: string, conditional: boolean): Promise<boolean> {
    if (this.#left-- <= 0) return false;
    let text: string;
    try {
      text = textFromBytes(await this.#files.readStart(this.#root + file, fileLimit));
    } catch {
      return false;
    }
    let within = conditional;
    for (const line of text.split('\n')) {
      const [keyword = '', ...value] = words(line);
      switch (keyword.toLowerCase()) {
        case 'match': within = conditional || value[0]?.toLowerCase() !== 'all'; break;
        case 'include': for (const pattern of value) for (const included of await this.#matching(pattern)) await this.read(included, within); break;
        case 'authorizedkeysfile': this.#settings.push({ file, value, conditional: within }); break;
        default: break;
      }
    }
    return true;
  }

  /** Files of a pattern, in the order of sshd: of glob(7), what configurations use, a `*` or `?` in the last component. */
  async #matching(pattern: string): Promise<readonly string[]> {
    const path = pattern.startsWith('/') ? pattern : `/etc/ssh/${pattern}`;
    const slash = path.lastIndexOf('/');
    const last = path.slice(slash + 1);
    if (!/[*?]/.test(last)) return [path];
    const expression = new RegExp(`^${last.replace(/[^*?]/g, (character) => character.replace(/[\\^$.+()|[\]{}]/, '\\$&')).replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
    try {
      const names = await this.#files.namesIn(this.#root + path.slice(0, slash));
      return names.filter((name) => !name.startsWith('.') && expression.test(name)).toSorted().map((name) => `${path.slice(0, slash)}/${name}`);
    } catch {
      return [];
    }
  }
}

/** `Keyword value "a value"` and `Keyword=value`; comments begin with `#`. */
const words = (line: string): readonly string[] =>
  [...line.trim().replace(/^(\w+)\s*=\s*/, '$1 ').matchAll(/"([^"]*)"|(#.*)|(\S+)/g)]
    .map(([, quoted, comment, bare]) => (comment === undefined ? (quoted ?? bare ?? '') : undefined))
    .filter((word) => word !== undefined);
