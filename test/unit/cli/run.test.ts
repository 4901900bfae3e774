// SPDX-License-Identifier: Apache-2.0
import { EventEmitter } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AgentContext, FurtherTransport } from '../../../adapters/cli/composition.ts';
import type { LoadedPolicy } from '../../../adapters/policy/load-policy.ts';
import { run, type RunOptions, type RunResult } from '../../../adapters/cli/run.ts';
import { readSettings, type Settings } from '../../../adapters/config/settings.ts';
import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-run-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

/** A process that signals and accidents can be sent to without ending the tests. */
class Process extends EventEmitter {
  readonly pid = process.pid;
  readonly changes: string[] = [];
  umask(mask: number): void {
    this.changes.push(`umask ${mask.toString(8)}`);
  }
  chdir(path: string): void {
    this.changes.push(`chdir ${path}`);
  }
}

function settings(...words: string[]): Settings {
  const request = readSettings({
    words: ['-m', 'unix-listen', '-p', join(directory, 's'), '-t', join(directory, 'state'), '-l', join(directory, 'log'), ...words],
    configurationVariable: undefined,
    platform: 'posix',
    readFile: (path) => {
      throw posixError('ENOENT', { path });
    },
  });
  if (request.kind !== 'run') throw new Error(request.kind);
  return request.settings;
}

interface Given {
  readonly settings?: Settings;
  readonly warnings?: readonly string[];
  readonly open?: () => Promise<void>;
  readonly stop?: () => Promise<void>;
  readonly create?: (context: AgentContext) => void;
  readonly loadPolicy?: () => Promise<LoadedPolicy>;
  readonly isFrozen?: boolean;
  readonly isService?: boolean;
  readonly further?: (context: AgentContext, events: string[]) => readonly FurtherTransport[];
}

/** An agent that notes what becomes of it. */
function start(given: Given = {}) {
  const events: string[] = [];
  const notices: string[] = [];
  const fake = new Process();
  const lost = Promise.withResolvers<Error>();
  const ready = Promise.withResolvers<void>();
  const options: RunOptions = {
    settings: given.settings ?? settings(),
    warnings: given.warnings ?? [],
    addon: undefined,
    process: fake as unknown as NodeJS.Process,
    ident: 'concierge-ga',
    notify: (state) => notices.push(state),
    isService: given.isService ?? false,
    ready: () => {
      events.push('ready');
      ready.resolve();
    },
    composition: {
      loadPolicy: given.loadPolicy ?? (() => Promise.reject(new Error('not asked for'))),
      createAgent: async (context) => {
        events.push('create');
        given.create?.(context);
        return {
          agent: {
            serve: () => undefined,
            ...(given.loadPolicy !== undefined && { usePolicy: ({ rules }) => void events.push(`policy of ${rules.length}`), freeze: { isFrozen: given.isFrozen ?? false } }),
            stop: async () => {
              events.push('stop');
              await given.stop?.();
            },
          },
          ...(given.further === undefined ? {} : { further: given.further(context, events) }),
          transport: {
            description: 'unix-listen s',
            lost: lost.promise,
            open: async () => {
              events.push('open');
              await given.open?.();
            },
            close: async () => void events.push('close'),
          },
        };
      },
    },
  };
  const result: Promise<RunResult> = run(options);
  result.catch(() => ready.resolve());
  return { events, notices, fake, lose: lost.resolve, ready: ready.promise, result };
}

const logged = (): string => readFileSync(join(directory, 'log'), 'utf8');

describe('an agent', () => {
  it.each(['SIGTERM', 'SIGINT'])('thaws, closes and ends with status 0 on %s', async (signal) => {
    const agent = start();
    await agent.ready;

    agent.fake.emit(signal);

    expect(await agent.result).toEqual({ status: 0 });
    expect(agent.events).toEqual(['create', 'open', 'ready', 'stop', 'close']);
    expect(agent.notices).toEqual(['READY=1\nSTATUS=Serving unix-listen s', 'STOPPING=1']);
  });

  it('has further channels open when it is ready, tells how they are, and closes them behind the first', async () => {
    let changed: ((name: string, state: string) => void) | undefined;
    const agent = start({
      further: ({ furtherChannelIs }, events) => ['tools', 'line'].map((name) => ({
        name,
        transport: {
          description: name,
          lost: new Promise<Error>(() => undefined),
          open: async () => {
            changed = furtherChannelIs;
            events.push(`open ${name}`);
            furtherChannelIs?.(name, 'Waiting: not there');
          },
          close: async () => void events.push(`close ${name}`),
        },
      })),
    });
    await agent.ready;
    changed?.('line', 'Serving line');

    agent.fake.emit('SIGTERM');

    expect(await agent.result).toEqual({ status: 0 });
    expect(agent.events).toEqual(['create', 'open', 'open tools', 'open line', 'ready', 'stop', 'close', 'close tools', 'close line']);
    expect(agent.notices).toEqual([
      'READY=1\nSTATUS=Serving unix-listen s; tools: Waiting: not there; line: Waiting: not there',
      'STATUS=Serving unix-listen s; tools: Waiting: not there; line: Serving line', 'STOPPING=1',
    ]);
  });

  it.each(['SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM'])('thaws before %s has its effect', async (signal) => {
    const agent = start();
    await agent.ready;

    agent.fake.emit(signal);

    expect(await agent.result).toEqual({ signal });
    expect(agent.events).toContain('stop');
    expect(agent.fake.eventNames()).toEqual([]);
  });

  it('is not ended by the SIGHUP of a service manager, which reloads it', async () => {
    const agent = start({ settings: { ...settings(), logfile: undefined }, isService: true });
    await agent.ready;

    agent.fake.emit('SIGHUP');
    agent.fake.emit('SIGTERM');

    expect(await agent.result).toEqual({ status: 0 });
  });

  it('ends by SIGHUP only without a log file, which that opens anew', async () => {
    const withFile = start();
    await withFile.ready;
    writeFileSync(join(directory, 'log'), 'old\n');
    renameSync(join(directory, 'log'), join(directory, 'log.1'));

    withFile.fake.emit('SIGHUP');
    withFile.fake.emit('unhandledRejection', new Error('something to log'));
    await withFile.result;
    const without = start({ settings: { ...settings(), logfile: undefined } });
    await without.ready;
    without.fake.emit('SIGHUP');

    expect(logged()).toContain('something to log');
    expect(readFileSync(join(directory, 'log.1'), 'utf8')).toBe('old\n');
    expect(await without.result).toEqual({ signal: 'SIGHUP' });
  });

  it('does not give up a thaw because of a second signal', async () => {
    const thaw = Promise.withResolvers<void>();
    const agent = start({ stop: () => thaw.promise });
    await agent.ready;

    agent.fake.emit('SIGTERM');
    agent.fake.emit('SIGQUIT');
    agent.fake.emit('SIGINT');
    thaw.resolve();

    expect(await agent.result).toEqual({ status: 0 });
  });

  it.each(['uncaughtException', 'unhandledRejection'])('thaws and ends with status 1 after an %s, which it logs', async (event) => {
    const agent = start();
    await agent.ready;

    agent.fake.emit(event, new Error('a mistake\nof ours'));

    expect(await agent.result).toEqual({ status: 1 });
    expect(agent.events).toContain('stop');
    expect(logged()).toMatch(/error: Error: a mistake\\nof ours\\n {4}at /);
  });

  it('ends with status 1 when its channel is lost, so that a service manager starts it again', async () => {
    const agent = start();
    await agent.ready;

    agent.lose(AgentError.failed('the port was unplugged'));

    expect(await agent.result).toEqual({ status: 1 });
    expect(logged()).toContain('error: the channel is lost: the port was unplugged (with --retry-path the agent would wait for it)');
  });

  it('ends all the same when stopping fails', async () => {
    const agent = start({ stop: () => Promise.reject(new Error('stuck')) });
    await agent.ready;

    agent.fake.emit('SIGTERM');

    expect(await agent.result).toEqual({ status: 0 });
    expect(agent.events).toContain('close');
    expect(logged()).toContain('error: failed to clean up frozen filesystems: stuck');
  });

  it('logs what was odd about its command line', async () => {
    const agent = start({ warnings: ["'/hook' is ignored"] });
    await agent.ready;

    agent.fake.emit('SIGTERM');
    await agent.result;

    expect(logged()).toMatch(/^\d+\.\d{6}: warning: '\/hook' is ignored\n$/);
  });
});

describe('an agent that cannot start', () => {
  it('says why, in its log file too, and gives everything back', async () => {
    const agent = start({ open: () => Promise.reject(AgentError.failed("error opening channel '/dev/x': No such file or directory")) });

    await expect(agent.result).rejects.toThrow("error opening channel '/dev/x': No such file or directory");
    expect(agent.events).toEqual(['create', 'open', 'stop', 'close']);
    expect(logged()).toContain('error: error opening channel');
    expect(agent.fake.eventNames()).toEqual([]);
  });

  it('refuses a log file that cannot be opened', async () => {
    const agent = start({ settings: settings('-l', join(directory, 'no', 'log')) });

    await expect(agent.result).rejects.toThrow(`unable to open specified log file '${join(directory, 'no', 'log')}': No such file or directory`);
  });
});

describe('an agent in the background', () => {
  it('is private, leaves its number and lives in the root directory once its channel is open', async () => {
    const pidfile = join(directory, 'pid');
    const agent = start({ settings: settings('-d', '-f', pidfile), open: async () => expect(existsSync(pidfile)).toBe(false) });
    await agent.ready;

    expect(readFileSync(pidfile, 'utf8')).toBe(`${process.pid}\n`);
    expect(agent.fake.changes).toEqual(['umask 77', 'chdir /']);
    agent.fake.emit('SIGTERM');
    await agent.result;
    expect(existsSync(pidfile)).toBe(false);
  });

  it('writes neither log nor pid file before an earlier agent’s freeze is over', async () => {
    const first = start();
    await first.ready;
    first.fake.emit('SIGTERM');
    await first.result;
    rmSync(join(directory, 'log'));
    writeFileSync(join(directory, 'state', 'qga.state.isfrozen'), '');
    const pidfile = join(directory, 'pid');
    let thaw: (() => Promise<void>) | undefined;
    const agent = start({
      settings: settings('-d', '-f', pidfile),
      create: ({ log, stateStore }) => {
        log.warning('taken over');
        thaw = () => stateStore.removeFreezeMarker();
      },
    });
    await agent.ready;
    const before = [existsSync(pidfile), existsSync(join(directory, 'log'))];

    await thaw?.();
    agent.fake.emit('SIGTERM');
    await agent.result;

    expect(before).toEqual([false, false]);
    expect(logged()).toContain('warning: taken over');
  });
});

describe('the policy of an agent that runs', () => {
  const loaded: LoadedPolicy = { rules: { rules: [], otherwise: 'refuse' }, files: [], warnings: ['/p.yaml:3: rule a: it never fits'] };
  const asked = (rest: Partial<Settings> = {}): Settings => ({ ...settings(), policyDirectory: '/', ...rest });

  it('is read again on SIGHUP, without ending where there is no log file', async () => {
    const agent = start({ settings: asked(), loadPolicy: async () => loaded });
    await agent.ready;

    agent.fake.emit('SIGHUP');
    await vi.waitFor(() => expect(agent.events).toContain('policy of 0'), { timeout: 20_000 });
    agent.fake.emit('SIGTERM');

    expect(await agent.result).toEqual({ status: 0 });
  });

  it('stays as it was where the new one is broken, and the log says why', async () => {
    const agent = start({ settings: asked({ logfile: join(directory, 'log') }), loadPolicy: async () => { throw new Error('/p.yaml:1:1: wrong'); } });
    await agent.ready;

    agent.fake.emit('SIGHUP');
    await vi.waitFor(() => expect(logged()).toContain('the policy that was in force stays in force'), { timeout: 20_000 });
    agent.fake.emit('SIGTERM');
    await agent.result;

    expect(logged()).toContain('/p.yaml:1:1: wrong');
    expect(agent.events).not.toContain('policy of 0');
  });

  it('is not read while file systems are frozen', async () => {
    const agent = start({ settings: asked({ logfile: join(directory, 'log') }), isFrozen: true, loadPolicy: async () => loaded });
    await agent.ready;

    agent.fake.emit('SIGHUP');
    await vi.waitFor(() => expect(logged()).toContain('send SIGHUP after the thaw'), { timeout: 20_000 });
    agent.fake.emit('SIGTERM');
    await agent.result;

    expect(agent.events).not.toContain('policy of 0');
  });
});
