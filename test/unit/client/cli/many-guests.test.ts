// SPDX-License-Identifier: Apache-2.0
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

import { guestListPlaces, guestsIn, matches } from '../../../../client/cli/guest-list.ts';
import { forAll } from '../../../../client/cli/many-guests.ts';
import { LibvirtDouble } from '../libvirt-double.ts';
import { FakeGuests } from './fake-guests.ts';

let fake: FakeGuests;

afterEach(async () => {
  await fake?.close();
});

const gone = '\n[gone]\nsocket = /no/such/socket\n';

describe('a list of guests', () => {
  it('is groups of what leads to a guest', () => {
    expect(guestsIn('# hosts\n[vm7]\r\nlibvirt = vm7\nconnect=qemu+ssh://host/system?socket=/x\n\n[db]\nvia = ssh host virsh qemu-agent-command db\n', 'f')).toEqual(new Map([
      ['vm7', new Map([['libvirt', 'vm7'], ['connect', 'qemu+ssh://host/system?socket=/x']])],
      ['db', new Map([['via', 'ssh host virsh qemu-agent-command db']])],
    ]));
  });

  it.each([
    ['socket=/x', 'f, line 1: a guest begins with its name in brackets'],
    ['[a]\nsokcet=/x', "f, line 2: there is no 'sokcet': there are socket,"],
    ['[a]\nnonsense', 'f, line 2: it is neither [NAME] nor key=value'],
    ['[a b]', "f, line 1: 'a b' is no name for a guest"],
    ['[a*]', 'is no name for a guest'],
    ['[]', 'is no name for a guest'],
    ['[a]\n\n[a]', 'f, line 3: there are two guests named a'],
    ['[a]\nlibvirt=web*', 'f, line 2: a guest of a list is one domain, and web* means several'],
    ['[a]\nlibvirt=a,b', 'f, line 2: a guest of a list is one domain, and a,b means several'],
  ])('that is %j is refused', (text, why) => {
    expect(() => guestsIn(text, 'f')).toThrow(expect.objectContaining({ message: expect.stringContaining(why) }));
  });

  it('is looked for where the user has it, then where the host has it', () => {
    expect(guestListPlaces(undefined, { HOME: '/home/u' })).toEqual(['/home/u/.config/concierge-ctl/guests.conf', '/etc/concierge-ctl/guests.conf']);
    expect(guestListPlaces(undefined, { HOME: '/home/u', CONCIERGE_GUESTS: '/g' })).toEqual(['/g']);
    expect(guestListPlaces('/f', { CONCIERGE_GUESTS: '/g' })).toEqual(['/f']);
  });

  it.each([['web*', 'web1', true], ['web*', 'db', false], ['web?', 'web12', false], ['a,b', 'b', true], ['a.c', 'abc', false], ['*', 'x', true], ['a+b', 'a+b', true], ['a\\*', 'a\\b', true], ['a\\b', 'ab', false],
    // Whose time would grow with a power of the length.
    [`${'*a'.repeat(30)}b`, 'a'.repeat(5000), false]])('%s means %s: %s', (patterns, name, is) => {
    expect(matches(patterns, name)).toBe(is);
  });

  it('that others may write to is not read', async () => {
    fake = await FakeGuests.of({ a: {} });
    await chmod(fake.list, 0o666);

    expect(await fake.ctl(['--guest', 'a', 'os'])).toMatchObject({ status: 2, err: expect.stringContaining('others may write to the list of guests') });
  });

  it('names one guest, which is spoken to as by its own flags', async () => {
    fake = await FakeGuests.of({ a: {}, b: {} });

    expect(await fake.ctl(['--guest', 'b', 'info', '--json'])).toMatchObject({ status: 0, out: expect.stringContaining('"host-name": "b"') });
    expect((await fake.ctl(['guests'])).out).toBe('a\nb\n');
    expect(JSON.parse((await fake.ctl(['guests', '--json'])).out)).toEqual([{ name: 'a', socket: join(fake.directory, 'a.sock') }, { name: 'b', socket: join(fake.directory, 'b.sock') }]);
  });

  it.each([
    [['--guest', 'wbe1', 'os'], "no guest is named wbe1; did you mean web1? ('concierge-ctl guests' prints the names)"],
    [['--guest', 'x*', 'os'], "no guest is named x* ('concierge-ctl guests' prints the names)"],
    [['--guest', 'a', '--all', 'os'], 'which guests are meant: --guest or --all?'],
    [['--all', '--socket', '/x', 'os'], 'which guests are meant: those of the list, or that of --socket?'],
    [['--all', '--guests', '/no/such/list', 'os'], 'the list of guests /no/such/list cannot be read: there is none'],
    [['--all', '--guests', '/', 'os'], 'the list of guests / is no file'],
    [['--all', 'shell'], 'shell is for one guest, and 2 are meant'],
    [['--all', '--parallel', '0', 'os'], '--parallel takes how many guests'],
  ])('%j is refused with status 2', async (words, why) => {
    fake = await FakeGuests.of({ a: {}, web1: {} });

    expect(await fake.ctl(words)).toMatchObject({ status: 2, err: expect.stringContaining(why) });
  });

  it('has a guest that leads nowhere, whatever is in the environment', async () => {
    fake = await FakeGuests.of({ a: {} }, '\n[nowhere]\n');

    expect(await fake.ctl(['--guest', 'nowhere', 'os'], { environment: { CONCIERGE_SOCKET: join(fake.directory, 'a.sock') } })).toMatchObject({ status: 2, err: expect.stringContaining('say which guest') });
  });

  it('takes a token from the environment', async () => {
    fake = await FakeGuests.of({}, '\n[db]\nproxmox = pve1/104\nurl = https://127.0.0.1:1\n');

    expect((await fake.ctl(['--guest', 'db', 'os'])).err).toContain('an API token is needed');
    expect(await fake.ctl(['--guest', 'db', 'os'], { environment: { CONCIERGE_PROXMOX_TOKEN: 'a@pve!b=c' } })).toMatchObject({ status: 3, err: expect.stringContaining('nobody listens there') });
  });

  it.each([
    ['a URI of libvirt', ['--libvirt', 'vm7', '--connect', 'qemu+tls://host/system']],
    ['a URI of libvirt, for all domains', ['--libvirt', '*', '--connect', 'nonsense']],
    ['a URL', ['--proxmox', 'pve1/104', '--url', 'http://pve1']],
    ['a fingerprint', ['--proxmox', 'pve1/104', '--fingerprint', 'AA:BB']],
    ['a guest', ['--proxmox', 'pve1/0']],
  ])('misuse that is noticed late ends with 2 in every subcommand: %s', async (_what, flags) => {
    fake = await FakeGuests.of({});
    const environment = { CONCIERGE_PROXMOX_TOKEN: 'a@pve!b=c' };

    for (const words of [['os'], ['wait'], ['metrics'], ['exec', '--', 'true'], ['frozen', '--', 'true']]) {
      const { status, err } = await fake.ctl([...flags, ...words], { environment });
      expect([words, status, err]).toEqual([words, 2, expect.stringMatching(/^concierge-ctl: /)]);
    }
  });

  it('a token of no form in a file is misuse', async () => {
    fake = await FakeGuests.of({}, '\n[db]\nproxmox = pve1/104\n');

    expect(await fake.ctl(['--guest', 'db', 'frozen', '--', 'true'], { environment: { CONCIERGE_PROXMOX_TOKEN: 'secret' } })).toMatchObject({ status: 2, err: expect.stringContaining('USER@REALM!NAME=SECRET') });
  });

  it('a pattern in a variable that stands for one guest is refused', async () => {
    fake = await FakeGuests.of({});

    expect(await fake.ctl(['os'], { environment: { CONCIERGE_LIBVIRT: 'web*' } })).toMatchObject({ status: 2, err: expect.stringContaining("--libvirt 'web*' is for these") });
  });

  it('that is not there is said so', async () => {
    fake = await FakeGuests.of({});
    const none = await fake.ctl(['guests'], { environment: { CONCIERGE_GUESTS: '', HOME: fake.directory } });
    expect(none).toMatchObject({ status: 0, out: '', err: expect.stringContaining('there is no list of guests') });

    expect(await fake.ctl(['--all', 'os'], { environment: { CONCIERGE_GUESTS: '', HOME: fake.directory } })).toMatchObject({ status: 2, err: expect.stringContaining('there is no list of guests') });
  });

  it('that is not there is said with how to begin one', async () => {
    fake = await FakeGuests.of({});
    const home = { environment: { CONCIERGE_GUESTS: '', HOME: fake.directory } };

    const told = [await fake.ctl(['guests'], home), await fake.ctl(['--all', 'os'], home)].map(({ err }) => err);

    expect(told).toEqual([expect.stringContaining('begin it with two lines, [NAME] and socket=PATH'), expect.stringContaining('begin it with two lines, [NAME] and socket=PATH')]);
  });
});

describe('many guests', () => {
  it('are told of in one table, what fails beside it', async () => {
    fake = await FakeGuests.of({ a: {}, b: {} }, gone);

    const told = await fake.ctl(['--all', 'info']);

    const [head = '', ...rows] = told.out.trimEnd().split('\n');
    expect(head).toMatch(/^GUEST +AGENT +HOST NAME +SYSTEM/);
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 3))).toEqual([['a', expect.any(String), 'a'], ['b', expect.any(String), 'b']]);
    expect(told).toMatchObject({ status: 3, err: 'concierge-ctl: gone: cannot connect to /no/such/socket: there is no such socket\n' });
  });

  it('have several rows each where one has several', async () => {
    fake = await FakeGuests.of({ a: {}, b: {} });

    const { out, status } = await fake.ctl(['--guest', 'a,b', 'fs']);

    expect(status).toBe(0);
    expect(out.match(/MOUNTED ON/g)).toHaveLength(1);
    expect(out.split('\n').filter((line) => line.startsWith('b ')).length).toBeGreaterThan(1);
  });

  it('are a line of JSON each, for programs', async () => {
    fake = await FakeGuests.of({ a: {}, b: {} }, gone);

    const { out } = await fake.ctl(['--all', '--json', 'raw', 'guest-get-host-name']);

    const lines = out.trimEnd().split('\n').map((line) => JSON.parse(line) as { guest: string });
    expect(lines.toSorted((one, other) => (one.guest < other.guest ? -1 : 1))).toEqual([
      { guest: 'a', status: 0, answer: { 'host-name': 'a' } },
      { guest: 'b', status: 0, answer: { 'host-name': 'b' } },
      { guest: 'gone', status: 3, error: 'cannot connect to /no/such/socket: there is no such socket' },
    ]);
  });

  it('print what they print behind their names', async () => {
    fake = await FakeGuests.of({ a: {}, bb: {} });

    expect((await fake.ctl(['--all', 'exec', '--', 'echo', 'hello'])).out).toBe('a   hello\nbb  hello\n');
    expect(await fake.ctl(['--all', 'freeze', '--json'])).toMatchObject({ status: 0, err: '' });
    expect((await fake.ctl(['--all', 'status'])).out).toMatch(/^a   frozen\n/);
    expect((await fake.ctl(['--all', 'thaw'])).status).toBe(0);
  });

  it('end with the status of those that failed where that is the same, else with 1', async () => {
    fake = await FakeGuests.of({ a: {}, b: {} }, gone);

    expect((await fake.ctl(['--guest', 'a,b', 'raw', 'guest-no-such'])).status).toBe(1);
    expect((await fake.ctl(['--all', 'raw', 'guest-no-such'])).status).toBe(1);
    expect((await fake.ctl(['--guest', 'gone,a', 'os'])).status).toBe(3);
  });

  it('have no effect on a terminal by what they say', async () => {
    fake = await FakeGuests.of({ a: { machine: { host: { name: 'a\u001b[2J\nb' } } } });

    expect((await fake.ctl(['--all', 'info'])).out).toContain(String.raw`a\x1b[2J\nb`);
    expect((await fake.ctl(['--all', 'exec', '--', 'echo', '\u001b[2J'])).out).toBe('a  \\x1b[2J\n');
  });

  it('are asked side by side, so many at once and no more', async () => {
    let now = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    const done = forAll(Array.from({ length: 10 }), 3, async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise<void>((resolve) => void waiting.push(resolve));
      now -= 1;
    });

    for (let count = 0; count < 10; count += 1) {
      await expect.poll(() => waiting.length).toBeGreaterThan(0);
      waiting.shift()?.();
    }
    await done;

    expect(most).toBe(3);
  });

  it('are those that run of libvirt', async () => {
    fake = await FakeGuests.of({});
    const domain = (name: string, id: number) => ({ name, id, uuid: `656e230b-6f26-48b1-90a9-59eb07cafc${String(10 + id)}`, agent: () => `{"return": {"host-name": "${name}"}}` });
    const double = await new LibvirtDouble(fake.directory, { domains: [domain('web1', 1), domain('web2', 2), domain('db', 3)] }).start();

    const told = await fake.ctl(['--libvirt', 'web*', '--connect', double.uri, '--json', 'raw', 'guest-get-host-name']);
    const none = await fake.ctl(['--libvirt', 'x*', '--connect', double.uri, 'os']);
    const names = await fake.ctl(['--libvirt', '*', '--connect', double.uri, 'guests']);
    await double.stop();

    expect(names.out).toBe('db\nweb1\nweb2\n');
    expect([...told.out.matchAll(/"guest": "(\w+)"/g)].map(([, name = '']) => name).toSorted((one, other) => (one < other ? -1 : 1))).toEqual(['web1', 'web2']);
    expect(none).toMatchObject({ status: 2, err: expect.stringContaining('no domain that runs is named x*') });
  });
});

describe('a libvirt daemon that does not say which domains it has', () => {
  it('is waited for as long as --timeout says, however often it asks whether somebody is there', async () => {
    fake = await FakeGuests.of({});
    let asking: NodeJS.Timeout | undefined;
    const double = await new LibvirtDouble(fake.directory, {
      instead: ({ procedure }, self) => {
        if (procedure !== 273) return undefined;
        asking = setInterval(() => self.ping(), 10);
        return '';
      },
    }).start();

    const told = await fake.ctl(['--libvirt', 'web*', '--connect', double.uri, '--timeout', '0.1', 'os']);
    clearInterval(asking);
    await double.stop();

    expect(told).toMatchObject({ status: 4, err: expect.stringContaining('no answer within 0.1 s') });
  });
});

describe('wait', () => {
  it('ends when all of it is so, and prints the addresses', async () => {
    fake = await FakeGuests.of({ a: {} });

    expect(await fake.ctl(['--guest', 'a', 'wait', '--for', 'agent,ip'])).toMatchObject({ status: 0, out: '192.0.2.10\n' });
    expect(JSON.parse((await fake.ctl(['--guest', 'a', 'wait', '--for', 'ip', '--json'])).out)).toEqual({ ip: ['192.0.2.10'] });
  });

  it('waits for a guest that is not there yet', async () => {
    fake = await FakeGuests.of({ a: {} });
    const path = join(fake.directory, 'late.sock');
    const waiting = fake.ctl(['--socket', path, 'wait']);
    const server = createServer((socket) => {
      const end = fake.guest('a').connect();
      socket.on('error', () => undefined).on('close', () => end.destroy()).pipe(end.on('error', () => undefined)).pipe(socket);
    });
    await new Promise<void>((resolve) => void server.listen(path, resolve));

    expect(await waiting).toMatchObject({ status: 0, err: '' });
    server.close();
  });

  it.each([
    [['--socket', '/no/such/socket', 'wait', '--within', '0.05'], 4, 'within 0.05 s there was no agent: cannot connect to /no/such/socket'],
    [['--socket', '/x', 'wait', '--for', 'rain'], 2, "a guest can be waited for by agent, ip, time, not by 'rain'"],
    [['--socket', '/x', 'wait', '--within', 'soon'], 2, '--within takes a number of seconds'],
  ])('%j ends with %i', async (words, status, why) => {
    fake = await FakeGuests.of({});

    expect(await fake.ctl(words)).toMatchObject({ status, err: expect.stringContaining(why) });
  });
});

describe('metrics', () => {
  it('are OpenMetrics, families together, of all guests', async () => {
    fake = await FakeGuests.of({ a: {}, b: {} }, gone);

    const { out, status } = await fake.ctl(['--all', 'metrics']);

    expect(status).toBe(0);
    expect(out.endsWith('# EOF\n')).toBe(true);
    expect(out).toMatch(/^concierge_guest_up\{guest="a"\} 1$/m);
    expect(out).toMatch(/^concierge_guest_up\{guest="gone"\} 0$/m);
    expect(out).toMatch(/^# TYPE concierge_guest_filesystem_size_bytes gauge\n# UNIT concierge_guest_filesystem_size_bytes bytes\n# HELP /m);
    expect(out).toMatch(/^concierge_guest_filesystem_size_bytes\{guest="b",mountpoint="\/data",fstype="\w+",device="[\w-]+"\} \d+$/m);
    expect(out).toMatch(/^concierge_guest_network_receive_bytes_total\{guest="a",device="[\w-]+"\} \d+$/m);
    for (const type of new Set(out.match(/^# TYPE .*$/gm))) expect(out.split(`${type}\n`)).toHaveLength(2);
    // Nothing but comments and samples; no family is torn apart.
    for (const line of out.trimEnd().split('\n')) expect(line).toMatch(/^(# (TYPE|UNIT|HELP) .+|# EOF|[a-z_0-9]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?\d+(\.\d+)?(e-?\d+)?)$/);
  });

  it('of a frozen guest are what it answers', async () => {
    fake = await FakeGuests.of({ a: {} });
    await fake.ctl(['--guest', 'a', 'freeze']);

    const { out } = await fake.ctl(['--guest', 'a', 'metrics']);

    expect(out).toMatch(/^concierge_guest_frozen 1$/m);
    expect(out).toMatch(/^concierge_guest_up 1$/m);
  });

  it('appear as a whole file', async () => {
    fake = await FakeGuests.of({ a: {} });
    const output = join(fake.directory, 'guests.prom');
    await writeFile(output, 'old');

    expect(await fake.ctl(['--all', 'metrics', '--output', output])).toEqual({ status: 0, out: '', err: '' });
    expect(await readFile(output, 'utf8')).toMatch(/# EOF\n$/);
    expect((await stat(output)).mode & 0o777).toBe(0o644);
    expect((await readdir(fake.directory)).filter((name) => name.includes('prom'))).toEqual(['guests.prom']);
    expect(await fake.ctl(['--all', 'metrics', '--output', '/no/such/x.prom'])).toMatchObject({ status: 1, err: expect.stringContaining('/no/such/x.prom cannot be written: there is no such file or directory') });
  });
});
