// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages, hasBuild } from '../package-linux/lib/packages.ts';
import { Box, missingForBox } from './lib/box.ts';

const missing = hasBuild() ? missingForBox() : 'npm run build';
const needs = missing === '' ? '' : ` (needs ${missing})`;

const socket = '/run/agent.sock';
/** For both agents. Without the right to freeze: the box shares its kernel with the machine. */
const configuration = `[general]\nmethod=unix-listen\npath=${socket}\nblock-rpcs=guest-fsfreeze-freeze,guest-fsfreeze-freeze-list,guest-shutdown\n`;
const ping = (lib: string): string => `${lib}/runtime/node -e '
  const host = require("node:net").connect("${socket}");
  host.on("error", (error) => { console.log(error.code); process.exit(1); });
  host.on("connect", () => host.write("{\\"execute\\":\\"guest-ping\\"}\\n"));
  host.on("data", (bytes) => { process.stdout.write(bytes); host.end(); });'`;
const vendorLink = '/usr/lib/systemd/system/qemu-guest-agent.service';

describe.skipIf(needs !== '').each(['bookworm', 'trixie'])(`our package in a booted systemd of %s${needs}`, (release) => {
  let box: Box;
  let file: string;
  const property = (name: string, unit: string): string => box.must(`systemctl show -P ${name} ${unit}`);

  beforeAll(async () => {
    const packages = buildPackages(['deb'], 'systemd');
    box = await Box.boot(release);
    file = box.bring(packages['deb'] ?? '');
    box.write('/etc/qemu/qemu-ga.conf', configuration);
    box.plugPort('qemu-guest-agent.service');
    box.must('systemctl start qemu-guest-agent');
  });
  afterAll(async () => box?.shutDown());

  it('takes over the service and its name, and answers', () => {
    box.write('/etc/systemd/system/qemu-guest-agent.service.d/50-before.conf', '[Service]\nEnvironment=OLD_DROP_IN=before\n');
    expect(property('Id', 'qemu-guest-agent')).toBe('qemu-guest-agent.service');

    const said = box.must(`dpkg -i ${file} 2>&1`);

    expect(said).toContain('qemu-guest-agent');
    expect(property('ActiveState', 'concierge-ga')).toBe('active');
    expect(property('Id', 'qemu-guest-agent')).toBe('concierge-ga.service');
    expect(box.must(`readlink ${vendorLink}`)).toBe('concierge-ga.service');
    expect(box.run(ping('/usr/lib/concierge-ga'))).toEqual({ status: 0, text: '{"return": {}}\n' });
  });

  it('applies old drop-ins of qemu-guest-agent.service through the name', () => {
    box.write('/etc/systemd/system/qemu-guest-agent.service.d/60-after.conf', '[Service]\nEnvironment=NEW_DROP_IN=after\n');

    box.must('systemctl daemon-reload && systemctl restart concierge-ga');

    const environment = box.must('tr "\\0" "\\n" </proc/$(systemctl show -P MainPID concierge-ga)/environ');
    expect(environment).toMatch(/^OLD_DROP_IN=before$/m);
    expect(environment).toMatch(/^NEW_DROP_IN=after$/m);
  });

  it.each(['qemu-guest-agent', 'qemu-guest-agent.service', 'concierge-ga'])('lets scripts enable %s, with and without --now', (name) => {
    box.must('systemctl stop concierge-ga');

    const enabled = box.run(`systemctl enable ${name}`);
    const before = property('ActiveState', 'concierge-ga');
    const now = box.run(`systemctl enable --now ${name}`);

    expect(enabled.status, enabled.text).toBe(0);
    expect(before).toBe('inactive');
    expect(now.status, now.text).toBe(0);
    expect(property('ActiveState', 'concierge-ga')).toBe('active');
    expect(box.run(ping('/usr/lib/concierge-ga')).text).toBe('{"return": {}}\n');
    expect(box.run(`systemctl is-enabled ${name}`).status).toBe(0);
  });

  it.each(['qemu-guest-agent', 'concierge-ga'])('keeps all that is its own when %s is disabled, and can be enabled again', (name) => {
    const ours = 'find /etc/systemd /usr/lib/systemd/system /etc/concierge-ga -name "*concierge*" -o -name "*qemu-guest-agent*" | sort';
    const before = box.must(ours);

    const disabled = box.run(`systemctl disable ${name}`);

    expect(disabled.status, disabled.text).toBe(0);
    expect(box.must(ours)).toBe(before);
    expect(property('ActiveState', 'concierge-ga')).toBe('active');
    expect(box.run(`systemctl disable --now ${name}`).status).toBe(0);
    expect(property('ActiveState', 'concierge-ga')).toBe('inactive');
    expect(box.run(`systemctl enable --now ${name}`).status).toBe(0);
    expect(property('ActiveState', 'concierge-ga')).toBe('active');
  });

  it('moves the name that an earlier version had put into /etc', () => {
    box.must(`rm ${vendorLink}; ln -s /usr/lib/systemd/system/concierge-ga.service /etc/systemd/system/qemu-guest-agent.service && systemctl daemon-reload`);
    expect(box.run('systemctl enable qemu-guest-agent').status).toBe(1);

    box.must(`dpkg -i ${file}`);

    expect(box.run('systemctl enable qemu-guest-agent').status).toBe(0);
    expect(box.run('ls /etc/systemd/system/qemu-guest-agent.service').status).not.toBe(0);
  });

  it('is not started by the name of a unit that the administrator has masked, and stays known by its own', () => {
    box.must('systemctl mask qemu-guest-agent');

    expect(box.run('systemctl start qemu-guest-agent').status).not.toBe(0);
    expect(box.run('systemctl restart concierge-ga').status).toBe(0);

    box.must('systemctl unmask qemu-guest-agent');
    expect(property('Id', 'qemu-guest-agent')).toBe('concierge-ga.service');
  });

  it('lets a removal take the name away, and leaves no link behind', () => {
    box.must('dpkg -P concierge-ga');

    expect(box.run(`ls ${vendorLink} /etc/systemd/system/qemu-guest-agent.service 2>/dev/null`).text).toBe('');
    expect(box.must('find / -xdev -xtype l -lname "*concierge*"')).toBe('');
    expect(property('LoadState', 'concierge-ga')).toBe('not-found');
  });
});

describe.skipIf(needs !== '')(`our archive in a booted systemd${needs}`, () => {
  let box: Box;
  const property = (name: string, unit: string): string => box.must(`systemctl show -P ${name} ${unit}`);

  beforeAll(async () => {
    const packages = buildPackages(['tarball'], 'systemd');
    box = await Box.boot('trixie');
    box.must(`mkdir /root/tree && tar -xzf ${box.bring(packages['tarball'] ?? '')} --strip-components=1 -C /root/tree`);
    box.write('/etc/qemu/qemu-ga.conf', configuration);
    box.plugPort('qemu-guest-agent.service');
    box.must('systemctl start qemu-guest-agent');
  });
  afterAll(async () => box?.shutDown());

  it('takes the name from a qemu-guest-agent that stays installed, so that scripts can enable it', () => {
    const installation = box.run('/root/tree/install.sh');

    expect(installation.status, installation.text).toBe(0);
    expect(property('Id', 'qemu-guest-agent')).toBe('concierge-ga.service');
    expect(box.run('systemctl disable --now qemu-guest-agent').status).toBe(0);
    expect(box.run('systemctl enable --now qemu-guest-agent').status).toBe(0);
    expect(property('ActiveState', 'concierge-ga')).toBe('active');
    expect(box.run(ping('/usr/local/lib/concierge-ga')).text).toBe('{"return": {}}\n');
  });

  it('follows an earlier version that had its units in /etc, with the channel that was enabled', () => {
    const etc = '/etc/systemd/system';
    box.must(`mv /usr/local/lib/systemd/system/concierge-ga*.service ${etc} && rm /usr/local/lib/systemd/system/qemu-guest-agent.service
      ln -s ${etc}/concierge-ga.service ${etc}/qemu-guest-agent.service && systemctl daemon-reload && systemctl enable concierge-ga-channel`);

    box.must('/root/tree/install.sh');

    expect(property('FragmentPath', 'qemu-guest-agent')).toBe('/usr/local/lib/systemd/system/concierge-ga.service');
    expect(box.must('systemctl is-enabled concierge-ga-channel')).toBe('enabled');
    expect(box.run(`ls ${etc}/concierge-ga.service ${etc}/qemu-guest-agent.service 2>/dev/null`).text).toBe('');
    box.must('systemctl disable concierge-ga-channel');
  });

  it('gives the name and the port back', () => {
    const removal = box.run('/usr/local/lib/concierge-ga/uninstall.sh --purge');

    expect(removal.status, removal.text).toBe(0);
    expect(property('Id', 'qemu-guest-agent')).toBe('qemu-guest-agent.service');
    expect(property('FragmentPath', 'qemu-guest-agent')).toBe(vendorLink);
    expect(property('ActiveState', 'qemu-guest-agent')).toBe('active');
    expect(property('NRestarts', 'qemu-guest-agent')).toBe('0');
    expect(box.run('ls -d /usr/local/lib/systemd').status).not.toBe(0);
  });
});
