// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lacking } from './lab/lacking.ts';
import { dpkg, guestWithReference, type InstalledGuest } from './lab/installed-guest.ts';
import { dropKeeper, serverName, serverProgram, useKeeper } from './lab/keeper.ts';
import { AGENT_PORT } from './lab/machine.ts';
import { PatientHost } from './lab/patient-host.ts';
import { wearOut } from './lab/rude-hosts.ts';

const missing = lacking();

/** What the machine has, but for what package managers and the journal write for themselves. */
const inventory = `{
  find / -xdev -mindepth 1 | grep -vE '^/(var/(cache|log|lib/(dpkg|apt|systemd))|usr/share/doc|payload)(/|$)'
  find /run -mindepth 1 | grep -vE '^/run/(systemd|udev|log|test)(/|$)|^/run/qga.state$'
  find /run/systemd /run/udev | grep -i concierge
  getent passwd | sed 's/^/user /'; getent group | sed 's/^/group /'
  systemctl list-unit-files --no-legend --no-pager 'concierge*' 'qemu-guest-agent*' | sed 's/  */ /g; s/^/unit /'
} | sort`;

describe.skipIf(missing !== undefined)(`our package in a machine${missing === undefined ? '' : ` (${missing})`}`, { timeout: 1_800_000 }, () => {
  let guest: InstalledGuest;
  let host: PatientHost;
  let exposure: { ours?: number; reference?: number } = {};
  const run = (script: string): Promise<string> => guest.run(script);
  const property = (name: string, unit = 'concierge-ga'): Promise<string> => run(`systemctl show -P ${name} ${unit}`);
  const journal = (): Promise<string> => run('journalctl --sync; journalctl -q -o cat -u concierge-ga');
  /** The program that has the port open. */
  const server = (): Promise<string> =>
    run(`readlink $(find /proc -maxdepth 3 -path '/proc/[0-9]*/fd/*' -lname "$(readlink -f /dev/virtio-ports/${AGENT_PORT})" 2>/dev/null | head -1 | sed 's,/fd/.*,/exe,')`);
  const exposureOf = async (unit: string): Promise<number> => Number(/level for \S+: ([\d.]+)/.exec(await run(`systemd-analyze --no-pager security ${unit} | tail -1`))?.[1]);
  /** Lines of the inventory of now that were not in that of the beginning, and the other way round. */
  const changes = async (script = 'qemu-guest-agent'): Promise<readonly string[]> => {
    await run(`${inventory} >/run/test/now`);
    // A script of sysvinit stays until a purge, with its links, which insserv numbers anew for all; systemd's generator makes units of it.
    const bySysvinit = new RegExp(`^[<>] (?:/etc/init\\.d/${script}$|/etc/rc[0-6S]\\.d/[SK]\\d\\d(?:${script}|qemu-guest-agent)$|/run/systemd/generator\\.late/.*${script}|unit ${script}\\S* generated)`);
    return (await run('diff /run/test/begin /run/test/now || true')).split('\n').filter((line) => /^[<>]/.test(line) && !bySysvinit.test(line));
  };

  beforeAll(async () => {
    guest = await guestWithReference();
    host = guest.host;
    await run(`mkdir /run/test && ${inventory} >/run/test/begin`);
    await run(useKeeper());
    exposure = { reference: await exposureOf('qemu-guest-agent.service') };
  }, 1_800_000);
  afterAll(async () => guest?.machine.destroy());

  it('takes the port over from a running qemu-guest-agent, and the host that is connected is answered', async () => {
    const boot = await run('cat /proc/sys/kernel/random/boot_id');
    expect(await server()).toBe('/usr/sbin/qemu-ga');

    const said = await run(dpkg(`--install ${guest.packages.ours}`));
    await host.answered();

    expect(said).toContain('will remove qemu-guest-agent in favour of concierge-ga');
    expect(await server()).toBe(serverProgram);
    expect(await run('systemctl is-active concierge-ga qemu-guest-agent')).toBe('active\nactive');
    expect(await property('Id', 'qemu-guest-agent')).toBe('concierge-ga.service');
    expect(await run('cat /proc/sys/kernel/random/boot_id')).toBe(boot);
  });

  it('shows in its status what it serves', async () => {
    expect(await run('systemctl --no-pager status concierge-ga')).toContain(`Status: "Serving virtio-serial /dev/virtio-ports/${AGENT_PORT}"`);
  });

  it('has units that systemd finds nothing wrong with', async () => {
    expect(await run('systemd-analyze verify --man=no concierge-ga.service concierge-ga-channel.service 2>&1')).toBe('');
  });

  it('is not more exposed than qemu-guest-agent', async () => {
    exposure = { ...exposure, ours: await exposureOf('concierge-ga.service') };

    console.log(`systemd-analyze security: concierge-ga ${exposure.ours}, qemu-guest-agent ${exposure.reference}`);
    expect(exposure.ours).toBeLessThanOrEqual(exposure.reference ?? 0);
  });

  it('stays the same process when it is started twice', async () => {
    const before = await property('MainPID');

    await run('systemctl start concierge-ga && systemctl start qemu-guest-agent');

    expect(await property('MainPID')).toBe(before);
    await host.answered();
  });

  it('does not let another agent into its state or at its port', async () => {
    const pid = await property('MainPID');
    await run('touch /run/test/empty.conf');

    const sameState = await guest.machine.shell.try('concierge-ga -c /run/test/empty.conf -t /run/concierge-ga', 300_000);
    const samePort = await guest.machine.shell.try('concierge-ga -c /run/test/empty.conf -t /run/test/other', 300_000);

    expect(sameState).toEqual({ status: 1, output: expect.stringContaining(`another agent (process ${pid}) uses the state directory /run/concierge-ga`) });
    expect(samePort).toEqual({ status: 1, output: expect.stringContaining(`Device or resource busy (process ${pid} (${serverName}) has it open: only one agent can, stop the other)`) });
    await host.answered();
  });

  it.each([
    ['is a file', '-p /etc/hostname', "error opening channel '/etc/hostname': it is no character device"],
    ['is a directory', '-p /etc', "error opening channel '/etc': Is a directory"],
    ['is missing', '-p /dev/virtio-ports/none', "error opening channel '/dev/virtio-ports/none': No such file or directory (this machine has no such virtio-serial port"],
    ['is not for its user', '', `error opening channel '/dev/virtio-ports/${AGENT_PORT}': Permission denied (the agent must run as root`],
  ])('ends with one line when its port %s', async (what, flags, message) => {
    const user = what === 'is not for its user' ? 'setpriv --reuid=nobody --regid=nogroup --clear-groups ' : '';
    await run('mkdir -m 1777 /run/test/tries && touch /run/test/empty.conf');

    const { status, output } = await guest.machine.shell.try(`${user}concierge-ga -c /run/test/empty.conf -t /run/test/tries/$RANDOM ${flags}`, 300_000);

    await run('rm -r /run/test/tries');
    expect(status).toBe(1);
    expect(output).toContain(message);
    expect(output.trim().split('\n')).toHaveLength(1);
  });

  it('answers again after hosts have worn out the port, although the unit goes with its device', async () => {
    await wearOut(guest.machine);

    host = new PatientHost(await guest.machine.agent());
    await host.answered();

    expect(await property('ActiveState')).toBe('active');
    expect(await run('systemctl list-units --no-legend --no-pager --failed')).toBe('');
  });

  it('as a service says once why it cannot open its port, and serves it when it can', async () => {
    await run('cp /etc/concierge-ga/concierge-ga.conf /run/kept.conf');
    await run("sed -i 's,^#path=.*,path=/run/port,' /etc/concierge-ga/concierge-ga.conf && mkdir /run/port && systemctl restart concierge-ga");
    const status = await property('StatusText');

    await run(`rmdir /run/port && ln -s /dev/virtio-ports/${AGENT_PORT} /run/port`);
    await host.answered();

    expect(status).toBe("Waiting: error opening channel '/run/port': Is a directory");
    expect((await journal()).match(/error opening channel '\/run\/port': Is a directory; trying again until it works/g)).toHaveLength(1);
    await guest.until('systemctl show -P StatusText concierge-ga | grep -qx "Serving virtio-serial /run/port"');
    await run('cp /run/kept.conf /etc/concierge-ga/concierge-ga.conf && systemctl restart concierge-ga && rm /run/port /run/kept.conf');
    await host.answered();
  });

  it('refuses to freeze while /run is full, and says so, and goes on when there is room', async () => {
    await run('dd if=/dev/zero of=/run/fill bs=1M status=none || true');

    await expect(host.ask('guest-fsfreeze-freeze')).rejects.toThrow('unable to create /run/concierge-ga/qga.state.isfrozen: No space left on device');
    await expect(host.ask('guest-file-open', { path: '/etc/hostname' })).rejects.toThrow('failed to commit persistent state to disk');
    expect(await host.ask('guest-fsfreeze-status')).toBe('thawed');

    await run('rm /run/fill');
    const handle = await host.ask('guest-file-open', { path: '/etc/hostname' });
    await host.ask('guest-file-close', { handle });
  });

  it('that starts on a full /run says what is wrong, and serves as soon as there is room', async () => {
    await run('systemctl stop concierge-ga && rm -r /run/concierge-ga; dd if=/dev/zero of=/run/fill bs=1M status=none || true');

    await run('systemctl start --no-block concierge-ga');
    await guest.until('journalctl -q -o cat -u concierge-ga | grep -q "No space left on device"');
    await run('rm /run/fill');
    await host.answered();

    expect(await journal()).toMatch(/(unable to use the state directory|failed to write persistent state to) .*No space left on device/);
  });

  it('serves, freezes and thaws with a read-only /etc, and says what it then cannot do', async () => {
    await run('mount --bind /etc /etc && mount -o remount,ro,bind /etc && systemctl restart concierge-ga');
    await host.answered();

    const frozen = await host.ask('guest-fsfreeze-freeze');
    const thawed = await host.ask('guest-fsfreeze-thaw');
    const password = Buffer.from('x').toString('base64');

    expect(frozen).toBeGreaterThanOrEqual(1);
    expect(thawed).toBe(frozen);
    await expect(host.ask('guest-set-user-password', { username: 'nobody', password, crypted: false })).rejects.toThrow('failed to set user password');
    await run('umount /etc');
  });

  it('keeps a damaged state file aside, tells of it, and hands out no number twice', async () => {
    const before = (await host.ask('guest-file-open', { path: '/etc/hostname' })) as number;
    await run('systemctl stop concierge-ga && echo damaged >/run/concierge-ga/qga.state && systemctl start concierge-ga');
    await host.answered();

    const after = (await host.ask('guest-file-open', { path: '/etc/hostname' })) as number;

    expect(after).toBeGreaterThan(before);
    expect(await run('cat /run/concierge-ga/qga.state.corrupt-*')).toBe('damaged');
    expect(await journal()).toContain('/run/concierge-ga/qga.state is damaged: it is kept as /run/concierge-ga/qga.state.corrupt-');
    await run('rm /run/concierge-ga/qga.state.corrupt-*');
  });

  it.each([
    ['with', true],
    ['without', false],
  ])('is not woken once while it is idle %s a host', async (_, connected) => {
    if (connected) await host.answered();
    else guest.machine.leave();
    const pid = await property('MainPID');
    const switches = `cat /proc/${pid}/task/*/status | awk '/ctxt_switches/ { sum += $2 } END { print sum }'`;

    // Threads for files end themselves after ten seconds without work, and V8 tidies its heap a few times.
    const windows: number[] = [];
    while (windows.at(-1) !== 0 && windows.length < 24) {
      const [first, last] = (await run(`${switches}; sleep 10; ${switches}`)).split('\n').map(Number);
      windows.push((last ?? 0) - (first ?? 0));
    }
    const calls = await run(`timeout 10 strace -f -c -p ${pid} 2>&1 | grep -v -e attached -e detached || true`);

    console.log(`context switches in 10 s ${_} a host, window by window: ${windows.join(' ')}`);
    expect(windows.at(-1)).toBe(0);
    expect(calls).toBe('');
    if (!connected) {
      host = new PatientHost(await guest.machine.agent());
      await host.answered();
    }
  });

  it('leaves nothing but its configuration when it is removed', async () => {
    await run('touch /etc/concierge-ga/fsfreeze-hook.d/50-mine && mkdir -p /etc/systemd/system/concierge-ga.service.d');

    await run(dropKeeper);
    await run(dpkg('--remove concierge-ga'));

    const left = (await changes('concierge-ga')).filter((line) => line.startsWith('>'));
    expect(left).toEqual(['> /etc/concierge-ga', '> /etc/concierge-ga/concierge-ga.conf', '> /etc/concierge-ga/fsfreeze-hook.d', '> /etc/concierge-ga/fsfreeze-hook.d/50-mine', '> /etc/systemd/system/concierge-ga.service.d']);
    expect(await run('systemctl is-active concierge-ga || true')).toBe('inactive');
    await run('rmdir /etc/systemd/system/concierge-ga.service.d');
  });

  it('leaves nothing when it is purged, and the port to a qemu-guest-agent that is installed again', async () => {
    await run(dpkg('--purge concierge-ga'));
    await run(`${dpkg(`--install ${guest.packages.reference}`)} && systemctl start qemu-guest-agent`);
    await host.answered();

    expect(await changes()).toEqual([]);
    expect(await server()).toBe('/usr/sbin/qemu-ga');
  });

  it('gives way to a qemu-guest-agent that apt installs in its place, which has the port at once', async () => {
    await run(dpkg(`--install ${guest.packages.ours}`));
    await host.answered();

    const said = await run(`DEBIAN_FRONTEND=noninteractive apt-get install -y -q -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io ${guest.packages.reference} 2>&1`);
    await guest.until('systemctl is-active --quiet qemu-guest-agent');
    await host.answered();

    expect(said).toMatch(/will be REMOVED:\s+concierge-ga/);
    expect(await server()).toBe('/usr/sbin/qemu-ga');
  });
});
