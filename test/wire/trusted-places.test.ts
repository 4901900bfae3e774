// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lchownSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { AgentProcess, program, scratchDirectory, type AgentSetup } from './lib/agent-process.ts';
import { until } from './lib/until.ts';

const isRoot = process.getuid?.() === 0;
const attacker = 4711;

/** Whoever the agent runs as: the rule is the same, and what is the attacker's is nobody's to trust. */
const agents = [
  { who: 'root', uid: 0 },
  { who: 'an ordinary user', uid: 65534 },
] as const;

describe.skipIf(!isRoot).each(agents)('an agent of $who (needs root)', ({ uid }) => {
  const user = uid === 0 ? {} : { user: { uid, gid: uid } };
  let scratch: string;
  let own: string;

  beforeEach(() => {
    scratch = scratchDirectory();
    chmodSync(scratch, 0o755);
    own = join(scratch, 'own');
    mkdirSync(own, { mode: 0o700 });
    chownSync(own, uid, uid);
  });

  afterEach(() => rmSync(scratch, { recursive: true, force: true }));

  const path = (name: string): string => join(scratch, name);
  const words = (statedir: string, ...more: readonly string[]): readonly string[] => ['--backend=fake', '-m', 'unix-listen', '-p', join(own, 's'), '-t', statedir, ...more];

  async function ends(allWords: readonly string[]): Promise<{ readonly status: number | null; readonly said: string }> {
    const agent = new AgentProcess({ allWords, directory: own, ...user });
    const { code } = await agent.end();
    return { status: code, said: agent.stderr + agent.stdout };
  }

  const starts = (setup: AgentSetup): Promise<AgentProcess> => AgentProcess.start({ directory: own, ...user, ...setup });

  const owner = uid === 0 ? `belongs to user ${attacker} and not to root: run chown root on it` : `belongs to user ${attacker}, neither to root nor to the agent's user`;

  it.each([
    ['a directory of another user, with a marker and a socket in it', () => {
      mkdirSync(path('state'));
      writeFileSync(path('state/qga.state.isfrozen'), JSON.stringify({ format: 1, bootId: '', deadlineAt: '0', targets: [], recoveryData: { cookie: 'x', directory: path('state'), pid: 'y' } }));
      execFileSync('python3', ['-c', `import socket; socket.socket(socket.AF_UNIX).bind('${path('state/freeze-guardian.sock')}')`]);
      for (const name of ['', '/qga.state.isfrozen', '/freeze-guardian.sock']) chownSync(path(`state${name}`), attacker, attacker);
      return { statedir: path('state'), blamed: `${path('state')} ${owner}` };
    }],
    ['a directory below one of another user', () => {
      mkdirSync(path('home/state'), { recursive: true });
      chownSync(path('home/state'), uid, uid);
      chownSync(path('home'), attacker, attacker);
      return { statedir: path('home/state'), blamed: `${path('home')} ${owner}` };
    }],
    ['a link of another user to a directory of the agent', () => {
      mkdirSync(join(own, 'state'));
      chownSync(join(own, 'state'), uid, uid);
      symlinkSync(join(own, 'state'), path('link'));
      lchownSync(path('link'), attacker, attacker);
      return { statedir: path('link'), blamed: `${path('link')} ${owner}` };
    }],
    ['a directory of everybody', () => {
      mkdirSync(path('open'));
      chmodSync(path('open'), 0o1777);
      return { statedir: path('open'), blamed: `${path('open')} can be written by everybody: choose a directory in it` };
    }],
  ])('does not start on %s, and doctor and thaw say the same', async (_, plant) => {
    const { statedir, blamed } = plant();
    const before = readdirSync(statedir);

    const start = await ends(words(statedir));
    const thaw = await ends(['thaw', '--backend=fake', '-t', statedir]);
    const doctor = await ends(['doctor', '--json', ...words(statedir)]);

    const sentence = `the state directory ${statedir} is not used: ${blamed}, or choose another directory with --statedir`;
    expect(start).toEqual({ status: 1, said: `${program}: ${sentence}\n` });
    expect(thaw).toEqual({ status: 1, said: `${program}: ${sentence}\n` });
    expect(JSON.parse(doctor.said)).toContainEqual({ subject: 'state directory', verdict: 'bad', detail: sentence });
    expect(doctor.status).toBe(1);
    expect(readdirSync(statedir)).toEqual(before);
  });

  it('does not start with a configuration that others may write, and doctor says the same', async () => {
    const conf = join(own, 'conf');
    writeFileSync(conf, '[general]\nverbose=true\n');
    chownSync(conf, uid, uid);
    chmodSync(conf, 0o666);

    const start = await ends(words(own, '-c', conf));
    const doctor = await ends(['doctor', ...words(own, '-c', conf)]);

    const sentence = `error loading configuration from path: ${conf}, ${conf} can be written by everybody: run chmod o-w on it`;
    expect(start).toEqual({ status: 1, said: `${program}: ${sentence}\n` });
    expect(doctor.said).toContain(sentence);
    expect(doctor.status).toBe(1);
  });

  it('does not start with a configuration in a directory of another user', async () => {
    mkdirSync(path('etc'));
    writeFileSync(path('etc/conf'), '[general]\n');
    chownSync(path('etc'), attacker, attacker);

    expect((await ends(words(own, '-c', path('etc/conf')))).said).toBe(`${program}: error loading configuration from path: ${path('etc/conf')}, ${path('etc')} ${owner}\n`);
  });

  it('does not wait for a FIFO as its log, neither at the start nor at SIGHUP', async () => {
    const log = join(own, 'log');
    const refusal = `unable to open specified log file '${log}': Not a regular file nor a terminal`;
    const agent = await starts({ words: ['--backend=fake', '-v', '-l', log] });
    renameSync(log, `${log}.1`);
    execFileSync('mkfifo', ['-m', '600', log]);
    chownSync(log, uid, uid);

    agent.signal('SIGHUP');
    await until(() => readFileSync(`${log}.1`, 'utf8').includes('error: '));
    const client = await agent.connect();
    const answer = await client.ask('{"execute": "guest-ping"}');
    client.close();
    await agent.stop();
    const start = await ends(words(own, '-l', log));

    expect(answer).toBe('{"return": {}}');
    expect(readFileSync(`${log}.1`, 'utf8')).toContain(refusal);
    expect(start).toEqual({ status: 1, said: `${program}: ${refusal}\n` });
  });

  it('starts below a directory of everybody with the sticky bit, where the state directory is its own', async () => {
    mkdirSync(path('tmp'));
    chmodSync(path('tmp'), 0o1777);
    mkdirSync(path('tmp/mine'), { mode: 0o755 });
    chownSync(path('tmp/mine'), uid, uid);

    const agent = await starts({ allWords: words(path('tmp/mine')) });
    await agent.stop();

    expect(readdirSync(path('tmp/mine')).toSorted()).toEqual(['concierge-ga.lock', 'qga.state']);
  });

  it('makes files that others may only read', async () => {
    const agent = await starts({ allWords: ['--backend=linux', '-m', 'unix-listen', '-p', join(own, 's'), '-t', own] });
    const client = await agent.connect();
    await client.ask(JSON.stringify({ execute: 'guest-file-open', arguments: { path: join(own, 'new'), mode: 'w' } }));
    client.close();
    await agent.stop();
    const asked = await starts({ allWords: ['--backend=linux', '--file-mode=0666', '-m', 'unix-listen', '-p', join(own, 's'), '-t', own] });
    const other = await asked.connect();
    await other.ask(JSON.stringify({ execute: 'guest-file-open', arguments: { path: join(own, 'shared'), mode: 'w' } }));
    other.close();
    await asked.stop();

    const modes = execFileSync('stat', ['-c', '%a', join(own, 'new'), join(own, 'shared')], { encoding: 'utf8' });
    expect(modes).toBe('644\n666\n');
  });
});
