// SPDX-License-Identifier: Apache-2.0
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readOnly, unlisted, type Answer, type Ask } from '../wire/lib/beside.ts';
import { AgentUnit } from './lab/agent-unit.ts';
import { explainFailures } from './lab/explain.ts';
import { installPackages } from './lab/host.ts';
import { lacking } from './lab/lacking.ts';
import { LineSocket } from './lab/line-socket.ts';
import { login } from './lab/login.ts';
import { AGENT_PORT, Machine } from './lab/machine.ts';
import { isWatched, observe } from './lab/observed.ts';
import { guest } from './lab/pair.ts';
import { agentPayload } from './lab/payload.ts';

const missing = lacking();

/** The port of ours: the reference has the one that is known. */
const OUR_PORT = 'lab.concierge.0';
const MEBIBYTE = 1024 * 1024;

describe.skipIf(missing !== undefined)(`the reference agent in a machine, and ours beside it${missing === undefined ? '' : ` (${missing})`}`, () => {
  let machine: Machine;
  let directory: string;
  let ours: LineSocket;
  let reference: LineSocket;

  beforeAll(async () => {
    await installPackages();
    directory = mkdtempSync(join(tmpdir(), 'concierge-reference-'));
    machine = await Machine.boot({ payload: await agentPayload(), devices: [...ourPort(join(directory, 'port.sock')), ...scsiDisk(join(directory, 'scsi.img'))] });
    // What there is to tell: a partition with a label, a file system on a device of device-mapper, a user who is logged in.
    await machine.shell.run(
      `modprobe -a virtio_scsi sd_mod dm_mod xfs && udevadm settle
      mkfs.ext4 -q -L parted /dev/sda1 && mkdir -p /parted '/mapped with spaces' && mount /dev/sda1 /parted
      echo '0 196608 linear /dev/sda2 0' | dmsetup create mapped && mkfs.ext4 -q /dev/mapper/mapped && mount /dev/mapper/mapped '/mapped with spaces'
      ${login('root')}
      udevadm settle`,
    );
    await AgentUnit.start(machine.shell, 'concierge', `-p /dev/virtio-ports/${OUR_PORT}`);
    ours = await LineSocket.connect(join(directory, 'port.sock'));
    reference = await machine.agent();
  });
  explainFailures(() => machine);
  afterAll(async () => {
    ours?.close();
    await machine?.destroy();
    rmSync(directory, { recursive: true, force: true });
  });

  it('is started by udev on its port and answers through the host socket', async () => {
    reference.send('{"execute":"guest-sync","arguments":{"id":4711}}\n');

    expect(await reference.line()).toBe('{"return": 4711}');
    expect(await machine.shell.run(`readlink -f /dev/virtio-ports/${AGENT_PORT}`)).toMatch(/^\/dev\/vport\d+p1$/);
  });

  const asker = (host: LineSocket): Ask => async (execute) => {
    host.send(`{"execute":"${execute}"}\n`);
    return JSON.parse(await host.line()) as Answer;
  };

  it.each(readOnly)('%s: ours answers the same, or as the table of differences says', async (execute) => {
    expect(await unlisted(execute, { ours: asker(ours), reference: asker(reference), hasVirtioScsi: true, isNewest: guest === '7.3' })).toEqual([]);
  });

  it('has something to compare: disks with partitions, file systems on device-mapper, and users', async () => {
    const told = async (execute: string): Promise<string> => JSON.stringify(await asker(ours)(execute));

    expect(await told('guest-get-disks')).toContain('"name":"/dev/sda1"');
    expect(await told('guest-get-fsinfo')).toContain('"mountpoint":"/mapped with spaces"');
    expect(await told('guest-get-users')).toContain('"user":"root"');
    if (isWatched) {
      const records = await machine.shell.run('before=$(stat -c %s /run/utmp); systemd-run --quiet --wait --collect -p UtmpIdentifier=unit -p UtmpMode=user true; echo $(( $(stat -c %s /run/utmp) - before ))');
      observe('`UtmpIdentifier=` of a unit of systemd', records === '0' ? 'writes nothing to utmp(5)' : 'writes to utmp(5)');
    }
  });

  it('loses its port when the host unplugs it', async () => {
    await machine.qmp.execute('device_del', { id: 'agentport' });

    await machine.qmp.event('DEVICE_DELETED');

    expect(await machine.shell.run('udevadm settle; ls /dev/virtio-ports')).not.toContain(AGENT_PORT);
  });
});

const ourPort = (socket: string): readonly string[] => [
  '-chardev', `socket,id=ours,path=${socket},server=on,wait=off`,
  '-device', `virtserialport,bus=ports.0,nr=3,chardev=ours,name=${OUR_PORT}`,
];

/** A disk of two partitions behind a controller of virtio-scsi. */
function scsiDisk(file: string): readonly string[] {
  const fd = openSync(file, 'w');
  ftruncateSync(fd, 200 * MEBIBYTE);
  writeSync(fd, partitionTable([96, 96]));
  closeSync(fd);
  return [
    '-device', 'virtio-scsi-pci,id=scsi',
    '-drive', `file=${file},if=none,id=scsidisk,format=raw,cache=unsafe`,
    '-device', 'scsi-hd,bus=scsi.0,drive=scsidisk,serial=LAB-SCSI-1',
  ];
}

/** A master boot record: partitions of so many MiB, one after the other, from the first MiB on. */
function partitionTable(sizes: readonly number[]): Buffer {
  const sectors = MEBIBYTE / 512;
  const record = Buffer.alloc(512);
  let begin = sectors;
  for (const [i, size] of sizes.entries()) {
    const entry = record.subarray(446 + 16 * i);
    entry.writeUInt8(0x83, 4);
    entry.writeUInt32LE(begin, 8);
    entry.writeUInt32LE(size * sectors, 12);
    begin += size * sectors;
  }
  record.writeUInt16LE(0xaa55, 510);
  return record;
}
