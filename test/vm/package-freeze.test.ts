// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lacking } from './lab/lacking.ts';
import { dpkg, guestWithReference, type InstalledGuest } from './lab/installed-guest.ts';
import { kept, useKeeper } from './lab/keeper.ts';
import type { PatientHost } from './lab/patient-host.ts';

const missing = lacking();

/**
 * Writes again and again to the file system that is frozen, and to /run/beats each time when it has come through. It forks
 * nothing and waits for nothing else.
 */
const writer = `#!/bin/bash
exec {pause}<> <(:)
while echo beat >/data/beat; do echo $EPOCHREALTIME >>/run/beats; read -t 0.1 -u $pause; done
`;

interface Report {
  readonly status: string;
  readonly 'ended-by'?: string;
  readonly detail?: string;
  readonly filesystems: readonly { readonly mountpoint: string }[];
}

describe.skipIf(missing !== undefined)(`a freeze by our package in a machine${missing === undefined ? '' : ` (${missing})`}`, { timeout: 1_800_000 }, () => {
  let guest: InstalledGuest;
  let host: PatientHost;
  const run = (script: string): Promise<string> => guest.run(script);
  const until = (condition: string): Promise<void> => guest.until(condition);
  const property = (name: string, unit = 'concierge-ga'): Promise<string> => run(`systemctl show -P ${name} ${unit}`);
  const beats = async (): Promise<number> => Number(await run('wc -l </run/beats'));
  const report = async (): Promise<Report> => (await host.ask('__org.concierge_fsfreeze-report')) as Report;

  /** Freezes everything, or what is named, and resolves once the writer is held by the kernel. */
  async function freeze(mountpoints?: readonly string[]): Promise<unknown> {
    const count = mountpoints === undefined ? await host.ask('guest-fsfreeze-freeze') : await host.ask('guest-fsfreeze-freeze-list', { mountpoints });
    expect(await host.ask('guest-fsfreeze-status')).toBe('frozen');
    await until('grep -q percpu_rwsem_wait /proc/$(systemctl show -P MainPID writer)/wchan');
    return count;
  }

  /** Nothing is frozen, for the agent and for the kernel, and nothing is left of the freeze. */
  async function nothingIsFrozen(): Promise<void> {
    await host.answered();
    expect(await host.ask('guest-fsfreeze-status')).toBe('thawed');
    await until(`(( $(wc -l </run/beats) > ${await beats()} ))`);
    expect(await run('touch /written && rm /written && echo yes')).toBe('yes');
    await until('! pgrep "^concierge-(guard|watch)$" >/run/guardians');
    expect(await run('ls /run/concierge-ga')).not.toContain('isfrozen');
    expect(await host.ask('guest-fsfreeze-thaw')).toBe(0);
  }

  /** Runs the script, and tells how long after its beginning the writer, held until then, came through. */
  async function secondsUntilWritten(script: string): Promise<string> {
    const before = await beats();
    const times = await run(`began=$EPOCHREALTIME; ${script}; until (( $(wc -l </run/beats) > ${before} )); do sleep 0.05; done; echo $began; sed -n ${before + 1}p /run/beats`);
    const [began = '', wrote = ''] = times.split('\n').slice(-2);
    return (Number(wrote) - Number(began)).toFixed(2);
  }

  beforeAll(async () => {
    guest = await guestWithReference({ newer: true });
    host = guest.host;
    await run(useKeeper());
    await run(dpkg(`--install ${guest.packages.ours}`));
    await host.answered();
    // On the disk that is frozen, as Debian has it: nothing may wait for the journal.
    await run('rm /etc/systemd/journald.conf.d/lab.conf && mkdir -p /var/log/journal && systemctl restart systemd-journald && journalctl --flush');
    // On memory, so that it is frozen by itself and its blocks cost nothing.
    await run('truncate -s 32M /dev/shm/data && mkfs.ext4 -q /dev/shm/data && mkdir /data && mount -o loop /dev/shm/data /data');
    await run(`cat >/run/writer <<'END'\n${writer}END\nchmod +x /run/writer; systemd-run --quiet --unit=writer /run/writer`);
    await until('[ -s /run/beats ]');
  }, 1_800_000);
  afterAll(async () => guest?.machine.destroy());
  // The start limit is for mistakes of a configuration; here the agent is killed on purpose.
  beforeEach(async () => run('systemctl reset-failed concierge-ga'));

  it('holds writers on every disk, the root file system too, until the host thaws', async () => {
    const frozen = await freeze();
    const { filesystems } = await report();
    const thawed = await host.ask('guest-fsfreeze-thaw');

    expect(filesystems.map(({ mountpoint }) => mountpoint)).toEqual(expect.arrayContaining(['/', '/data']));
    expect(thawed).toBe(frozen);
    expect(await report()).toMatchObject({ status: 'thawed', 'ended-by': 'thaw' });
    await nothingIsFrozen();
  });

  it('is thawed when the main process is killed, and a writer goes on', async () => {
    await freeze();

    const seconds = await secondsUntilWritten('systemctl kill --signal=KILL --kill-whom=main concierge-ga');

    console.log(`from SIGKILL to the first write: ${seconds} s`);
    await nothingIsFrozen();
    expect(await property('NRestarts')).toBe('1');
    // Of a keeper that is gone the agent hears, and thaws.
    if (!kept) expect(await run('journalctl --sync; journalctl -q -o cat -u concierge-ga')).toMatch(/[2-9] file systems thawed by their guardian/);
  });

  it('is thawed by systemd when the agent and its guardian are killed', async () => {
    await freeze();

    const seconds = await secondsUntilWritten('systemctl kill --signal=KILL --kill-whom=all concierge-ga');

    console.log(`from SIGKILL of agent and guardian to the first write: ${seconds} s`);
    await nothingIsFrozen();
  });

  it('is thawed by a restart', async () => {
    await freeze();

    const seconds = await secondsUntilWritten('systemctl restart --no-block concierge-ga');

    console.log(`from systemctl restart to the first write: ${seconds} s`);
    await nothingIsFrozen();
  });

  it('is thawed by a stop, and the next start finds nothing frozen', async () => {
    await freeze();

    await run('systemctl stop concierge-ga && touch /data/written && systemctl start concierge-ga');

    await nothingIsFrozen();
  });

  // An update with a keeper thaws nothing: test/system/keeper/killed-midway.test.ts.
  it.skipIf(kept)('is held while the package is unpacked, by the agent whose files are replaced, and thawed when it is configured', async () => {
    const pid = await property('MainPID');
    const frozen = await freeze();

    // It waits for the disk like every writer, and goes on after the thaw.
    await run(`systemd-run --quiet --no-block --unit=unpack --property=Type=oneshot --property=RemainAfterExit=yes dpkg --force-unsafe-io --unpack ${guest.packages.newer}`);
    await until('grep -q percpu_rwsem_wait /proc/$(systemctl show -P ExecMainPID unpack)/wchan');
    expect(await host.ask('guest-fsfreeze-thaw')).toBe(frozen);
    await until('systemctl show -P SubState unpack | grep -qx -e exited -e failed');
    expect(await property('Result', 'unpack')).toBe('success');
    expect(await property('MainPID')).toBe(pid);
    expect(await run(`readlink /proc/${pid}/exe`)).toContain('(deleted)');

    expect(await freeze(['/data'])).toBe(1);
    // Agent and guardian of one make, whatever lies there by now.
    expect(await run('readlink /proc/$(pgrep -x concierge-guard)/exe')).toContain('(deleted)');
    const seconds = await secondsUntilWritten(dpkg('--configure concierge-ga'));

    console.log(`from dpkg --configure to the first write: ${seconds} s`);
    await nothingIsFrozen();
    expect(await property('MainPID')).not.toBe(pid);
    expect(await run("dpkg-query -W -f '${Status} ${Version}' concierge-ga")).toMatch(/^install ok installed .*\.1$/);
  });

  it('ends by itself at its deadline when the host does not thaw, and the report says so', async () => {
    await run("sed -i 's/^#freeze-timeout=.*/freeze-timeout=20/' /etc/concierge-ga/concierge-ga.conf && systemctl restart concierge-ga");
    await host.answered();
    await host.ask('guest-fsfreeze-freeze');

    // Held until something is thawed.
    await run('touch /root/written');

    expect(await report()).toMatchObject({ status: 'thawed', 'ended-by': 'deadline', detail: expect.stringContaining('the deadline of the freeze (freeze-timeout) came before a thaw') });
    expect(await run('journalctl --sync; journalctl -q -o cat -u concierge-ga')).toContain('the deadline of the freeze (freeze-timeout) came before a thaw');
    await nothingIsFrozen();
  });
});
