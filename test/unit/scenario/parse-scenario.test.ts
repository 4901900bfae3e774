// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { createFakeGuest, parseScenario } from '../../../kit/fake/index.ts';
import { GuestClient } from '../../../client/index.ts';
import { commandNames } from '../../../core/schema/index.ts';

const problems = (text: string): string => {
  try {
    parseScenario(text, { name: 'file.yaml', commands: commandNames });
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

describe('a scenario with a mistake', () => {
  it.each([
    ['machine:\n  hostname: x', "file.yaml:2:3: the machine has no 'hostname': did you mean 'hostName'?"],
    ['machin: {}', "file.yaml:1:1: a scenario has no 'machin': did you mean 'machine'?"],
    ['timeline:\n  - do: frezee-hangs\n    at: 0', "file.yaml:2:9: there is no 'do: frezee-hangs': did you mean 'freeze-hangs'?"],
    ['timeline: [{ at: 0, do: fill }]', "file.yaml:1:12: 'fill' needs 'of'"],
    ['timeline: [{ do: fill, of: / }]', "'fill' needs 'at'"],
    ['timeline: [{ at: 5, do: fill, of: / }]', "5 is not a duration such as '40s'"],
    ['timeline: [{ on: guest-fsfreeze-freze, do: answer-lost }]', "'guest-fsfreeze-freze' is no command: did you mean 'guest-fsfreeze-freeze'?"],
    ['timeline: [{ at: 0, do: answer-lost }]', "'answer-lost' has no 'at'"],
    ['timeline: [{ at: 0, do: freeze-fails, of: /, error: ENOWHERE }]', "'ENOWHERE' is no errno"],
    ['timeline: [fill]', "'fill' is not an entry of the timeline: write a mapping with 'do'"],
    ['timeline: [{ at: 0 }]', "an entry of the timeline needs 'do'"],
    ['timeline: 7', '7 is not a list'],
    ['machine: { mounts: [{ mountPoint: /x, capacity: lots }] }', "'lots' is not a number of bytes such as '4 GiB'"],
    ['machine: { startTime: yesterday }', "'yesterday' is not a time such as"],
    ['machine: { users: [{ name: a, uid: 1.5, gid: 0, home: / }] }', '1.5 is not a whole number'],
    ['machine: { without: [fileSystem.freezin] }', "did you mean 'fileSystem.freezing'?"],
    ['machine: { files: [1] }', 'a list is not a mapping'],
    ['timeline:\n  at: 0', 'file.yaml:2:3: a mapping is not a list'],
    ['timeline: [{ at: 0, on: guest-ping, do: fill, of: / }]', "'at' and 'on' exclude each other"],
    ['timeline: [{ on: fsfreeze-thaw, do: answer-lost }]', "did you mean 'guest-fsfreeze-thaw'?"],
    ['{\n  "timeline": [{ "at": 0 "do": "fill" }]\n}', "file.yaml:2:26: Expected ',' or '}' after property value"],
    ['{"timeline": []', 'file.yaml:1:16: Expected '],
    ['machine: { agent: true }', 'true is not a mapping'],
    ['just a text', "'just a text' is not a mapping"],
    ['a: [', 'file.yaml:1:'],
    ['', 'file.yaml: there is nothing in it'],
    ['machine:', 'file.yaml:1:9: a mapping is missing here'],
  ])('%j is told with its place and what was meant', (text, message) => {
    expect(problems(text)).toContain(message);
  });

  it('is told once for each mistake, in the order of the lines, up to twenty', () => {
    const many = `timeline:\n${Array.from({ length: 30 }, () => '  - { at: 0, do: nonsense }').join('\n')}`;

    const lines = problems(many).split('\n');

    expect(lines).toHaveLength(21);
    expect(lines[0]).toMatch(/^file\.yaml:2:/);
    expect(lines[20]).toBe('… and 10 more');
  });

  it.each([
    ['timeline: [{ at: 0, do: fill, of: /nowhere }]', "nothing is mounted at '/nowhere'; mounted are /, "],
    ['timeline: [{ at: 0, do: hook-fails, name: x }]', "the machine has no hook 'x'; it has none"],
    ['timeline: [{ at: 0, do: fault, port: power.shutdown, method: shutdwn, error: EIO }]', "no port of this machine has the call 'power.shutdown.shutdwn'"],
    ['timeline:\n  - { at: 0, do: fill, of: dta }', "scenario:2:5: nothing is mounted at 'dta': did you mean '/data'?"],
    ['machine: { hooks: [{ name: backup }] }\ntimeline:\n  - { at: 0, do: release }\n  - { on: guest-ping, do: hook-fails, name: bakcup }', "scenario:4:5: the machine has no hook 'bakcup': did you mean 'backup'?"],
    ['timeline: [{ on: guest-ping, do: fault, port: power.shutdwn, method: shutdown, error: EIO }]', "scenario:1:12: no port of this machine has the call 'power.shutdwn.shutdown': did you mean 'power.shutdown.shutdown'?"],
    ['timeline: [{ on: guest-ping, do: fault, port: power.shutdown, method: shutdown }]', "a fault needs at least one of 'error', 'hang' and 'delay'"],
  ])('%j is refused because the machine is not so', async (text, message) => {
    await expect(createFakeGuest(text)).rejects.toThrow(message);
  });
});

describe('a scenario', () => {
  it('may be JSON', () => {
    expect(parseScenario('{"timeline": [{"at": "1.5h", "do": "release"}]}')).toEqual({ timeline: [{ at: 5_400_000, do: 'release' }] });
  });

  it('describes a whole machine', async () => {
    const guest = await createFakeGuest(`
machine:
  startTime: '2026-03-29T00:59:30Z'
  hostName: web1
  timeZone: { offset: 7200, zone: CEST }
  os: { id: acme, prettyName: Acme 1 }
  mounts:
    - { mountPoint: /, capacity: 10 GiB, occupied: 1GiB }
    - { mountPoint: /srv, type: xfs, source: /dev/vdc, readOnly: true }
    - { bindOf: /srv, mountPoint: /var/www }
  disks: [{ name: /dev/vdc, device: '252:32', bus: virtio, slot: 7, serial: abc }]
  files:
    /etc/motd: hello
    /opt: { directory: true, mode: 448 }
    /opt/link: { symlink: /etc/motd }
    /usr/bin/backup: { program: { prints: 'saved', exits: 3 } }
  users: [{ name: eve, uid: 1000, gid: 1000, home: /home/eve }]
  sessions: [{ user: eve, loginTime: 1700000000.5 }]
  interfaces: [{ name: eth0, addresses: [{ family: ipv4, address: 192.0.2.7, prefix: 24 }] }]
  memory: { blockSize: 9007199254740993, blocks: [] }
`);
    using client = new GuestClient(guest.connect());

    expect(await client.execute('guest-get-host-name')).toEqual({ 'host-name': 'web1' });
    expect(await client.execute('guest-get-time')).toBe(1_774_745_970_000_000_000n);
    expect(await client.execute('guest-get-users')).toEqual([{ user: 'eve', 'login-time': 1_700_000_000.5 }]);
    expect(await client.execute('guest-get-memory-block-info')).toEqual({ size: 9_007_199_254_740_993n });
    expect(await client.execute('guest-network-get-interfaces')).toMatchObject([{ name: 'eth0' }]);
    expect((await client.execute('guest-get-fsinfo')).map(({ mountpoint }) => mountpoint)).toEqual(['/srv', '/']);
    expect(guest.machine.files.text('/opt/link')).toBe('hello');
  });
});
