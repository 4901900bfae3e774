// SPDX-License-Identifier: Apache-2.0

/** What apt says where it cannot fetch something, the most telling first. */
const signs = [
  /Failed to fetch/,
  /does not have a Release file|Unable to fetch some archives|Some index files failed to download/,
  /Unable to locate package|was not found/,
] as const;

/** apt's line that says so, of what a program said that failed; `undefined` where it failed of something else. */
export function whyNotFetched(error: unknown): string | undefined {
  const lines = (error instanceof Error ? error.message : String(error)).split('\n').flatMap((line) => /^[EW]: (.*)$/.exec(line)?.[1] ?? []);
  return signs.flatMap((sign) => lines.filter((line) => sign.test(line)))[0]?.replaceAll(/\s+/g, ' ').slice(0, 300);
}

/**
 * What the suite makes of a host or a guest that did not come about: a reason to skip it, which every file then names. In the
 * continuous tests nothing is left out that can be had everywhere else, so there it is a failure, as is whatever is no matter of
 * the archive.
 *
 * @throws the error
 */
export function reasonToSkip(what: string, error: unknown, { CI = '' }: Readonly<Record<string, string | undefined>>): string {
  const why = whyNotFetched(error);
  if (why === undefined) throw error;
  if (!['', '0', 'false'].includes(CI)) throw new Error(`${what} cannot be downloaded, and CI has to have it: ${why}`, { cause: error });
  return `${what} cannot be downloaded: ${why}`;
}
