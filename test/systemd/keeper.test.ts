// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages, hasBuild } from '../package-linux/lib/packages.ts';
import { askScript, type Asked } from './lib/ask.ts';
import { Box, missingForBox } from './lib/box.ts';

const missing = hasBuild() ? missingForBox() : 'npm run build';
const needs = missing === '' ? '' : ` (needs ${missing})`;

const socket = '/run/agent.sock';
/** Without the right to freeze: the box shares its kernel with the machine. */
const configuration = `[general]\nmethod=unix-listen\npath=${socket}\nstatedir=/run/concierge-ga\nblock-rpcs=guest-fsfreeze-freeze,guest-fsfreeze-freeze-list,guest-shutdown\n[concierge]\nsleep-after=1\n`;
const ask = (...requests: readonly Asked[]): string => askScript(socket, requests);

/** Another package that is installed in the same go, and has to be configured behind ours. */
const otherPackage = `
  mkdir -p /root/other/DEBIAN
  printf '%s\\n' 'Package: zz-other' 'Version: 1' 'Architecture: all' 'Maintainer: nobody <nobody@example.org>' 'Description: another' >/root/other/DEBIAN/control
  printf '#!/bin/sh\\necho other is configured\\n' >/root/other/DEBIAN/postinst
  chmod 755 /root/other/DEBIAN/postinst
  dpkg-deb --build /root/other /root/zz-other.deb >/dev/null`;

/** Our package again, of another version. */
const ofVersion = (file: string, version: string): string => `
  rm -rf /root/again && dpkg-deb -R ${file} /root/again && sed -i 's/^Version: .*/Version: ${version}/' /root/again/DEBIAN/control
  dpkg-deb -Znone --build /root/again /root/repository/concierge-ga-${version}.deb >/dev/null && rm -rf /root/again`;

/** What apt has to know of a directory of packages. */
const asRepository = (directory: string): string => `
  cd ${directory} && for each in *.deb; do
    dpkg-deb -f "$each"; printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' "$each" "$(stat -c %s "$each")" "$(sha256sum "$each" | cut -d' ' -f1)"
  done >Packages
  rm -rf /etc/apt/sources.list /etc/apt/sources.list.d && echo 'deb [trusted=yes] file:${directory} ./' >/etc/apt/sources.list
  apt-get -qq update 2>&1`;

describe.skipIf(needs !== '')(`our package under a keeper, in a booted systemd${needs}`, () => {
  let box: Box;
  let file: string;
  const property = (name: string): string => box.must(`systemctl show -P ${name} concierge-ga`);
  const answers = (...requests: readonly Asked[]): readonly unknown[] =>
    box.must(ask(...requests)).split('\n').map((line) => (JSON.parse(line) as { return: unknown }).return);
  const agent = (): string => box.must(`cat /proc/${property('MainPID')}/task/*/children`);
  const exec = (path: string, ...arg: readonly string[]): number =>
    (answers({ execute: 'guest-exec', arguments: { path, arg, 'capture-output': true } })[0] as { pid: number }).pid;
  const statusOf = (pid: number): { exited: boolean; exitcode?: number; output: string } => {
    const [result] = answers({ execute: 'guest-exec-status', arguments: { pid } }) as [{ exited: boolean; exitcode?: number; 'out-data'?: string }];
    return { exited: result.exited, ...(result.exitcode === undefined ? {} : { exitcode: result.exitcode }), output: Buffer.from(result['out-data'] ?? '', 'base64').toString() };
  };
  const ended = (pid: number): ReturnType<typeof statusOf> => {
    until(`${ask({ execute: 'guest-exec-status', arguments: { pid } })} | grep -q '"exited": true'`);
    return statusOf(pid);
  };
  const keepers = (): readonly string[] => box.run('pgrep -x concierge-keepe').text.trim().split('\n');
  const until = (condition: string): string => box.must(`for i in $(seq 900); do if ${condition}; then exit 0; fi; sleep 0.1; done; exit 1`);
  /** On a busy machine it may be asleep again by the time at which its status is asked for. */
  const servesAndSaysSo = (): string => until(`${ask({ execute: 'guest-ping' })} && [ "$(systemctl show -P StatusText concierge-ga)" = 'Serving unix-listen ${socket}' ]`);
  const asleep = (): string => until(`[ -z "$(cat /proc/${property('MainPID')}/task/*/children)" ]`);

  beforeAll(async () => {
    const packages = buildPackages(['deb'], 'systemd');
    box = await Box.boot('trixie');
    file = box.bring(packages['deb'] ?? '');
    box.write('/etc/qemu/qemu-ga.conf', configuration);
    box.plugPort('qemu-guest-agent.service');
    box.must(`dpkg -i ${file} 2>&1`);
    box.must(`mkdir -p /etc/systemd/system/concierge-ga.service.d
      cp /usr/share/concierge-ga/systemd/keeper.conf /etc/systemd/system/concierge-ga.service.d/
      systemctl daemon-reload && systemctl restart concierge-ga`);
  });
  afterAll(async () => box?.shutDown());

  it('is ready when it serves, with the keeper as the process of the service', () => {
    expect(property('ActiveState')).toBe('active');
    servesAndSaysSo();
    expect(box.must(`readlink /proc/${property('MainPID')}/exe`)).toBe('/usr/lib/concierge-ga/dist/concierge-keeper');
    expect(answers({ execute: 'guest-ping' })).toEqual([{}]);
  });

  it('sleeps, says so, and answers', () => {
    asleep();
    expect(property('StatusText')).toBe(`Asleep; serving unix-listen ${socket}`);

    expect(answers({ execute: 'guest-ping' })).toEqual([{}]);

    servesAndSaysSo();
  });

  it('is updated while it sleeps', () => {
    asleep();

    box.must(`dpkg -i ${file} 2>&1`);

    expect(property('ActiveState')).toBe('active');
    expect(answers({ execute: 'guest-ping' })).toEqual([{}]);
  });

  it('is updated through itself: all packages are configured, the output is whole, and the new agent tells it', () => {
    box.must(otherPackage);
    const [keeper, before] = [property('MainPID'), box.must('stat -c %i /usr/lib/concierge-ga/dist/concierge-keeper')];
    const [{ pid }] = answers({ execute: 'guest-exec', arguments: { path: '/usr/bin/dpkg', arg: ['-i', file, '/root/zz-other.deb'], 'capture-output': true } }) as [{ pid: number }];
    const old = agent();

    until(`${ask({ execute: 'guest-exec-status', arguments: { pid } })} | grep -q '"exited": true'`);
    until(`[ "$(cat /proc/${keeper}/task/*/children)" != '${old}' ]`);

    const [status] = answers({ execute: 'guest-exec-status', arguments: { pid } }) as [{ exitcode: number; 'out-data': string }];
    const said = Buffer.from(status['out-data'], 'base64').toString();
    expect(status.exitcode, said).toBe(0);
    expect(said).toContain('other is configured');
    expect(box.must("dpkg-query -W -f '${Status}\\n' concierge-ga zz-other")).toBe('install ok installed\ninstall ok installed');
    expect(property('MainPID')).toBe(keeper);
    expect(box.must('stat -c %i /usr/lib/concierge-ga/dist/concierge-keeper')).not.toBe(before);
    expect(box.must(`stat -L -c %i /proc/${keeper}/exe`)).toBe(box.must('stat -c %i /usr/lib/concierge-ga/dist/concierge-keeper'));
    expect(agent()).not.toBe(old);
  });

  it('is upgraded and downgraded through itself, by apt and by dpkg', () => {
    box.must(`mkdir -p /root/repository && sed -i 's/^Version: 1/Version: 2/' /root/other/DEBIAN/control && dpkg-deb --build /root/other /root/repository/zz-other-2.deb >/dev/null
      ${ofVersion(file, '99.0')} && ${asRepository('/root/repository')}`);
    const keeper = property('MainPID');
    const versions = (): string => box.must("dpkg-query -W -f '${Status} ${Version}\n' concierge-ga zz-other");
    const version = /ok installed (.*)$/m.exec(versions())?.[1] ?? '';

    const upgraded = ended(exec('/usr/bin/apt-get', '-y', '-o', 'DPkg::Options::=--force-confdef', 'upgrade'));

    expect(upgraded.exitcode, upgraded.output).toBe(0);
    expect(upgraded.output).toContain('other is configured');
    expect(versions()).toBe('install ok installed 99.0\ninstall ok installed 2');

    const downgraded = ended(exec('/usr/bin/dpkg', '-i', file, '/root/zz-other.deb'));

    expect(downgraded.exitcode, downgraded.output).toBe(0);
    expect(downgraded.output).toContain('other is configured');
    expect(versions()).toBe(`install ok installed ${version}\ninstall ok installed 1`);
    expect(property('MainPID')).toBe(keeper);
  });

  it('is restarted, and programs go on and stay known, over more than one restart and through one of them', () => {
    const keeper = property('MainPID');
    const done = exec('/bin/sh', '-c', 'echo done; exit 5');
    ended(done);
    const runs = exec('/bin/sh', '-c', 'echo before; while [ ! -e /run/go ]; do sleep 0.1; done; echo after; exit 6');

    const restarts = [0, 1].map(() => ended(exec('/usr/bin/systemctl', 'restart', 'concierge-ga')));

    expect(restarts.map(({ exitcode }) => exitcode)).toEqual([0, 0]);
    expect(property('MainPID')).not.toBe(keeper);
    expect(statusOf(done)).toEqual({ exited: true, exitcode: 5, output: 'done\n' });
    expect(statusOf(runs)).toMatchObject({ exited: false });
    box.must('touch /run/go');
    expect(ended(runs)).toEqual({ exited: true, exitcode: 6, output: 'before\nafter\n' });
    until(`[ "$(pgrep -x concierge-keepe)" = ${property('MainPID')} ]`);
  });

  it('is stopped, and programs go on with nobody to read what they write', () => {
    const runs = exec('/bin/sh', '-c', 'while [ ! -e /run/stopped ]; do sleep 0.1; done; head -c 300000 /dev/zero && echo $? >/run/went-on');

    box.must('systemctl stop concierge-ga');
    box.must('touch /run/stopped');

    until('[ -e /run/went-on ]');
    expect(box.must('cat /run/went-on')).toBe('0');
    until('! pgrep -x concierge-keepe');
    box.must('systemctl start concierge-ga');
    expect(answers({ execute: 'guest-ping' })).toEqual([{}]);
    expect(box.must(ask({ execute: 'guest-exec-status', arguments: { pid: runs } }))).toContain('does not exist');
    expect(keepers()).toEqual([property('MainPID')]);
  });

  it('goes on when its agent is killed, and the service does not notice', () => {
    const restarts = property('NRestarts');
    // On a busy machine it may be asleep again by the time at which it is looked for.
    until(`${ask({ execute: 'guest-ping' })} && kill -KILL $(cat /proc/${property('MainPID')}/task/*/children)`);

    expect(answers({ execute: 'guest-ping' })).toEqual([{}]);
    expect(property('NRestarts')).toBe(restarts);
  });

  it('is started again by systemd when the keeper is killed', () => {
    const keeper = property('MainPID');
    box.must(`kill -KILL ${keeper}`);

    until('[ "$(systemctl show -P ActiveState concierge-ga)" = active ]');
    until(`[ "$(systemctl show -P MainPID concierge-ga)" != ${keeper} ]`);

    until(ask({ execute: 'guest-ping' }));
  });

  it('stops, awake and asleep', () => {
    for (const wait of [() => answers({ execute: 'guest-ping' }), asleep]) {
      wait();

      box.must('systemctl stop concierge-ga');

      expect(property('Result')).toBe('success');
      expect(box.run("pgrep -x 'concierge-ga|concierge-keepe'").status).toBe(1);
      box.must('systemctl start concierge-ga');
    }
  });
});
