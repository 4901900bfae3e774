// SPDX-License-Identifier: Apache-2.0
import { wide } from './layout.ts';

/** One word of a command line, by the rules of the C run-time library: backslashes count double before a quote only. */
export const quoted = (word: string): string => `"${word.replaceAll(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;

/** A word that needs no quotes has none: some programs read their command line by themselves, as `cmd.exe` does. */
export const quotedWhereNeeded = (word: string): string => (word !== '' && !/[\s"]/.test(word) ? word : quoted(word));

/** What libuv gives every child, and programs of Windows can hardly do without. */
const demanded = ['HOMEDRIVE', 'HOMEPATH', 'LOGONSERVER', 'PATH', 'SYSTEMDRIVE', 'SYSTEMROOT', 'TEMP', 'USERDOMAIN', 'USERNAME', 'USERPROFILE', 'WINDIR'];

/** `NAME=VALUE` pairs by their names in capitals; Windows knows no others. Names of the system's own begin with an equals sign: `=C:`. */
export function variables(pairs: readonly string[]): ReadonlyMap<string, string> {
  const named = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf('=', 1);
    if (at > 0) named.set(pair.slice(0, at).toUpperCase(), pair);
  }
  return named;
}

/** An environment with changes: `NAME=VALUE` adds or replaces, `NAME` removes. Windows does not tell capitals from others in names. */
export function changedEnvironment(changes: readonly string[], inherited: NodeJS.ProcessEnv): readonly string[] {
  const named = new Map(variables(Object.entries(inherited).map(([name, value]) => `${name}=${value}`)));
  for (const change of changes) {
    const at = change.indexOf('=');
    if (at < 0) named.delete(change.toUpperCase());
    else named.set(change.slice(0, at).toUpperCase(), change);
  }
  return [...named.values()];
}

/** An environment block of these variables and those that are demanded, in the order that Windows wants. */
export function environmentBlock(pairs: readonly string[], inherited: NodeJS.ProcessEnv): Buffer {
  const named = new Map(variables(pairs));
  for (const name of demanded) {
    const value = inherited[name];
    if (value !== undefined && !named.has(name)) named.set(name, `${name}=${value}`);
  }
  const texts = [...named].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, pair]) => pair);
  return wide(`${texts.join('\0')}\0`);
}

/** The files that a name may mean, in the order in which libuv looks: `.com` and `.exe` may be left out, and a name without a separator is looked for. */
export function candidates(path: string, searchPath: string): readonly string[] {
  const endings = /\.[^\\/.]*$/.test(path) ? ['', '.com', '.exe'] : ['.com', '.exe'];
  const folders = /[\\/:]/.test(path) ? [''] : ['.\\', ...searchPath.split(';').map(folderOf).filter((folder) => folder !== '')];
  return folders.flatMap((folder) => endings.map((ending) => `${folder}${path}${ending}`));
}

function folderOf(entry: string): string {
  const bare = entry.trim().replaceAll('"', '');
  return bare === '' || /[\\/]$/.test(bare) ? bare : `${bare}\\`;
}
