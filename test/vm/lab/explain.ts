// SPDX-License-Identifier: Apache-2.0
import { afterEach } from 'vitest';
import type { GuestShell } from './guest-shell.ts';

interface Guest {
  readonly shell: GuestShell;
  console(): string;
}

/** A guest that does not answer must not keep the other tests waiting. */
const ANSWER_WITHIN = 60_000;

/** After each test that fails: prints what the guest has to say, its console and its journal. */
export function explainFailures(guest: () => Guest | undefined): void {
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await explanation(guest()));
  }, 2 * ANSWER_WITHIN);
}

async function explanation(guest: Guest | undefined): Promise<string> {
  if (guest === undefined) return 'there is no guest';
  const journal = await guest.shell
    .try("systemctl list-jobs --no-pager; systemctl --failed --no-pager; journalctl -q -b -n 60 --no-pager -o short-monotonic; ps -eo pid,stat,wchan:20,args | grep -v '\\['; mount -t debugfs none /sys/kernel/debug; tail -n +1 /sys/kernel/debug/virtio-ports/*", ANSWER_WITHIN)
    .then(({ output }) => output, String);
  return `-- the guest's console\n${guest.console().slice(-3000)}\n-- its journal and processes\n${journal}`;
}
