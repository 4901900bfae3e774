// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packagingFile } from './places.ts';
import { repository } from './product-facts.ts';

const rule = '='.repeat(80);

/** The licences of everything that is in the packages and not our own: what the bundle is made of, and Node. */
export function thirdPartyLicences(): string {
  const text = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: repository, encoding: 'utf8' });
  const directories = text.split('\n').filter((path) => path.includes('/node_modules/') && !path.includes('/node_modules/@types/') && !path.endsWith('/node_modules/concierge-client'));
  const notices = new Map<string, string>();
  for (const directory of directories.toSorted()) {
    const { name, version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { name: string; version: string; license?: string };
    const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
    const notice = file === undefined ? `Licence: ${license ?? 'not named'}\n` : readFileSync(join(directory, file), 'utf8');
    notices.set(`${name} ${version}`, notice);
  }
  notices.set('Node.js', packagingFile('licenses/node.txt'));
  return [...notices].map(([title, notice]) => `${rule}\n${title}\n${rule}\n\n${notice.trim()}\n`).join('\n');
}
