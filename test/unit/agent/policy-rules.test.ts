// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { handlers } from '../../../core/commands/index.ts';
import type { Rule } from '../../../core/policy/rule.ts';
import type { Backend } from '../../../core/ports/index.ts';
import type { CommandSchema } from '../../../core/schema/command.ts';
import { agentOnFake, refusal, request } from './agent-on-fake.ts';

const rule = (name: string, effect: Rule['effect'], rest: Partial<Rule> = {}): Rule => ({ name, effect, tell: 'log', origin: { kind: 'built-in' }, ...rest });

const disabled = (name: string, told = ''): string => refusal(`Command ${name} has been disabled: the command is not allowed${told}`, 'CommandNotFound');

async function guest(rules: readonly Rule[], options: Parameters<typeof agentOnFake>[0] & { readonly otherwise?: Rule['effect'] } = {}) {
  const { otherwise = 'allow', ...rest } = options;
  const made = await agentOnFake({ ...rest, policy: { rules, otherwise } });
  const host = made.connect();
  const ask = async (name: string, args?: object): Promise<string> => {
    host.send(request(name, args));
    return host.nextLine();
  };
  return { ...made, host, ask };
}

describe('rules of the policy', () => {
  it('the first that fits decides, and the default where none does', async () => {
    const { ask } = await guest([rule('host-name', 'allow', { commands: ['guest-get-host-name'] }), rule('facts', 'refuse', { groups: ['observe'], except: ['guest-ping'] })]);

    expect(await ask('guest-get-host-name')).toContain('"return"');
    expect(await ask('guest-get-load')).toBe(disabled('guest-get-load'));
    expect(await ask('guest-ping')).toBe('{"return": {}}');
    expect(await ask('guest-file-open', { path: '/etc/motd' })).toContain('"return"');
  });

  it('a refusal tells the host reason and rule where the rule allows that, behind the words of qemu-ga', async () => {
    const { ask, log } = await guest([
      rule('quiet', 'refuse', { commands: ['guest-get-load'], reason: 'nobody asks', origin: { kind: 'file', file: '/etc/x.yaml', line: 7 } }),
      rule('loud', 'refuse', { commands: ['guest-get-time'], reason: 'time is ours', tell: 'host' }),
      rule('short', 'refuse', { commands: ['guest-get-users'], tell: 'host' }),
    ]);

    expect(await ask('guest-get-load')).toBe(disabled('guest-get-load'));
    expect(await ask('guest-get-time')).toBe(disabled('guest-get-time', ': time is ours (rule loud)'));
    expect(await ask('guest-get-users')).toBe(disabled('guest-get-users', ' (rule short)'));
    expect(log.lines.filter(({ level }) => level === 'warning').map(({ text }) => text)).toEqual([
      'refused guest-get-load: rule quiet (/etc/x.yaml:7): nobody asks',
      'refused guest-get-time: rule loud (built in): time is ours',
      'refused guest-get-users: rule short (built in)',
    ]);
  });

  it('a rule may be for one channel', async () => {
    const rules = [rule('not by vsock', 'refuse', { channels: ['vsock-listen'], commands: ['guest-ping'] })];

    expect(await (await guest(rules, { channel: 'vsock-listen' })).ask('guest-ping')).toBe(disabled('guest-ping'));
    expect(await (await guest(rules, { channel: 'virtio-serial' })).ask('guest-ping')).toBe('{"return": {}}');
  });

  it('the way out of a freeze cannot be closed', async () => {
    const { ask } = await guest([rule('nothing', 'refuse', { except: ['guest-fsfreeze-freeze'] })], { otherwise: 'refuse', lists: { block: ['guest-fsfreeze-thaw'] } });
    expect(await ask('guest-ping')).toBe(disabled('guest-ping'));
    // The default refuses what no rule allows.
    expect(await ask('guest-fsfreeze-freeze')).toBe(disabled('guest-fsfreeze-freeze'));

    const other = await guest([rule('freeze', 'allow', { commands: ['guest-fsfreeze-freeze'] })], { otherwise: 'refuse' });
    await other.ask('guest-fsfreeze-freeze');

    for (const name of ['guest-ping', 'guest-info', 'guest-fsfreeze-status', '__org.concierge_fsfreeze-report', 'guest-fsfreeze-thaw']) {
      expect(await other.ask(name)).toContain('"return"');
    }
    expect(await other.ask('guest-ping')).toBe(disabled('guest-ping'));
  });

  it('guest-info calls a command enabled that is allowed with some arguments', async () => {
    const { ask } = await guest([rule('one', 'allow', { groups: ['exec'], when: { programs: ['/usr/bin/true'] } }), rule('no', 'refuse', { groups: ['exec', 'power'] })]);

    const info = JSON.parse(await ask('guest-info')) as { return: { supported_commands: { name: string; enabled: boolean }[] } };

    const enabled = (name: string) => info.return.supported_commands.find((one) => one.name === name)?.enabled;
    expect([enabled('guest-exec'), enabled('guest-exec-status'), enabled('guest-shutdown'), enabled('guest-ping')]).toEqual([true, true, false, true]);
  });

  it('other rules can be put in force while it runs, and the lists stay', async () => {
    const { ask, agent } = await guest([], { lists: { block: ['guest-get-load'] } });
    expect(await ask('guest-get-time')).toContain('"return"');

    agent.usePolicy({ rules: [rule('no', 'refuse', { commands: ['guest-get-time'] })], otherwise: 'allow' });

    expect(await ask('guest-get-time')).toBe(disabled('guest-get-time'));
    expect(await ask('guest-get-load')).toBe(disabled('guest-get-load'));
  });

  it('what is under way while they change is judged as a whole by those that it began with', async () => {
    const { host, ask, agent, machine } = await guest([rule('srv', 'allow', { groups: ['files'], when: { files: { read: ['/etc'] } } }), rule('no', 'refuse', { groups: ['files'] })]);
    const fault = machine.faults.inject({ port: 'fileSystem.files', method: 'openAdmitted', hang: true, times: 1 });
    host.send(request('guest-file-open', { path: '/etc/hostname' }));
    await expect.poll(() => fault.hanging).toBe(1);

    agent.usePolicy({ rules: [rule('none', 'refuse', { groups: ['files'] })], otherwise: 'allow' });
    fault.release();

    const { return: handle } = JSON.parse(await host.nextLine()) as { return: number };
    expect(handle).toBeGreaterThan(0);
    expect(await ask('guest-file-open', { path: '/etc/hostname' })).toBe(disabled('guest-file-open'));
  });
});

describe('conditions on arguments', () => {
  it('users: one list allows, and all others are refused', async () => {
    const { ask } = await guest([rule('bob', 'allow', { groups: ['accounts'], when: { users: ['bob'] } }), rule('nobody else', 'refuse', { groups: ['accounts'] })]);

    expect(await ask('guest-ssh-add-authorized-keys', { username: 'bob', keys: [] })).toBe('{"return": {}}');
    expect(await ask('guest-ssh-add-authorized-keys', { username: 'root', keys: [] })).toBe(disabled('guest-ssh-add-authorized-keys'));
    expect(await ask('guest-ssh-add-authorized-keys', { username: 'Bob', keys: [] })).toBe(disabled('guest-ssh-add-authorized-keys'));
  });

  describe('groups of users', () => {
    const users = [{ name: 'root', uid: 0, gid: 0, home: '/root' }, { name: 'bob', uid: 1000, gid: 1000, home: '/home/bob', groups: ['bob', 'backup'] }, { name: 'eve', uid: 1001, gid: 1001, home: '/home/eve' }];
    const rules = [rule('backup', 'allow', { groups: ['accounts', 'exec'], when: { userGroups: ['backup', 'operators'] } }), rule('nobody else', 'refuse', { groups: ['accounts', 'exec'] })];
    const add = 'guest-set-user-password';
    const of = (username: string): object => ({ username, password: 'eA==', crypted: false });

    it('allow those who are in one of them', async () => {
      const { ask } = await guest(rules, { machine: { users } });

      expect(await ask(add, of('bob'))).toBe('{"return": {}}');
      expect(await ask(add, of('eve'))).toBe(disabled(add));
      expect(await ask('guest-exec', { path: '/usr/bin/x' })).toBe(disabled('guest-exec'));
      expect(await ask('guest-exec-status', { pid: 1 })).not.toContain('disabled');
      expect(await ask(add, of('nobody-at-all'))).toBe(refusal("failed to lookup user 'nobody-at-all': no such user"));
    });

    it('refuse those who are in one of them, and who has no name', async () => {
      const { ask } = await guest([rule('no backup', 'refuse', { when: { userGroups: ['back*'] } })], { machine: { users } });

      expect(await ask(add, of('bob'))).toBe(disabled(add));
      expect(await ask(add, of('eve'))).toBe('{"return": {}}');
      expect(await ask('guest-exec', { path: '/usr/bin/x' })).toBe(disabled('guest-exec'));
    });

    it('go with a program that is opened behind', async () => {
      const { ask, machine } = await guest([rule('backup', 'allow', { groups: ['exec'], when: { userGroups: ['backup'], programs: ['/usr/bin/x'] } }), rule('no', 'refuse', { groups: ['exec'] })], {
        machine: { users, files: { '/usr/bin/x': { program: () => 0 }, '/usr/bin/y': { program: () => 0 } } },
      });
      const start = '__org.concierge_exec-start';

      expect(await ask(start, { path: '/usr/bin/x', user: 'bob' })).toContain('"return"');
      expect(await ask(start, { path: '/usr/bin/y', user: 'bob' })).toBe(disabled(start));
      expect(await ask(start, { path: '/usr/bin/x', user: 'eve' })).toBe(disabled(start));
      expect(await ask(start, { path: '/usr/bin/x', user: 'bob', groups: ['backup'] })).toBe(disabled(start));
      expect(machine.files.exists('/usr/bin/x')).toBe(true);
    });

    it('are not known to every system: what they would decide on fails', async () => {
      const { ask } = await guest(rules, { machine: { users }, backend: ({ accounts, ...rest }) => ({ ...rest, accounts: { ...(accounts?.passwords && { passwords: accounts.passwords }) } }) });

      expect(await ask(add, of('bob'))).toBe(refusal('a rule of the policy is about groups of users, and this system cannot tell who is in which'));
      expect(await ask('guest-ping')).toBe('{"return": {}}');
    });

    it('are looked up, and a freeze that begins meanwhile keeps the command away', async () => {
      const { host, connect, machine } = await guest(rules, { machine: { users } });
      const fault = machine.faults.inject({ port: 'accounts.groups', method: 'of', hang: true, times: 1 });
      host.send(request(add, of('bob')));
      await expect.poll(() => fault.hanging).toBe(1);
      const other = connect();
      other.send(request('guest-fsfreeze-freeze'));
      expect(await other.nextLine()).toContain('"return"');

      fault.release();

      expect(await host.nextLine()).toBe(disabled(add));
    });
  });

  it('on a system whose names have no case they are compared so', async () => {
    const { connect } = await agentOnFake({ policy: { rules: [rule('not the administrator', 'refuse', { when: { users: ['Administrator'] } })], otherwise: 'allow', caseless: true } });
    const host = connect();
    host.send(request('guest-set-user-password', { username: 'ADMINISTRATOR', password: 'eA==', crypted: false }));

    expect(await host.nextLine()).toBe(disabled('guest-set-user-password'));
  });

  it('mount points: a freeze of everything is a freeze of what must not be frozen', async () => {
    const { ask } = await guest([rule('not the data', 'refuse', { when: { mountPoints: ['/data'] } })]);

    expect(await ask('guest-fsfreeze-freeze')).toBe(disabled('guest-fsfreeze-freeze'));
    expect(await ask('guest-fsfreeze-freeze-list')).toBe(disabled('guest-fsfreeze-freeze-list'));
    expect(await ask('guest-fsfreeze-freeze-list', { mountpoints: ['/boot', '/./data//'] })).toBe(disabled('guest-fsfreeze-freeze-list'));
    expect(await ask('guest-fsfreeze-freeze-list', { mountpoints: ['/boot'] })).toBe('{"return": 1}');
  });

  it('mount points: what is allowed is allowed by name only', async () => {
    const { ask } = await guest([rule('boot', 'allow', { when: { mountPoints: ['/boot'] } }), rule('no other', 'refuse', { groups: ['freeze'] })]);

    expect(await ask('guest-fsfreeze-freeze')).toBe(disabled('guest-fsfreeze-freeze'));
    expect(await ask('guest-fsfreeze-freeze-list', { mountpoints: ['/boot', '/data'] })).toBe(disabled('guest-fsfreeze-freeze-list'));
    expect(await ask('guest-fsfreeze-freeze-list', { mountpoints: ['/boot'] })).toBe('{"return": 1}');
  });

  it('sizes: of what is read, of what is written, and of what a program is fed', async () => {
    const { ask } = await guest([rule('small', 'refuse', { when: { size: { moreThan: 4096n } } }), rule('not nothing', 'refuse', { when: { size: { atMost: 0n } } })]);
    const { return: handle } = JSON.parse(await ask('guest-file-open', { path: '/etc/motd', mode: 'r+' })) as { return: number };

    expect(await ask('guest-file-read', { handle })).toContain('"count": 9');
    expect(await ask('guest-file-read', { handle, count: 4097 })).toBe(disabled('guest-file-read'));
    expect(await ask('guest-file-write', { handle, 'buf-b64': 'eHg=' })).toContain('"count": 2');
    expect(await ask('guest-file-write', { handle, 'buf-b64': Buffer.alloc(5000).toString('base64') })).toBe(disabled('guest-file-write'));
    expect(await ask('guest-file-write', { handle, 'buf-b64': Buffer.alloc(500_000).toString('base64') })).toBe(disabled('guest-file-write'));
    expect(await ask('guest-exec', { path: '/bin/true' })).toBe(disabled('guest-exec'));
  });
});

describe('conditions on files', () => {
  const files = {
    '/srv/a': 'a', '/srv/out': { symlink: '/etc/passwd' }, '/srv/in': { symlink: 'a' }, '/srv/up': { symlink: '../etc' },
    '/etc/back': { symlink: '/srv/a' }, '/srv/drop': { directory: true }, '/srvx': 'x',
  } as const;
  const rules = [
    rule('srv', 'allow', { groups: ['files'], when: { files: { read: ['/srv'], write: ['/srv/drop'] } } }),
    rule('no other', 'refuse', { groups: ['files'], reason: 'only /srv', tell: 'host' }),
  ];
  const told = disabled('guest-file-open', ': only /srv (rule no other)');

  it.each([
    ['/srv/a', 'r', true], ['/srv/in', 'r', true], ['/etc/back', 'r', true], ['/srv/drop/new', 'w', true], ['/srv/drop/../a', 'r', true],
    ['/srv/a', 'r+', false], ['/srv/a', 'w', false], ['/srv/out', 'r', false], ['/srv/up/passwd', 'r', false], ['/srv/../etc/passwd', 'r', false],
    ['/srvx', 'r', false], ['/srv/new', 'w', false], ['/srv/drop/../../etc/new', 'w', false], ['/srv', 'r', true],
  ])('%s opened with %s: %s', async (path, mode, allowed) => {
    const { ask, machine } = await guest(rules, { machine: { files } });

    const answer = await ask('guest-file-open', { path, mode });

    if (allowed) expect(answer).toMatch(/^\{"return": \d+\}$/);
    else expect(answer).toBe(told);
    // Nothing was made and nothing cut off where it was refused.
    if (!allowed) expect([machine.files.exists('/srv/new'), machine.files.exists('/etc/new'), machine.files.text('/srv/a')]).toEqual([false, false, 'a']);
  });

  it('what is missing is reported as missing', async () => {
    const { ask } = await guest(rules);

    expect(await ask('guest-file-open', { path: '/nowhere' })).toBe(refusal("failed to open file '/nowhere' (mode: 'r'): No such file or directory"));
  });

  it('what was opened is worked on: a handle is judged where it is made', async () => {
    const { ask } = await guest([...rules, rule('nothing', 'refuse')], { machine: { files } });
    const { return: handle } = JSON.parse(await ask('guest-file-open', { path: '/srv/a' })) as { return: number };

    expect(await ask('guest-file-read', { handle })).toContain('"buf-b64": "YQ=="');
    expect(await ask('guest-file-close', { handle })).toBe('{"return": {}}');
    expect(await ask('guest-ping')).toBe(disabled('guest-ping'));
  });

  it('a rule that refuses some files refuses no handle', async () => {
    const { ask } = await guest([rule('no secrets', 'refuse', { when: { files: { read: ['/etc/shadow'] } } })]);
    expect(await ask('guest-file-open', { path: '/etc/../etc/shadow' })).toBe(disabled('guest-file-open'));
    expect(await ask('guest-file-open', { path: '/etc/shadow', mode: 'a' })).toMatch(/^\{"return": \d+\}$/);

    const { return: handle } = JSON.parse(await ask('guest-file-open', { path: '/etc/motd' })) as { return: number };

    expect(await ask('guest-file-read', { handle })).toContain('"return"');
  });

  it('a bind mount shows what is elsewhere: allowed where both places are, refused where one is', async () => {
    const shown = async (given: readonly Rule[], path: string) => {
      const made = await guest(given, { machine: { files: { ...files, '/srv/etc': { directory: true } } } });
      made.machine.fileSystems.mount({ bindOf: '/etc', mountPoint: '/srv/etc' });
      return made.ask('guest-file-open', { path });
    };

    expect(await shown(rules, '/srv/etc/passwd')).toBe(told);
    expect(await shown([rule('no etc', 'refuse', { when: { files: { read: ['/etc'] } } })], '/srv/etc/passwd')).toBe(disabled('guest-file-open'));
  });

  it('on a system that cannot tell where a file lies nothing is opened', async () => {
    const { ask } = await guest(rules, { backend: (backend) => ({ ...backend, fileSystem: { files: { open: async () => { throw new Error('opened'); } } } }) });

    expect(await ask('guest-file-open', { path: '/srv/a' })).toBe(
      refusal('a rule of the policy is about files, and this system cannot tell where a file really lies'),
    );
  });
});

describe('conditions on programs', () => {
  const run = { program: () => 0, uid: 0 } as const;
  const machine = {
    files: {
      '/usr/bin/uptime': run, '/usr/bin/evil': run, '/srv/uptime': { symlink: '/usr/bin/evil' }, '/tmp/uptime': { ...run, uid: 1000 }, '/opt/uptime': { symlink: '/usr/bin/uptime' },
    },
  } as const;
  const rules = [
    rule('uptime', 'allow', { groups: ['exec'], when: { programs: ['/usr/bin/uptime'], arguments: ['-p'] } }),
    rule('service', 'allow', { groups: ['exec'], when: { programs: ['/usr/bin/uptime'], arguments: ['is-*', '...'], environment: ['LANG', 'LC_*'] } }),
    rule('no other', 'refuse', { groups: ['exec'] }),
  ];

  it.each([
    [{ path: '/usr/bin/uptime', arg: ['-p'] }, true],
    [{ path: 'uptime', arg: ['-p'] }, true],
    [{ path: '/opt/uptime', arg: ['-p'] }, true],
    [{ path: '/usr/bin/../bin/uptime', arg: ['-p'] }, true],
    [{ path: 'uptime', arg: ['is-up', 'a', 'b'], env: ['LC_ALL=C', 'PATH'] }, false],
    [{ path: '/usr/bin/uptime', arg: ['is-up', 'a\nb'], env: ['LC_ALL=C'] }, true],
    [{ path: '/usr/bin/uptime', arg: [] }, false],
    [{ path: '/usr/bin/uptime', arg: ['-p', '-p'] }, false],
    [{ path: '/usr/bin/uptime', arg: ['-p\n'] }, false],
    [{ path: '/usr/bin/uptime', arg: ['-p'], env: ['LD_PRELOAD=/srv/x.so'] }, false],
    [{ path: 'uptime', arg: ['-p'], env: ['PATH=/srv'] }, false],
    [{ path: '/srv/uptime', arg: ['-p'] }, false],
    [{ path: '/tmp/uptime', arg: ['-p'] }, false],
    [{ path: '/usr/bin/evil', arg: ['-p'] }, false],
  ])('%j: %s', async (args, allowed) => {
    const { ask } = await guest(rules, { machine });

    const answer = await ask('guest-exec', args);

    if (allowed) expect(answer).toMatch(/^\{"return": \{"pid": \d+\}\}$/);
    else expect(answer).toBe(disabled('guest-exec'));
  });

  it('what runs is what was judged, under its own name', async () => {
    const { ask, machine: made } = await guest(rules, { machine });
    const { return: { pid } } = JSON.parse(await ask('guest-exec', { path: '/opt/uptime', arg: ['-p'] })) as { return: { pid: number } };

    expect(made.processes.get(pid)?.request.path).toBe('/usr/bin/uptime');
    expect(await ask('guest-exec-status', { pid })).toContain('"return"');
  });

  it('a rule that refuses a program refuses what others could exchange as well', async () => {
    const { ask } = await guest([rule('no evil', 'refuse', { when: { programs: ['/usr/bin/evil'] } })], { machine });

    expect(await ask('guest-exec', { path: '/srv/uptime' })).toBe(disabled('guest-exec'));
    expect(await ask('guest-exec', { path: '/tmp/uptime' })).toBe(disabled('guest-exec'));
    expect(await ask('guest-exec', { path: '/usr/bin/uptime' })).toContain('"pid"');
  });

  it('on a system that cannot tell which program would run none is started', async () => {
    const without = (backend: Backend): Backend => ({
      ...backend,
      processes: { canMerge: true, spawn: async () => { throw new Error('started'); } },
    });
    const { ask } = await guest(rules, { backend: without });

    expect(await ask('guest-exec', { path: '/usr/bin/uptime', arg: ['-p'] })).toBe(
      refusal('a rule of the policy is about programs, and this system cannot tell which one would run'),
    );
  });
});

describe('what a command opens is judged', () => {
  const opening = handlers.map(({ schema }): CommandSchema => schema).flatMap((schema) =>
    Object.values(schema.arguments).flatMap(({ judged }) => (judged === 'file' || judged === 'program' ? [[schema.name, judged] as const] : [])));

  it.each(opening)('%s asks about its %s', async (name, what) => {
    const when = what === 'file' ? { files: { read: ['/'], write: ['/'] } } : { programs: ['/**'] };
    const { ask } = await guest([rule('none', 'refuse', { when })], { machine: { files: { '/usr/bin/it': { program: () => 0 }, '/etc/it': 'it' } } });

    expect(await ask(name, { path: what === 'file' ? '/etc/it' : '/usr/bin/it' })).toBe(disabled(name));
  });
});
