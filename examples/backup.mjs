// SPDX-License-Identifier: Apache-2.0
// Copies a guest's disk while its file systems are frozen: node backup.mjs SOCKET COMMAND [ARGUMENT...]
// COMMAND makes the copy (qemu-img, lvcreate --snapshot, …). Exit status: 0 consistent, 1 not, 2 the guest may be frozen.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ClientError, connectUnix, GuestClient, withFrozen } from 'concierge-ga/client';

const run = promisify(execFile);
const seconds = Number(process.env.BACKUP_FREEZE_SECONDS ?? 60);

/** @returns {Promise<string>} what was done, for the log */
export async function backup(connect, copy, freezeTimeoutMs = seconds * 1000) {
  using guest = await connect();
  return await withFrozen(guest, async ({ count, check }) => {
    await copy();
    if (count > 0n) await check();
    return `copied with ${count} file systems frozen`;
  }, { freezeTimeoutMs, thawTimeoutMs: freezeTimeoutMs, reconnect: connect });
}

if (import.meta.main ?? process.argv[1] === import.meta.filename) {
  const [socket = '', command = '', ...rest] = process.argv.slice(2);
  const connect = async () => new GuestClient(await connectUnix(socket));
  try {
    console.log(await backup(connect, () => run(command, rest)));
  } catch (error) {
    console.error(`no consistent copy: ${error.message}`);
    process.exitCode = ClientError.is(error) && error.kind === 'left-frozen' ? 2 : 1;
  }
}
