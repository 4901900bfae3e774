// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { GuestRoot, makeBase } from './lib/guest-root.ts';
import { buildPackages, hasBuild, installed, isRoot } from './lib/packages.ts';

const needs = !hasBuild() ? ' (needs npm run build)' : !isRoot ? ' (needs root)' : installed('mmdebstrap') === undefined ? ' (needs mmdebstrap)' : '';
const hasRpm = installed('rpmbuild') !== undefined && installed('rpm') !== undefined;

/** Asks an agent on a socket, in the guest, for its pulse. */
const ping = `
dir=$(mktemp -d)
concierge-ga -m unix-listen -p "$dir/s" -t "$dir" & agent=$!
/usr/lib/concierge-ga/runtime/node -e '
  const ask = () => { const host = require("node:net").connect(process.argv[1]);
    host.on("error", () => setTimeout(ask, 20));
    host.on("connect", () => host.write("{\\"execute\\":\\"guest-ping\\"}\\n"));
    host.on("data", (bytes) => { process.stdout.write(bytes); host.end(); }); };
  ask();' "$dir/s"
kill $agent; wait $agent; echo "status $?"; rm -r "$dir"`;

describe.skipIf(needs !== '')(`a package on Debian${needs}`, () => {
  let packages: Readonly<Record<string, string>>;
  let guest: GuestRoot;

  beforeAll(() => {
    makeBase();
    packages = buildPackages(hasRpm ? ['deb', 'rpm', 'tarball'] : ['deb', 'tarball'], 'lifecycle');
  }, 600_000);
  afterEach(() => guest.discard());

  const prepare = (systemd: boolean): { readonly file: string; readonly before: ReadonlySet<string> } => {
    guest = new GuestRoot('lifecycle');
    if (systemd) guest.withSystemd();
    return { file: guest.bring(packages['deb']!), before: new Set(guest.listing()) };
  };
  const added = (before: ReadonlySet<string>): readonly string[] => guest.listing().filter((path) => !before.has(path));

  it('takes the port over from a running qemu-guest-agent, and answers', () => {
    const { file } = prepare(true);

    const outcome = guest.run(`dpkg -i ${file}`);

    expect(outcome.status, outcome.text).toBe(0);
    const calls = guest.systemctlCalls();
    expect(calls.indexOf('stop qemu-guest-agent.service')).toBeGreaterThanOrEqual(0);
    expect(calls.indexOf('restart concierge-ga.service')).toBeGreaterThan(calls.indexOf('stop qemu-guest-agent.service'));
    expect(guest.run('readlink /usr/lib/systemd/system/qemu-guest-agent.service').text).toBe('concierge-ga.service\n');
    expect(guest.run("dpkg-query -W -f '${db:Status-Status}' qemu-guest-agent").text).toBe('config-files');
    expect(guest.run('qemu-ga --version').text).toMatch(/^Concierge Guest Agent /);
    expect(guest.run(ping)).toEqual({ status: 0, text: '{"return": {}}\nstatus 0\n' });
  });

  it('goes on with the commands that the administrator had blocked', () => {
    const { file } = prepare(true);
    guest.write('etc/qemu/qemu-ga.conf', '[general]\ndaemon=true\nblock-rpcs=guest-exec,guest-file-open\n');

    guest.run(`dpkg -i ${file}`);

    const configuration = guest.run('concierge-ga --dump-conf').text;
    expect(configuration).toMatch(/^block-rpcs=(guest-exec,guest-file-open|guest-file-open,guest-exec)$/m);
    expect(configuration).toContain('daemon=false\n');
    expect(configuration).toContain('statedir=/run/concierge-ga\n');
  });

  it('leaves a configuration alone when it is upgraded, and restarts the agent', () => {
    const { file } = prepare(true);
    guest.run(`dpkg -i ${file}`);
    guest.write('etc/concierge-ga/concierge-ga.conf', '[general]\nverbose=true\n');
    guest.systemctlCalls();

    guest.run(`dpkg -i ${file}`);

    expect(guest.read('etc/concierge-ga/concierge-ga.conf')).toBe('[general]\nverbose=true\n');
    expect(guest.systemctlCalls().filter((call) => call.endsWith(' concierge-ga.service'))).toEqual(['restart concierge-ga.service']);
  });

  it('restarts the unit of another channel where that is the one in use', () => {
    const { file } = prepare(true);
    guest.write('var/tmp/active/concierge-ga-channel.service', '');

    guest.run(`dpkg -i ${file}`);

    const calls = guest.systemctlCalls();
    expect(calls).toContain('restart concierge-ga-channel.service');
    expect(calls).not.toContain('restart concierge-ga.service');
  });

  it('starts nothing without the port, nor where policy-rc.d forbids it', () => {
    const { file } = prepare(true);
    guest.run('rm /dev/virtio-ports/org.qemu.guest_agent.0');
    guest.run(`dpkg -i ${file}`);
    const withoutPort = guest.systemctlCalls();
    guest.write('dev/virtio-ports/org.qemu.guest_agent.0', '');
    guest.write('usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101\n', 0o755);

    guest.run(`dpkg -i ${file}`);

    expect([...withoutPort, ...guest.systemctlCalls()].filter((call) => call.startsWith('restart') || call.startsWith('start'))).toEqual([]);
  });

  it('thaws what a qemu-ga that was killed had frozen', () => {
    const { file } = prepare(true);
    guest.run(`dpkg -i ${file}`);
    // In the place of the agent, so that nothing of this machine can be thawed.
    guest.write('usr/lib/concierge-ga/bin/concierge-ga', '#!/bin/sh\necho "$*" >>/var/tmp/agent.log\n', 0o755);
    guest.run('rm /usr/lib/systemd/system/qemu-guest-agent.service');
    guest.write('var/tmp/active/qemu-guest-agent.service', '');
    guest.write('run/qga.state.isfrozen', '');
    guest.systemctlCalls();

    const outcome = guest.run('/var/lib/dpkg/info/concierge-ga.postinst configure 0.0');

    expect(outcome.status, outcome.text).toBe(0);
    // qemu-ga ignores SIGTERM as long as it is frozen.
    expect(guest.systemctlCalls()).toEqual(expect.arrayContaining(['--no-block stop qemu-guest-agent.service', '--signal=KILL kill qemu-guest-agent.service']));
    expect(guest.read('var/tmp/agent.log')).toBe('thaw --statedir=/run\n');
  });

  it('leaves its configuration when it is removed, and nothing when it is purged', () => {
    const { file, before } = prepare(true);
    guest.run(`dpkg -i ${file}`);
    guest.write('run/concierge-ga/qga.state', '');
    guest.write('etc/concierge-ga/fsfreeze-hook.d/mine', '');
    guest.systemctlCalls();

    const removal = guest.run('dpkg -r concierge-ga');
    const calls = guest.systemctlCalls();
    const afterRemoval = added(before);
    guest.run('dpkg -P concierge-ga');

    expect(removal.text).toContain('this machine has no guest agent now');
    expect(calls[0]).toBe('stop concierge-ga.service concierge-ga-channel.service');
    // Debian's policy: the init script is configuration, and whether it is linked is the administrator's choice.
    expect(afterRemoval.filter((path) => !/^\.\/etc\/(rc[0-6]\.d\/[SK]\d\dconcierge-ga|init\.d\/concierge-ga)$/.test(path))).toEqual([
      './etc/concierge-ga', './etc/concierge-ga/concierge-ga.conf', './etc/concierge-ga/fsfreeze-hook.d', './etc/concierge-ga/fsfreeze-hook.d/mine',
    ]);
    expect(added(before)).toEqual([]);
  });

  it('gives the port back to an agent that came from elsewhere', () => {
    const { file } = prepare(true);
    guest.run('dpkg -P qemu-guest-agent');
    guest.write('usr/lib/systemd/system/qemu-guest-agent.service', '[Service]\nExecStart=/opt/agent\n');
    guest.run(`dpkg -i ${file}`);
    const name = guest.run('readlink /etc/systemd/system/qemu-guest-agent.service').text;
    guest.systemctlCalls();

    guest.run('dpkg -r concierge-ga');

    expect(name).toBe('/usr/lib/systemd/system/concierge-ga.service\n');
    expect(guest.systemctlCalls().at(-1)).toBe('start qemu-guest-agent.service');
    expect(guest.has('etc/systemd/system/qemu-guest-agent.service')).toBe(false);
    expect(guest.read('usr/lib/systemd/system/qemu-guest-agent.service')).toBe('[Service]\nExecStart=/opt/agent\n');
  });

  it('installs, runs and goes away where there is no systemd', () => {
    const { file, before } = prepare(false);

    const outcome = guest.run(`dpkg -i ${file} && concierge-ga --version && dpkg -P concierge-ga`);

    expect(outcome.status, outcome.text).toBe(0);
    expect(added(before)).toEqual([]);
  });

  it('is a service of sysvinit where that runs, in the place of the one that was there', () => {
    const { file } = prepare(false);
    // What invoke-rc.d(8) wants to see of an init.
    guest.write('sbin/init', '#!/bin/sh\n', 0o755);
    guest.write('sbin/runlevel', '#!/bin/sh\necho N 2\n', 0o755);
    guest.run('mkfifo /run/initctl && update-rc.d qemu-guest-agent defaults');
    const before = new Set(guest.listing());
    guest.write('etc/qemu/qemu-ga.conf', '[general]\nmethod=unix-listen\npath=/run/agent.sock\nblock-rpcs=guest-fsfreeze-freeze,guest-shutdown\n');
    const ask = `/usr/lib/concierge-ga/runtime/node -e '
      const host = require("node:net").connect("/run/agent.sock");
      host.on("error", (error) => console.log(error.code));
      host.on("connect", () => host.write("{\\"execute\\":\\"guest-ping\\"}\\n"));
      host.on("data", (bytes) => { process.stdout.write(bytes); host.end(); });'`;
    const script = '/etc/init.d/concierge-ga';

    // Started in a process of its own, as init would: the agent goes on when the package manager has ended.
    const installation = guest.run(`dpkg -i ${file}; echo "status $?"; ls /etc/rc2.d; ${ask}`);
    const again = guest.run(`${script} start; echo "start $?"; ${script} status; echo "status $?"; ${script} restart; echo "restart $?"; ${ask}`);
    const stop = guest.run(`${script} stop; echo "stop $?"; ${script} status; echo "status $?"; ${ask}; ${script} start; echo "start $?"; ${ask}`);
    guest.write('etc/default/concierge-ga', 'KEEPER=yes\nDAEMON_ARGS=--sleep-after=0\n');
    const connects = 'for i in $(seq 300); do [ ! -S /run/agent.sock ] || break; sleep 0.1; done';
    const kept = guest.run(`${script} restart; echo "restart $?"; ${connects}; ${ask}; before=$(cat /run/concierge-ga.pid); readlink /proc/$before/exe
      ${script} force-reload; echo "reload $?"; ${script} status; ${ask}; [ "$before" = "$(cat /run/concierge-ga.pid)" ] && echo the same
      ${script} stop; echo "stop $?"; ${ask}; ${script} start; echo "start $?"; ${connects}; ${ask}`);
    const removal = guest.run(`dpkg -r concierge-ga; echo "status $?"; ls /run/concierge-ga.pid /run/agent.sock; ${script} start; echo "start $?"; dpkg -P concierge-ga`);
    // Whatever failed above.
    guest.run('start-stop-daemon --stop --oknodo --retry=KILL/5 --pidfile /run/concierge-ga.pid');

    expect(installation.text).toContain('status 0\n');
    expect(installation.text).toMatch(/S\d\dconcierge-ga\n/);
    expect(installation.text).not.toMatch(/[SK]\d\dqemu-guest-agent/);
    expect(installation.text).toContain('{"return": {}}\n');
    expect(again.text).toMatch(/start 0\n[^]*is running[^]*status 0\n[^]*restart 0\n\{"return": \{\}\}\n$/);
    expect(stop.text).toMatch(/stop 0\n[^]*is not running[^]*status 3\nENOENT\n[^]*start 0\n\{"return": \{\}\}\n$/);
    expect(kept.text).toMatch(/restart 0\n\{"return": \{\}\}\n\S+\/concierge-keeper\nreload 0\n[^]*is running[^]*\n\{"return": \{\}\}\nthe same\n[^]*stop 0\nENOENT\n[^]*start 0\n\{"return": \{\}\}\n$/);
    expect(removal.text).toMatch(/Stopping Concierge Guest Agent: concierge-ga\.\n[^]*status 0\nstart 0\n/);
    expect(removal.text.match(/No such file/g)).toHaveLength(2);
    expect(guest.run('update-rc.d qemu-guest-agent defaults && ls /etc/rc2.d').text).toMatch(/S\d\dqemu-guest-agent/);
    expect(added(before).filter((path) => path !== './run/initctl' && path !== './etc/qemu' && path !== './etc/qemu/qemu-ga.conf' && path !== './etc/default/concierge-ga')).toEqual([]);
  });

  it.skipIf(!hasRpm)(`as an RPM carries over what Red Hat's unit was told, and goes away again${hasRpm ? '' : ' (needs rpmbuild)'}`, () => {
    guest = new GuestRoot('lifecycle');
    guest.withSystemd();
    guest.write('etc/sysconfig/qemu-ga', '# A comment\nFILTER_RPC_ARGS="--allow-rpcs=guest-sync,guest-ping"\nFSFREEZE_HOOK_PATHNAME=/etc/qemu-ga/fsfreeze-hook\n');
    guest.write('etc/qemu-ga/fsfreeze-hook.d/mine', '#!/bin/sh\n', 0o755);
    guest.rpm('--initdb');
    const before = new Set(guest.listing());

    const installation = guest.rpm('--install', packages['rpm']!);
    const configuration = guest.run('concierge-ga --dump-conf').text;
    const calls = guest.systemctlCalls();
    const removal = guest.rpm('--erase', 'concierge-ga');

    expect(installation.status, installation.text).toBe(0);
    expect(configuration).toMatch(/^allow-rpcs=(guest-sync,guest-ping|guest-ping,guest-sync)$/m);
    expect(configuration).toContain('fsfreeze-hook=/etc/qemu-ga/fsfreeze-hook\n');
    expect(calls).toEqual(expect.arrayContaining(['stop qemu-guest-agent.service', 'restart concierge-ga.service']));
    expect(removal.status, removal.text).toBe(0);
    // Its directory is part of the file system on Red Hat's systems.
    expect(added(before).filter((path) => path !== './usr/share/licenses')).toEqual(['./etc/concierge-ga', './etc/concierge-ga/concierge-ga.conf.rpmsave']);
  });

  it('as an archive installs beside a qemu-guest-agent that stays, upgrades, and gives the port back', () => {
    guest = new GuestRoot('lifecycle');
    guest.withSystemd();
    const before = new Set(guest.listing());
    guest.run(`cd /var/tmp && mkdir tree && tar -xzf ${guest.bring(packages['tarball']!)} --strip-components=1 -C tree`);

    const installation = guest.run('/var/tmp/tree/install.sh --prefix=/opt/agent');
    const calls = guest.systemctlCalls();
    const unit = guest.read('usr/local/lib/systemd/system/concierge-ga.service');
    const upgrade = guest.run('/var/tmp/tree/install.sh --prefix=/opt/agent && /opt/agent/sbin/qemu-ga --version');
    guest.systemctlCalls();
    const removal = guest.run('/opt/agent/lib/concierge-ga/uninstall.sh --prefix=/opt/agent --purge');

    expect(installation.status, installation.text).toBe(0);
    expect(calls.indexOf('stop qemu-guest-agent.service')).toBeLessThan(calls.indexOf('restart concierge-ga.service'));
    expect(unit).toContain('ExecStart=/opt/agent/lib/concierge-ga/bin/concierge-ga $CONCIERGE_GA_OPTIONS\n');
    expect(upgrade.text).toContain('Concierge Guest Agent ');
    expect(removal.status, removal.text).toBe(0);
    expect(guest.systemctlCalls().at(-1)).toBe('start qemu-guest-agent.service');
    expect(added(before)).toEqual([]);
  });

  it('as an archive becomes a service of OpenRC, and gives way to the one that was there', () => {
    guest = new GuestRoot('lifecycle');
    guest.write('sbin/openrc-run', '', 0o755);
    guest.write('usr/sbin/rc-update', '#!/bin/sh\necho "$*" >>/var/tmp/rc.log\n[ "$1" != show ] || echo qemu-guest-agent\n', 0o755);
    guest.write('usr/sbin/rc-service', '#!/bin/sh\necho "$*" >>/var/tmp/rc.log\n', 0o755);
    guest.write('run/openrc/softlevel', 'default');
    const before = new Set(guest.listing());
    guest.run(`cd /var/tmp && mkdir tree && tar -xzf ${guest.bring(packages['tarball']!)} --strip-components=1 -C tree`);

    const installation = guest.run('/var/tmp/tree/install.sh');
    const calls = guest.read('var/tmp/rc.log').trim().split('\n');
    const removal = guest.run('rm /var/tmp/rc.log; /usr/local/lib/concierge-ga/uninstall.sh --purge');

    expect(installation.status, installation.text).toBe(0);
    expect(calls).toEqual([
      '--ifstarted qemu-guest-agent stop', 'show default', '--quiet delete qemu-guest-agent default', '--quiet add concierge-ga default', 'concierge-ga restart',
    ]);
    expect(removal.status, removal.text).toBe(0);
    expect(guest.read('var/tmp/rc.log').trim().split('\n')).toEqual([
      '--ifstarted concierge-ga stop', '--quiet delete concierge-ga default', '--quiet add qemu-guest-agent default', 'qemu-guest-agent start',
    ]);
    expect(added(before)).toEqual([]);
  });
});
