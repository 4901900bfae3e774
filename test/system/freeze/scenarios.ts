// SPDX-License-Identifier: Apache-2.0
/** Scenarios on real file systems, one for each run: `unshare --mount node scenarios.ts NAME`. Each prints what happened, as JSON. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import type { FreezePlan } from '../../../core/freeze/plan.ts';
import { AgentHandle } from './agent-handle.ts';
import { Lab, labDirectory } from './lab.ts';

const writer = `
  i=0; while [ ! -e "$2" ]; do i=$((i+1)); echo $i >> "$1/log"; sync "$1/log"; echo $i; done`;

/** Appends numbers to a log with an fsync each, until the file \`stop\` is there. */
class Writer {
  readonly mountPoint: string;
  readonly #child;
  readonly #stop: string;
  confirmed = 0;

  constructor(mountPoint: string, stop: string) {
    this.mountPoint = mountPoint;
    this.#stop = stop;
    this.#child = spawn('sh', ['-c', writer, 'sh', mountPoint, stop], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout.on('data', (piece: Buffer) => {
      this.confirmed = Number(piece.toString().trim().split('\n').at(-1));
    });
  }

  async progress(): Promise<void> {
    const { confirmed } = this;
    while (this.confirmed === confirmed) await once(this.#child.stdout, 'data');
  }

  /** Every number that it confirmed, and none left out. */
  async finish(): Promise<boolean> {
    writeFileSync(this.#stop, '');
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    const numbers = readFileSync(join(this.mountPoint, 'log'), 'utf8').trim().split('\n').map(Number);
    return numbers.every((number, index) => number === index + 1) && numbers.length >= this.confirmed;
  }
}

interface Marker {
  readonly recoveryData: { readonly pid: string };
}

const marker = (lab: Lab): Marker => JSON.parse(readFileSync(join(lab.stateDirectory, 'qga.state.isfrozen'), 'utf8')) as Marker;
const hasMarker = (lab: Lab): boolean => existsSync(join(lab.stateDirectory, 'qga.state.isfrozen'));
/** Waits without looking again and again: tail(1) gets word of the end. */
const ended = (pid: string): void => void spawnSync('tail', ['--pid', pid, '-f', '/dev/null']);
/** All of this mount namespace: it has one. */
const guardians = (): string[] =>
  readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes('concierge-guardian') && sameNamespace(pid));
const commandOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};
const readlinkIfAny = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};
const sameNamespace = (pid: string): boolean =>
  spawnSync('readlink', [`/proc/${pid}/ns/mnt`]).stdout.equals(spawnSync('readlink', ['/proc/self/ns/mnt']).stdout);

/** A guardian and its watch that wait for another freeze. */
const spares = (): string[] =>
  readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).startsWith('concierge-spare\0') && sameNamespace(pid));
async function atRest(): Promise<string[]> {
  for (;;) {
    const found = spares();
    if (found.length === 2) return found;
    await setTimeout(5);
  }
}

const killAll = (pids: readonly string[], wait = true): void => {
  for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
  if (wait) for (const pid of pids) ended(pid);
};
/** The agent, its guardian and the guardian's watch, so that none sees another go. */
async function killEveryone(agent: AgentHandle): Promise<void> {
  const pids = guardians();
  for (const pid of pids) process.kill(Number(pid), 'SIGSTOP');
  agent.signal('SIGSTOP');
  killAll(pids, false);
  agent.signal('SIGKILL');
  await agent.died();
  for (const pid of pids) ended(pid);
}
const expedited = (): string => readFileSync('/sys/kernel/rcu_expedited', 'utf8').trim();

const begin = (lab: Lab, setup: object = {}) => AgentHandle.start({ stateDirectory: lab.stateDirectory, ...setup });

const ours = (plan: FreezePlan) => ({
  levels: plan.levels.map((level) => level.map(({ mountPoints }) => mountPoints[0])),
  leftOut: plan.leftOut
    .filter(({ mountPoint }) => mountPoint.startsWith(`${labDirectory}/`))
    .map(({ mountPoint, type, reason }) => `${mountPoint} (${type}): ${reason}`),
});

/** After an agent died: what the next one finds, and how it ends. */
async function aftermath(lab: Lab, mountPoints: readonly string[]) {
  const { agent, found } = await begin(lab);
  const thaw = await agent.ask('thaw');
  await agent.end();
  return { found: found.status, thaw, frozen: lab.frozen(mountPoints), marker: hasMarker(lab) };
}

const scenarios: Readonly<Record<string, (lab: Lab, argument: string) => Promise<unknown>>> = {
  async kinds(lab) {
    const disk = lab.loop('ext4', 'disk', { megabytes: 256 });
    lab.loop('xfs', 'xfs');
    const btrfs = lab.loop('btrfs', 'btrfs');
    execFileSync('btrfs', ['-q', 'subvolume', 'create', join(btrfs, 'sub')]);
    lab.mount(['-o', 'loop,subvol=sub', lab.path('btrfs.img')], 'subvolume');
    const outer = lab.loop('ext4', 'outer', { on: disk, megabytes: 64 });
    lab.loop('ext4', 'inner', { on: outer, megabytes: 16 });
    lab.mount(['--bind', disk], 'bind');
    lab.mount(['-t', 'tmpfs', 'none'], 'tmpfs');
    for (const layer of ['lower', 'upper', 'work']) mkdirSync(join(disk, layer));
    const merged = lab.mount(
      ['-t', 'overlay', '-o', `lowerdir=${disk}/lower,upperdir=${disk}/upper,workdir=${disk}/work`, 'overlay'], 'overlay');
    lab.loop('ext4', 'on-overlay', { on: merged, megabytes: 16 });
    execFileSync('mksquashfs', [join(disk, 'lower'), lab.path('squash.img'), '-quiet', '-no-progress']);
    lab.mountImage(lab.path('squash.img'), 'squashfs');
    execFileSync('mkfs.ext4', ['-q', lab.image('readonly.img', { megabytes: 16 })]);
    lab.mountImage(lab.path('readonly.img'), 'readonly', 'ro');
    lab.loop('ext4', 'covered', { megabytes: 16 });
    lab.mount(['-t', 'tmpfs', 'none'], 'covered');
    const { agent } = await begin(lab);

    const plan = ours((await agent.ask('plan')) as FreezePlan);
    const counts = [await agent.ask('freeze'), await agent.ask('thaw')];
    const byBind = [await agent.ask(`freeze ${lab.path('bind')} ${lab.path('subvolume')}`), lab.frozen([disk, btrfs]), await agent.ask('thaw')];
    const spelled = [await agent.ask(`freeze /${disk}/ ${lab.path('bind')}/.`), lab.frozen([disk, btrfs]), await agent.ask('thaw')];
    const unknown = await agent.ask(`freeze ${disk} /mnt/nope`);
    const covered = [await agent.ask(`freeze ${disk} ${lab.path('covered')}`), lab.frozen([disk])];
    await agent.end();
    return { plan, counts, byBind, spelled, unknown, covered, guardians: guardians() };
  },

  async writers(lab) {
    const mountPoints = [lab.loop('ext4', 'ext4'), lab.loop('xfs', 'xfs'), lab.loop('btrfs', 'btrfs')];
    const { agent } = await begin(lab);
    const writers = mountPoints.map((mountPoint) => new Writer(mountPoint, lab.path('stop')));
    await Promise.all(writers.map((one) => one.progress()));

    const count = await agent.ask('freeze');
    const sizes = () => mountPoints.map((mountPoint) => readFileSync(join(mountPoint, 'log')).length);
    const before = sizes();
    const status = await agent.ask('status');
    const refused = await agent.ask('freeze');
    const after = sizes();
    const copies = mountPoints.map((mountPoint) => {
      execFileSync('cp', ['--sparse=always', `${mountPoint}.img`, `${mountPoint}.copy`]);
      return readFileSync(join(mountPoint, 'log'), 'utf8');
    });
    const thawed = await agent.ask('thaw');
    await Promise.all(writers.map((one) => one.progress()));
    const intact = await Promise.all(writers.map((one) => one.finish()));
    await agent.end();

    const dirtyLog = spawnSync('dumpe2fs', ['-h', `${mountPoints[0]}.copy`], { encoding: 'utf8' }).stdout.includes('needs_recovery');
    const snapshots = copies.map((text, index) => {
      const type = ['ext4', 'xfs', 'btrfs'][index];
      // A second file system of the same identity: xfs has to be told, btrfs wants a new one.
      if (type === 'btrfs') execFileSync('btrfstune', ['-f', '-m', `${mountPoints[index]}.copy`]);
      const mounted = lab.mountImage(`${mountPoints[index]}.copy`, `copy-${type}`, type === 'xfs' ? 'nouuid' : '');
      return readFileSync(join(mounted, 'log'), 'utf8') === text;
    });
    return { count, still: before.join() === after.join(), status, refused, thawed, intact, dirtyLog, snapshots };
  },

  /** An agent that dies at a place of its sequence, and the one that follows. */
  async death(lab, dieAt) {
    const disk = lab.loop('ext4', 'disk', { megabytes: 128 });
    const mountPoints = [disk, lab.loop('ext4', 'inner', { on: disk, megabytes: 16 }), lab.loop('xfs', 'xfs')];
    const hookDirectory = lab.path('hooks.d');
    mkdirSync(hookDirectory, { mode: 0o755 });
    writeFileSync(join(hookDirectory, '10-note'), `#!/bin/sh\necho "$1" >> ${lab.path('notes')}\n`, { mode: 0o755 });
    const results = [];
    for (const by of ['agent', 'command'] as const) {
      const { agent } = await begin(lab, { dieAt, hookDirectory });
      const frozen = await agent.ask('freeze');
      if (frozen !== undefined) await agent.ask('thaw');
      await agent.died();
      const next = await AgentHandle.start({ stateDirectory: by === 'agent' ? lab.stateDirectory : lab.path('elsewhere'), hookDirectory });
      if (by === 'command') {
        await next.agent.end();
        execFileSync(process.execPath, [join(import.meta.dirname, 'thaw-left-behind.ts'), lab.stateDirectory, hookDirectory]);
      } else {
        if (next.found.status === 'frozen') await next.agent.ask('thaw');
        await next.agent.end();
      }
      for (const pid of guardians()) ended(pid);
      const notes = existsSync(lab.path('notes')) ? readFileSync(lab.path('notes'), 'utf8').trim().split('\n') : [];
      results.push({
        answered: frozen !== undefined, found: by === 'agent' ? next.found.status : '', frozen: lab.frozen(mountPoints), marker: hasMarker(lab),
        hooksBalanced: notes.length === 0 || notes.at(-1) === 'thaw',
      });
      writeFileSync(lab.path('notes'), '');
    }
    return results;
  },

  /** What a unit runs after its agent was killed: the guardian is told, stopped or not, then the rest is done. */
  async ordered(lab, state) {
    const mountPoints = [lab.loop('ext4', 'ext4'), lab.loop('xfs', 'xfs')];
    const { agent } = await begin(lab);
    const count = await agent.ask('freeze');
    const { pid } = marker(lab).recoveryData;
    agent.signal('SIGKILL');
    await agent.died();
    if (state === 'stopped') process.kill(Number(pid), 'SIGSTOP');

    const order = () => execFileSync(join(import.meta.dirname, '../../../build/Release/concierge-guardian'), ['thaw', lab.stateDirectory], { encoding: 'utf8' });
    const said = [order(), order()];
    const atOnce = { frozen: lab.frozen(mountPoints), marker: hasMarker(lab) };
    execFileSync(process.execPath, [join(import.meta.dirname, 'thaw-left-behind.ts'), lab.stateDirectory, lab.path('no-hooks')]);
    return { count, said, atOnce, marker: hasMarker(lab) };
  },

  /** An agent that cannot do anything any more when the deadline comes. */
  async stuck(lab, how) {
    const mountPoints = [lab.loop('ext4', 'ext4'), lab.loop('xfs', 'xfs')];
    const deadlineMs = 2_000;
    const { agent } = await begin(lab, { deadlineMs });
    if (how === 'pool') await agent.ask(`block-pool ${lab.path('fifo')}`);
    const count = await agent.ask('freeze');
    const { pid } = marker(lab).recoveryData;
    const report = (await agent.ask('report')) as { filesystems: { 'frozen-at': string }[] };
    const waiting = mountPoints.map((mountPoint) => {
      const child = spawn('sh', ['-c', `echo late > ${mountPoint}/late; date +%s%N`], { stdio: ['ignore', 'pipe', 'inherit'] });
      return once(child.stdout, 'data').then(([text]) => BigInt(String(text).trim()));
    });
    if (how === 'spin') await agent.ask('spin');
    if (how === 'stop') agent.signal('SIGSTOP');
    if (how === 'kill') agent.signal('SIGKILL');
    const thawedAt = await Promise.all(waiting);
    // Under an agent that reaps no children it would stay as a zombie.
    if (how === 'kill') ended(pid);
    const firstFrozen = report.filesystems.map((one) => BigInt(one['frozen-at'])).reduce((least, at) => (at < least ? at : least));
    const lateMs = thawedAt.map((at) => Number(at - firstFrozen) / 1e6 - deadlineMs);
    if (how === 'pool') {
      const status = await agent.ask('status');
      const thaw = await agent.ask('thaw');
      agent.signal('SIGKILL');
      return { count, lateMs, frozen: lab.frozen(mountPoints), status, thaw };
    }
    if (how === 'stop') {
      agent.signal('SIGCONT');
      const status = await agent.ask('status');
      const thaw = await agent.ask('thaw');
      const last = (await agent.ask('report')) as { 'ended-by': string; filesystems: { 'thawed-at': string }[] };
      await agent.end();
      const guardianLateMs = last.filesystems.map((one) => Number(BigInt(one['thawed-at']) - firstFrozen) / 1e6 - deadlineMs);
      return { count, lateMs, guardianLateMs, frozen: lab.frozen(mountPoints), status, thaw, end: last['ended-by'] };
    }
    agent.signal('SIGKILL');
    await agent.died();
    return { count, lateMs, ...(await aftermath(lab, mountPoints)) };
  },

  /** A guardian that somebody has stopped, with a thaw that is asked for, and with a deadline that passes. */
  async 'guardian-stopped'(lab) {
    const mountPoints = [lab.loop('ext4', 'ext4'), lab.loop('xfs', 'xfs')];
    const { agent } = await begin(lab, { deadlineMs: 500 });
    const stop = (): void => void process.kill(Number(marker(lab).recoveryData.pid), 'SIGSTOP');
    await agent.ask('freeze');
    stop();
    // Waits until the disk takes writes again.
    appendFileSync(join(mountPoints[0] ?? '', 'after'), 'text');
    const late = [await agent.ask('thaw'), ((await agent.ask('report')) as Record<string, unknown>)['ended-by'], lab.frozen(mountPoints)];
    await agent.end();

    const { agent: second } = await begin(lab);
    await second.ask('freeze');
    stop();
    const asked = [await second.ask('thaw'), lab.frozen(mountPoints), guardians()];
    await second.end();
    return { late, asked };
  },

  /** One file system that counts among a thousand mounts: 500 bind mounts of it, and 500 of memory. */
  async thousand(lab) {
    const disk = lab.loop('ext4', 'disk');
    const memory = lab.mount(['-t', 'tmpfs', 'memory'], 'memory');
    execFileSync('sh', ['-c', `cd ${memory}; for i in $(seq 500); do mkdir bind$i tmpfs$i
      mount --bind ${disk} bind$i; mount -t tmpfs -o size=4k none tmpfs$i; done`]);
    const { agent } = await begin(lab);
    const plan = (await agent.ask('plan')) as FreezePlan;
    const counts = [await agent.ask('freeze'), lab.frozen([disk]), await agent.ask('thaw'), lab.frozen([disk])];
    await agent.end();
    execFileSync('umount', ['--recursive', '--lazy', memory]);
    return { mountPoints: plan.levels.flat().map((one) => one.mountPoints.length), counts };
  },

  /** The list of mounts is read again only when it has changed. */
  async 'mounts-change'(lab) {
    const disk = lab.loop('ext4', 'disk');
    const { agent } = await begin(lab);
    const mountPoints = async () => ((await agent.ask('plan')) as FreezePlan).levels.flat().flatMap((one) => one.mountPoints);
    const seen = [await mountPoints(), await mountPoints()];
    const bind = lab.mount(['--bind', disk], 'bind');
    seen.push(await mountPoints());
    const counts = [await agent.ask('freeze')];
    const other = lab.loop('xfs', 'xfs');
    execFileSync('fsfreeze', ['--freeze', other]);
    counts.push(await agent.ask('thaw'));
    lab.unmount(bind);
    seen.push(await mountPoints());
    await agent.end();
    return { seen, counts };
  },

  async 'guardian-killed'(lab) {
    const mountPoints = [lab.loop('ext4', 'ext4'), lab.loop('xfs', 'xfs')];
    const { agent } = await begin(lab);
    const count = await agent.ask('freeze');
    process.kill(Number(marker(lab).recoveryData.pid), 'SIGKILL');
    // Waits until the disk takes writes again, which it may owe to the watch, and until the agent knows.
    appendFileSync(join(mountPoints[0] ?? '', 'after'), 'text');
    while (((await agent.ask('status')) as { status: string }).status === 'frozen') await setTimeout(5);
    const thaw = await agent.ask('thaw');
    const report = (await agent.ask('report')) as Record<string, unknown>;
    await agent.end();
    return { count, thaw, end: report['ended-by'], frozen: lab.frozen(mountPoints), marker: hasMarker(lab) };
  },

  /** What covers a frozen file system hides it from whoever opens its mount point, but not from who has it open. */
  async covered(lab, who) {
    const mountPoints = [lab.loop('ext4', 'ext4'), lab.loop('ext4', 'other')];
    const [disk = ''] = mountPoints;
    const { agent } = await begin(lab);
    const count = await agent.ask('freeze');
    lab.mount(['-t', 'tmpfs', 'none'], 'ext4');
    if (who === 'agent') {
      killAll(guardians());
      // Waits until the other disk takes writes again.
      appendFileSync(join(lab.path('other'), 'after'), 'text');
      while (((await agent.ask('status')) as { status: string }).status === 'frozen') await setTimeout(5);
      const thaw = await agent.ask('thaw');
      const status = await agent.ask('status');
      lab.unmount(disk);
      await agent.end();
      return { count, thaw, status, frozen: lab.frozen(mountPoints), marker: hasMarker(lab) };
    }
    await killEveryone(agent);
    const next = await begin(lab);
    lab.unmount(disk);
    await next.agent.end();
    return { count, found: next.found.status, frozen: lab.frozen(mountPoints), marker: hasMarker(lab) };
  },

  /** Unmounted while it was frozen, when nobody was left to keep it from that. */
  async unmounted(lab) {
    const disk = lab.loop('ext4', 'ext4');
    const device = execFileSync('findmnt', ['-no', 'SOURCE', disk], { encoding: 'utf8' }).trim();
    const { agent } = await begin(lab);
    const count = await agent.ask('freeze');
    await killEveryone(agent);
    lab.unmount(disk);
    const next = await begin(lab);
    const unreachable = { found: next.found.status, thaw: await next.agent.ask('thaw'), marker: hasMarker(lab) };
    lab.mount([device], 'ext4');
    const again = { thaw: await next.agent.ask('thaw'), status: await next.agent.ask('status'), marker: hasMarker(lab), frozen: lab.frozen([disk]) };
    lab.unmount(disk);
    await next.agent.end();
    return { count, unreachable, again };
  },

  /** The agent can open nothing and start nothing when all of the guardian is lost. */
  async penniless(lab) {
    const mountPoints = [lab.loop('ext4', 'ext4'), lab.loop('xfs', 'xfs')];
    const { agent, found } = await begin(lab);
    const count = await agent.ask('freeze');
    execFileSync('prlimit', ['--pid', String(found.pid), '--nofile=3:3']);
    killAll(guardians());
    appendFileSync(join(mountPoints[0] ?? '', 'after'), 'text');
    while (((await agent.ask('status')) as { gate: boolean }).gate) await setTimeout(5);
    const status = await agent.ask('status');
    const report = (await agent.ask('report')) as Record<string, unknown>;
    const left = { frozen: lab.frozen(mountPoints), marker: hasMarker(lab) };
    agent.signal('SIGKILL');
    await agent.died();
    return { count, status, end: report['ended-by'], ...left };
  },

  /** Nobody but the guardian's watch is left to act: the agent is gone, and the guardian stopped or killed. */
  async 'watch-alone'(lab, guardian) {
    const mountPoints = [lab.loop('ext4', 'ext4'), lab.loop('xfs', 'xfs')];
    const { agent } = await begin(lab, { deadlineMs: guardian === 'stopped' ? 500 : 60_000 });
    const count = await agent.ask('freeze');
    const pid = Number(marker(lab).recoveryData.pid);
    agent.signal('SIGKILL');
    await agent.died();
    process.kill(pid, guardian === 'stopped' ? 'SIGSTOP' : 'SIGKILL');
    // Waits until the disks take writes again.
    for (const mountPoint of mountPoints) appendFileSync(join(mountPoint, 'after'), 'text');
    for (const one of guardians()) ended(one);
    return { count, ...(await aftermath(lab, mountPoints)) };
  },

  /** A second freeze by the guardian of the first, or without it. */
  async again(lab, what) {
    const mountPoint = lab.loop('ext4', 'disk');
    const other = lab.loop('xfs', 'xfs');
    const { agent } = await begin(lab, { deadlineMs: what === 'guardian stopped' ? 1_000 : 60_000 });
    const counts = [await agent.ask(`freeze ${mountPoint}`)];
    const pid = marker(lab).recoveryData.pid;
    counts.push(await agent.ask('thaw'));
    const resting = await atRest();
    const holds = resting.some((one) => readdirSync(`/proc/${one}/fd`).some((fd) => readlinkIfAny(`/proc/${one}/fd/${fd}`).startsWith(labDirectory)));
    if (what === 'killed at rest') killAll([pid]);
    if (what === 'watch killed at rest') {
      // Its parent reaps it when it needs another one.
      killAll(resting.filter((one) => one !== pid), false);
      while (spares().length > 1) await setTimeout(5);
    }
    if (what === 'stopped at rest') process.kill(Number(pid), 'SIGSTOP');
    if (what === 'unmounted at rest') execFileSync('umount', [mountPoint]);
    counts.push(await agent.ask(what === 'unmounted at rest' ? `freeze ${other}` : `freeze ${mountPoint} ${other}`));
    const isSame = marker(lab).recoveryData.pid === pid;
    if (what === 'guardian killed' || what === 'guardian stopped' || what === 'watch killed at rest') {
      agent.signal('SIGKILL');
      await agent.died();
      process.kill(Number(pid), what === 'guardian stopped' ? 'SIGSTOP' : 'SIGKILL');
      // Waits until the disks take writes again.
      for (const one of [mountPoint, other]) appendFileSync(join(one, 'after'), 'text');
      for (const one of guardians()) ended(one);
      return { counts, isSame, holds, expedited: expedited(), ...(await aftermath(lab, [mountPoint, other])) };
    }
    counts.push(await agent.ask('thaw'));
    const last = await atRest();
    await agent.end();
    for (const one of last) ended(one);
    return { counts, isSame, holds, expedited: expedited(), frozen: lab.frozen([...(what === 'unmounted at rest' ? [] : [mountPoint]), other]), marker: hasMarker(lab) };
  },

  /** Who is killed while the guardian freezes, and what becomes of what it has changed of the whole machine. */
  async expedited(lab, who) {
    const disk = lab.loop('ext4', 'disk', { megabytes: 128 });
    const inner = lab.loop('ext4', 'inner', { on: disk, megabytes: 32 });
    // Nothing can be written back: FIFREEZE of the inner one waits for the outer one.
    const sabotage = `dd if=/dev/urandom of=${inner}/data bs=64k count=16 status=none; fsfreeze --freeze ${disk}`;
    const { agent } = await begin(lab, { afterFlush: sabotage });
    agent.tell(`freeze ${inner}`);
    const answer = agent.hear();
    // Not by somebody else's freeze.
    while (!hasMarker(lab) || expedited() !== '1') await setTimeout(5);
    const noted = (marker(lab).recoveryData as Record<string, string>)['rcu-expedited'];
    const pid = Number(marker(lab).recoveryData.pid);
    if (who !== 'guardian') agent.signal('SIGKILL');
    if (who !== 'guardian') await agent.died();
    const victims = who === 'all' || who === 'all, then command' ? guardians() : [String(pid)];
    killAll(victims, false);
    spawnSync('fsfreeze', ['--unfreeze', disk]);
    for (const one of victims) ended(one);
    if (who === 'guardian') {
      const { error } = (await answer) as { error?: string };
      for (const one of guardians()) ended(one);
      await agent.end();
      return { noted, failed: error !== undefined, expedited: expedited(), frozen: lab.frozen([disk, inner]), marker: hasMarker(lab) };
    }
    if (who === 'all, then command') {
      execFileSync(process.execPath, [join(import.meta.dirname, 'thaw-left-behind.ts'), lab.stateDirectory, lab.path('no-hooks')]);
      return { noted, expedited: expedited(), frozen: lab.frozen([disk, inner]), marker: hasMarker(lab) };
    }
    for (const one of guardians()) ended(one);
    const before = who === 'agent and guardian' ? expedited() : 'left to the next';
    const next = await begin(lab);
    await next.agent.end();
    return { noted, before, expedited: expedited(), frozen: lab.frozen([disk, inner]), marker: hasMarker(lab) };
  },

  /** One that is stopped before it is ready. */
  async 'never-ready'(lab) {
    const disk = lab.loop('ext4', 'disk');
    // Says nothing, and never ends.
    const path = lab.path('mute');
    const mute = () => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).split('\0')[0] === path);
    copyFileSync('/usr/bin/yes', path);
    const { agent } = await begin(lab, { guardianPath: path });
    agent.tell('freeze');
    while (mute().length === 0) await setTimeout(5);
    for (const pid of mute()) process.kill(Number(pid), 'SIGSTOP');
    const { error } = (await agent.hear()) as { error: string };
    const again = { frozen: lab.frozen([disk]), marker: hasMarker(lab) };
    await agent.end();
    return { error: error.replace(/process \d+/, 'process N').replace(path, 'PATH'), ...again };
  },

  /** Somebody unmounts what is frozen, as usual and lazily: nothing may be left frozen without a mount. */
  async 'unmounted-while-held'(lab) {
    const image = lab.image('image');
    execFileSync('mkfs.ext4', ['-q', image]);
    const mountPoint = lab.mountImage(image, 'disk');
    const { agent } = await begin(lab);
    const count = await agent.ask('freeze');
    const usual = spawnSync('umount', [mountPoint]).status;
    const lazy = spawnSync('umount', ['--lazy', mountPoint]).status;
    const thaw = await agent.ask('thaw');
    await agent.end();
    const again = lab.mountImage(image, 'again');
    return { count, usual, lazy, thaw, frozen: lab.frozen([again]), marker: hasMarker(lab) };
  },

  /** A file system whose image lies on a disk that somebody else has frozen: nothing can be written back. */
  async late(lab, when) {
    const disk = lab.loop('ext4', 'disk', { megabytes: 128 });
    const inner = lab.loop('ext4', 'inner', { on: disk, megabytes: 32 });
    const other = lab.loop('xfs', 'xfs');
    const sabotage = `[ -e ${disk}/done ] && exit; touch ${disk}/done
      dd if=/dev/urandom of=${inner}/data bs=64k count=16 status=none; fsfreeze --freeze ${disk}`;
    if (when === 'flush') spawnSync('sh', ['-c', sabotage]);
    const { agent } = await begin(lab, { withinMs: 1_500, flushLimitMs: 1_500, ...(when === 'freeze' && { afterFlush: sabotage }) });

    const answer = await agent.ask(`freeze ${inner} ${other}`);
    const otherFrozen = lab.frozen([other]);
    const status = await agent.ask('status');
    spawnSync('fsfreeze', ['--unfreeze', disk]);
    for (const pid of guardians()) ended(pid);
    const frozen = lab.frozen([disk, inner, other]);
    const again = [await agent.ask(`freeze ${inner} ${other}`), await agent.ask('thaw')];
    await agent.end();
    return { answer, otherFrozen, status, frozen, again };
  },

  async fuse(lab) {
    const disk = lab.loop('ext4', 'disk');
    mkdirSync(lab.path('fuse'));
    const server = spawn('python3', [join(import.meta.dirname, 'hanging-fuse.py'), lab.path('fuse')], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(server.stdout, 'data');
    const { agent } = await begin(lab);
    const plan = ours((await agent.ask('plan')) as FreezePlan);
    const counts = [await agent.ask('freeze'), lab.frozen([disk]), await agent.ask('thaw')];
    await agent.end();
    server.kill('SIGKILL');
    return { plan, counts };
  },

  async cycles(lab, argument) {
    const mountPoints = Array.from({ length: 8 }, (_, index) => lab.loop(index % 2 === 0 ? 'ext4' : 'xfs', `disk${index}`));
    const { agent } = await begin(lab);
    const writers = mountPoints.map((mountPoint) => new Writer(mountPoint, lab.path('stop')));
    const descriptors = () => readdirSync(`/proc/${found.pid}/fd`).length;
    const found = { pid: ((await agent.ask('pid')) as { pid: number }).pid };
    const wrong: unknown[] = [];
    let first = { descriptors: 0, memory: 0 };
    for (let cycle = 0; cycle < Number(argument); cycle += 1) {
      const counts = [await agent.ask('freeze'), await agent.ask('thaw')];
      if (counts.join() !== '8,8') wrong.push(counts);
      if (cycle === 20) first = { descriptors: descriptors(), memory: Number(await agent.ask('memory')) };
    }
    const last = { descriptors: descriptors(), memory: Number(await agent.ask('memory')) };
    const intact = await Promise.all(writers.map((one) => one.finish()));
    await agent.end();
    return { wrong, first, last, intact, guardians: guardians() };
  },
};

const [name = '', argument = ''] = process.argv.slice(2);
const scenario = scenarios[name];
if (scenario === undefined) throw new Error(`no scenario ${name}`);
using lab = new Lab();
process.stdout.write(JSON.stringify(await scenario(lab, argument)));
