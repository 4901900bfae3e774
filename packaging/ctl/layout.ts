// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { subcommands } from '../../client/cli/subcommands.ts';
import { run as completion } from '../../client/cli/subcommands/completion.ts';
import type { SubcommandContext } from '../../client/cli/terminal.ts';
import type { Entry } from '../file-tree.ts';
import { repository } from '../product-facts.ts';
import { ctlManPage } from './man-page.ts';

const lib = '/usr/lib/concierge-ctl';
export const ctlDoc = '/usr/share/doc/concierge-ctl';

/** What both packages for hosts have in them: client/ as it was built for npm, with its manual and completions. */
export async function ctlLayout(date: number): Promise<readonly Entry[]> {
  const client = join(repository, 'client');
  const examples = join(repository, 'examples/host');
  return [
    { path: `${lib}/package.json`, copyOf: join(client, 'package.json') },
    { path: `${lib}/bin/concierge-ctl.js`, copyOf: join(client, 'bin/concierge-ctl.js'), mode: 0o755 },
    ...readdirSync(join(client, 'lib/ctl')).toSorted().map((name): Entry => ({ path: `${lib}/lib/ctl/${name}`, copyOf: join(client, 'lib/ctl', name) })),
    { path: '/usr/bin/concierge-ctl', linkTo: '../lib/concierge-ctl/bin/concierge-ctl.js' },
    { path: '/usr/share/man/man1/concierge-ctl.1.gz', text: gzipSync(ctlManPage(date), { level: 9 }) },
    { path: '/usr/share/bash-completion/completions/concierge-ctl', text: await completionOf('bash') },
    { path: '/usr/share/zsh/vendor-completions/_concierge-ctl', text: await completionOf('zsh') },
    { path: '/usr/share/fish/vendor_completions.d/concierge-ctl.fish', text: await completionOf('fish') },
    { path: `${ctlDoc}/client.md`, copyOf: join(repository, 'docs/client.md') },
    { path: `${ctlDoc}/from-virsh-and-qm.md`, copyOf: join(repository, 'docs/from-virsh-and-qm.md') },
    ...readdirSync(examples).toSorted().map((name): Entry => ({ path: `${ctlDoc}/examples/${name}`, copyOf: join(examples, name), mode: name.endsWith('.sh') ? 0o755 : 0o644 })),
  ];
}

/** What the program itself prints. */
async function completionOf(shell: string): Promise<string> {
  let printed = '';
  await completion({ words: [shell], subcommands, print: (text: string) => void (printed += text) } as unknown as SubcommandContext);
  return printed;
}
