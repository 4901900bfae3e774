// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AGENT } from './payload.ts';

const repository = resolve(import.meta.dirname, '../../..');

/** Whether agents in machines have a keeper: `node test/vm/run.ts --kept` sets it. */
export const kept = process.env['CONCIERGE_TEST_VM_KEPT'] === '1';

/** What a unit executes: of the payload's agent, which sleeps soon where it can. */
export const agentCommand = kept ? `/payload/dist/concierge-keeper -- ${AGENT} --sleep-after=3` : AGENT;

/** The one of a service's processes that is found first where the port is looked for: the older one. */
export const serverProgram = `/usr/lib/concierge-ga/${kept ? 'dist/concierge-keeper' : 'runtime/node'}`;
export const serverName = kept ? 'concierge-keepe' : 'concierge-ga';

const place = '/etc/systemd/system/concierge-ga.service.d/keeper.conf';

/** Bash that puts the drop-in of the package in place, before or after the package is; nothing where agents have no keeper. */
export function useKeeper(): string {
  if (!kept) return 'true';
  const text = readFileSync(join(repository, 'packaging/systemd/keeper.conf'), 'utf8').replaceAll('@LIBDIR@', '/usr/lib/concierge-ga');
  return `mkdir -p $(dirname ${place}) && cat >${place} <<'END'\n${text}END\nsystemctl daemon-reload`;
}

export const dropKeeper = `rm -f ${place}`;
