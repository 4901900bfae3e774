// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { run } from './host.ts';

/** Everything of the lab that is made once. */
export const cache = resolve(import.meta.dirname, '../../../.cache/vm');

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Lines of sources.list for suites of Debian, from where this machine takes its own. */
export async function sourcesOf(...suites: readonly string[]): Promise<readonly string[]> {
  const mirror = await mirrorOf(/\/debian\/?$/);
  const security = await mirrorOf(/\/debian-security\/?$/).catch(() => undefined);
  const releases = suites.filter((suite) => !suite.endsWith('-backports'));
  return [
    ...suites.map((suite) => `deb [signed-by=${keyring}] ${mirror} ${suite} main`),
    ...releases.map((suite) => `deb [signed-by=${keyring}] ${mirror} ${suite}-updates main`),
    ...(security === undefined ? [] : releases.map((suite) => `deb [signed-by=${keyring}] ${security} ${suite}-security main`)),
  ];
}

async function mirrorOf(pattern: RegExp): Promise<string> {
  const targets = await run('apt-get', ['indextargets', '--format', '$(SITE)', 'Created-By: Packages']);
  const site = targets.split('\n').find((line) => pattern.test(line));
  if (site === undefined) throw new Error(`this machine's apt knows no archive like ${pattern}`);
  return site;
}

/** apt with the sources of suites that leaves this machine's own as it is: the environment of its programs. */
export async function aptOf(...given: readonly string[]): Promise<NodeJS.ProcessEnv> {
  const suites = [...new Set(given)];
  const folder = join(cache, `apt-${suites.join('+')}`);
  const environment = { ...process.env, APT_CONFIG: join(folder, 'apt.conf') };
  if (existsSync(join(folder, 'updated'))) return environment;
  for (const name of ['etc/apt.conf.d', 'etc/preferences.d', 'state/lists/partial', 'cache/archives/partial']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'etc/sources.list'), (await sourcesOf(...suites)).map((line) => `${line}\n`).join(''));
  const settings = {
    'Dir::Etc': join(folder, 'etc'), 'Dir::Etc::SourceParts': '-', 'Dir::State': join(folder, 'state'), 'Dir::Cache': join(folder, 'cache'),
    // apt's own user cannot write below the folders of root.
    'APT::Sandbox::User': 'root', 'Acquire::Languages': 'none',
  };
  writeFileSync(environment.APT_CONFIG, Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`).join(''));
  // Without this word it has succeeded where it has fetched nothing.
  await run('apt-get', ['update', '-qq', '--error-on=any'], { env: environment });
  writeFileSync(join(folder, 'updated'), '');
  return environment;
}
