// SPDX-License-Identifier: Apache-2.0
/**
 * Makes the packages of concierge-ctl for hosts in dist-packages/: Debian's and an RPM.
 *
 *     npm run package:ctl [-- --format=deb|rpm --output=DIR --no-build]
 *
 * `--no-build` takes client/lib as it is. The same commit makes the same bytes. A format whose tool is missing is left out, unless asked for.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { ctlDebianPackage, ctlRpmPackage } from '../packaging/ctl/packages.ts';
import { repository, sourceDate } from '../packaging/product-facts.ts';

const formats = { deb: ['dpkg-deb', ctlDebianPackage], rpm: ['rpmbuild', ctlRpmPackage] } as const;

const { values } = parseArgs({ options: { format: { type: 'string', multiple: true }, output: { type: 'string', default: 'dist-packages' }, 'no-build': { type: 'boolean', default: false } } });
const isInstalled = (program: string): boolean => (process.env['PATH'] ?? '').split(':').some((directory) => existsSync(join(directory, program)));

if (!values['no-build']) execFileSync(process.execPath, [join(repository, 'scripts/build-client.ts')], { stdio: 'inherit' });
const output = resolve(repository, values.output);
mkdirSync(output, { recursive: true });
for (const [format, [needs, build]] of Object.entries(formats)) {
  if (values.format !== undefined && !values.format.includes(format)) continue;
  if (values.format === undefined && !isInstalled(needs)) {
    console.log(`package: no ${format}, because ${needs} is not installed`);
    continue;
  }
  const work = join(output, `.work-ctl-${format}`);
  console.log(`package: ${relative(repository, await build({ work, output, date: sourceDate() }))}`);
  rmSync(work, { recursive: true, force: true });
}
