// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages, hasBuild } from '../package-linux/lib/packages.ts';
import { Box, missingForBox } from './lib/box.ts';

const missing = hasBuild() ? missingForBox() : 'npm run build';
const needs = missing === '' ? '' : ` (needs ${missing})`;

const socket = '/run/agent.sock';
/** Without the right to freeze: the box shares its kernel with the machine. */
const configuration = `[general]\nmethod=unix-listen\npath=${socket}\nstatedir=/run/concierge-ga\nblock-rpcs=guest-fsfreeze-freeze,guest-fsfreeze-freeze-list,guest-shutdown\n[concierge]\nsleep-after=1\n`;
/** Asks one thing after another on a connection of their own, and prints each answer. */
const ask = (...requests: readonly object[]): string => `/usr/lib/concierge-ga/runtime/node -e '
  const requests = JSON.parse(Buffer.from("${Buffer.from(JSON.stringify(requests)).toString('base64')}", "base64"));
  const host = require("node:net").connect("${socket}");
  const next = () => requests.length === 0 ? host.end() : host.write(JSON.stringify(requests.shift()) + "\\n");
  host.on("error", (error) => { console.log(error.code); process.exit(1); });
  host.on("connect", next);
  let text = "";
  host.on("data", (bytes) => { text += bytes; if (text.endsWith("\\n")) { process.stdout.write(text); text = ""; next(); } });'`;

/** Another package that is installed in the same go, and has to be configured behind ours. */
const otherPackage = `
  mkdir -p /root/other/DEBIAN
  printf '%s\\n' 'Package: zz-other' 'Version: 1' 'Architecture: all' 'Maintainer: nobody <nobody@example.org>' 'Description: another' >/root/other/DEBIAN/control
  printf '#!/bin/sh\\necho other is configured\\n' >/root/other/DEBIAN/postinst
  chmod 755 /root/other/DEBIAN/postinst
  dpkg-deb --build /root/other /root/zz-other.deb >/dev/null`;

describe.skipIf(needs !== '')(`our package under a keeper, in a booted systemd${needs}`, () => {
  let box: Box;
  let file: string;
  const property = (name: string): string => box.must(`systemctl show -P ${name} concierge-ga`);
  const answers = (...requests: readonly object[]): readonly unknown[] =>
    box.must(ask(...requests)).split('\n').map((line) => (JSON.parse(line) as { return: unknown }).return);
  const agent = (): string => box.must(`cat /proc/${property('MainPID')}/task/*/children`);
  const until = (condition: string): string => box.must(`for i in $(seq 900); do if ${condition}; then exit 0; fi; sleep 0.1; done; exit 1`);
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
    expect(property('StatusText')).toBe(`Serving unix-listen ${socket}`);
    expect(box.must(`readlink /proc/${property('MainPID')}/exe`)).toBe('/usr/lib/concierge-ga/dist/concierge-keeper');
    expect(answers({ execute: 'guest-ping' })).toEqual([{}]);
  });

  it('sleeps, says so, and answers', () => {
    asleep();
    expect(property('StatusText')).toBe(`Asleep; serving unix-listen ${socket}`);

    expect(answers({ execute: 'guest-ping' })).toEqual([{}]);

    expect(property('StatusText')).toBe(`Serving unix-listen ${socket}`);
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

  it('is updated while it sleeps', () => {
    // A result that was seen can be asked for again for a minute, and as long nobody sleeps.
    asleep();

    box.must(`dpkg -i ${file} 2>&1`);

    expect(property('ActiveState')).toBe('active');
    expect(answers({ execute: 'guest-ping' })).toEqual([{}]);
  });

  it('goes on when its agent is killed, and the service does not notice', () => {
    const restarts = property('NRestarts');
    answers({ execute: 'guest-ping' });

    box.must(`kill -KILL ${agent()}`);

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
