// SPDX-License-Identifier: Apache-2.0
/** `npm run demo`: a narrated session with a guest in memory. Nothing of this machine is touched. */
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';

import { exec, GuestClient, readFile, withFrozen, writeFile } from '../client/index.ts';
import { createFakeGuest, type FakeGuest } from '../kit/fake/index.ts';

/** Somebody reads along; a pipe does not. */
const reading = process.stdout.isTTY ? 900 : 0;

async function say(text: string): Promise<void> {
  console.log(process.stdout.isTTY ? `\n\u001b[1m${text}\u001b[0m` : `\n${text}`);
  await pause(reading);
}

const show = (what: string): void => console.log(`  ${what.trimEnd().replaceAll('\n', '\n  ')}`);

async function meet(client: GuestClient): Promise<void> {
  await say('A guest with a system disk, a volume group, and on it an image that is mounted itself. The host asks who it is:');
  const { 'pretty-name': system = '' } = await client.execute('guest-get-osinfo');
  const { 'host-name': name } = await client.execute('guest-get-host-name');
  show(`${name}, ${system}`);
  for (const { mountpoint, type, name: device } of (await client.execute('guest-get-fsinfo')).toReversed()) show(`${mountpoint.padEnd(12)} ${type.padEnd(5)} ${device}`);
}

async function copy(client: GuestClient): Promise<void> {
  await say('A file goes into the guest and comes back, and a program runs there:');
  const into = writeFile(client, '/data/letter');
  into.end('carried in pieces, each acknowledged\n');
  await new Promise<void>((resolve, reject) => void into.once('finish', resolve).once('error', reject));
  show((await buffer(readFile(client, '/data/letter'))).toString());
  show(`$ echo from inside\n${(await exec(client, 'echo', { arguments: ['from', 'inside'] })).stdout.toString()}`);
}

async function freeze(guest: FakeGuest, client: GuestClient): Promise<void> {
  await say('A backup: everything is frozen, what lies on another file system before it, and one writer has to wait:');
  const file = await guest.machine.backend.fileSystem?.files?.open('/data/database', { read: false, write: true, append: false, create: true, truncate: true });
  let written = false;
  const count = await withFrozen(client, async ({ count: frozen, check }) => {
    void (async () => {
      await file?.write(Buffer.from('a transaction'));
      written = true;
    })();
    await guest.advance(2000);
    show(`frozen: ${guest.machine.fileSystems.frozen.join(' ')}`);
    show(`two seconds later the writer ${written ? 'has written: that must not be' : 'still waits'}`);
    await check();
    return frozen;
  });
  await guest.advance(1);
  show(`thawed ${count} file systems; the writer ${written ? 'went on' : 'still waits: that must not be'}`);
}

async function forget(guest: FakeGuest, client: GuestClient): Promise<void> {
  await say('A host that dies in the middle of a backup never thaws. The deadline does, ten minutes later:');
  const held = withFrozen(client, async () => {
    show(`frozen: ${guest.machine.fileSystems.frozen.join(' ')}`);
    await guest.advance(600_000);
    show(`after ten minutes: ${guest.machine.fileSystems.frozen.join(' ') || 'nothing is frozen any more'}`);
  });
  const problem = await held.then(() => undefined, (error: unknown) => error);
  show(`and the backup is told: ${problem instanceof Error ? problem.message : 'nothing: that must not be'}`);
  const report = await client.execute('__org.concierge_fsfreeze-report');
  show(`the report says: ended by ${report['ended-by'] ?? ''}`);
}

async function die(guest: FakeGuest, client: GuestClient): Promise<void> {
  await say('Worse: the agent is killed while the guest is frozen. The next one finds what it left:');
  await client.execute('guest-fsfreeze-freeze');
  await client.execute('guest-ping').catch((error: Error) => show(`the host sees: ${error.message}`));
  show(`still frozen: ${guest.machine.fileSystems.frozen.join(' ')}`);
  await guest.advance(3000);
  using next = new GuestClient(guest.connect());
  show(`three seconds later a new agent says: ${await next.execute('guest-fsfreeze-status')}`);
  show(`and thaws ${await next.execute('guest-fsfreeze-thaw')} file systems`);
}

const guest = await createFakeGuest({ timeline: [{ on: 'guest-ping', do: 'agent-dies', restart: 3000 }] });
const client = new GuestClient(guest.connect());
await meet(client);
await copy(client);
await freeze(guest, client);
await forget(guest, client);
await die(guest, client);
await say('That was the fake guest. To talk to one over a socket:');
show('bin/concierge-ga --backend fake -m unix-listen -p /tmp/guest.sock -t "$(mktemp -d)" &\nbin/concierge-ctl --socket /tmp/guest.sock shell');
await guest.stop();
