import { lstatSync, readdirSync, realpathSync, statSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';

/** How many files a package may have before it is no package. */
const mostFiles = 20_000;

export interface Trust {
  /** The user that the agent runs as. */
  readonly uid: number;
  /** Replaced by a test. */
  readonly stat?: (path: string) => Pick<Stats, 'uid' | 'mode'>;
}

/**
 * Why code must not be loaded from a directory, or nothing. Whoever can write there, or to any directory above, would run
 * code as root. An agent of an ordinary user asks for less: only that not everybody can write there.
 *
 * @param directory the package's, with all that is in it
 */
export function distrust(directory: string, { uid, stat = statSync }: Trust): string | undefined {
  const real = realpathSync(directory);
  for (let path = real; ; path = dirname(path)) {
    const reason = reasonAgainst(path, stat(path), uid, path !== real);
    if (reason !== undefined) return reason;
    if (path === dirname(path)) break;
  }
  return uid === 0 ? distrustContents(real, uid) : undefined;
}

function reasonAgainst(path: string, { uid: owner, mode }: Pick<Stats, 'uid' | 'mode'>, uid: number, isAbove: boolean): string | undefined {
  // Where the sticky bit is, nobody renames or removes what belongs to another: /tmp may lie above.
  const sticky = isAbove && (mode & 0o1000) !== 0;
  if ((mode & 0o002) !== 0 && !sticky) return `${path} can be written by everybody: run chmod o-w on it`;
  if (uid !== 0) return undefined;
  if (owner !== 0) return `${path} belongs to user ${owner} and not to root: run chown -R root on it`;
  if ((mode & 0o020) !== 0 && !sticky) return `${path} can be written by its group: run chmod g-w on it`;
  return undefined;
}

function distrustContents(directory: string, uid: number): string | undefined {
  const waiting = [directory];
  let files = 0;
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      files += 1;
      if (files > mostFiles) return `${directory} has more than ${mostFiles} files: it is no package`;
      const path = join(at, entry.name);
      const status = lstatSync(path);
      // What a link leads to has an owner of its own, who may be anybody.
      const reason = entry.isSymbolicLink() ? distrustLink(path, uid) : reasonAgainst(path, status, uid, false);
      if (reason !== undefined) return reason;
      if (entry.isDirectory()) waiting.push(path);
    }
  }
  return undefined;
}

function distrustLink(path: string, uid: number): string | undefined {
  try {
    const real = realpathSync(path);
    for (let above = real; ; above = dirname(above)) {
      const reason = reasonAgainst(above, statSync(above), uid, above !== real);
      if (reason !== undefined) return `${reason} (${path} leads there)`;
      if (above === dirname(above)) return undefined;
    }
  } catch {
    // It leads nowhere: nothing can be loaded from it.
    return undefined;
  }
}
