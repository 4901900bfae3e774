// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, existsSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';

import { AgentError, osCode, withContext } from '../../../core/errors/agent-error.ts';
import { closeWalk, throughDescriptor, walkPathAside } from '../../shared/trust/path-walk.ts';
import { agentUser, whyDistrusted } from '../../shared/trust/rule.ts';
import { addonPath, nativeAddon, type NativeAddon } from '../native.ts';

interface GuardianAddon extends NativeAddon {
  /**
   * In a session of its own, with no environment, listed as `name`; `fd` is this end of the stream socket that is its
   * descriptor 3.
   */
  startGuardian(path: string, name: string): Promise<{ readonly pid: number; readonly fd: number }>;
  /** Both ends of a conversation. */
  guardianPair(): readonly [number, number];
  /** Resolves when the process has ended; its number belongs to nobody else before. */
  reapGuardian(pid: number): Promise<void>;
  /** Who listens at a path, known by SO_PEERCRED. */
  connectToPeer(path: string): { readonly fd: number; readonly pid: number; readonly uid: number };
}

/** Where the guardian lies: beside the addon. @throws failed error where that is missing */
export const defaultGuardianPath = (): string => join(dirname(addonPath()), 'concierge-guardian');

/**
 * The guardian at the path, as it is now: a path through which it can be started even when an upgrade has put another there,
 * whose lines may be other ones. Until the package manager restarts the agent, agent and guardian stay of one make. The
 * path itself where it cannot be held.
 */
export function heldGuardian(path: string): string {
  const known = held.get(path);
  if (known !== undefined) return known;
  let through = path;
  try {
    // Close-on-exec, as libuv opens everything: the child has it until it has become the guardian.
    const link = `/proc/self/fd/${openSync(path, constants.O_RDONLY)}`;
    if (existsSync(link)) through = link;
  } catch {
    // A guardian that is missing is an error when it is to be started.
    return path;
  }
  held.set(path, through);
  return through;
}

/** One descriptor for the life of the process. */
const held = new Map<string, string>();

export const guardianSocketName = 'freeze-guardian.sock';

/** More than the longest line there is: whoever says more without an end to it is no guardian. */
const longestLine = 64 * 1024;

export type LineListener = (verb: string, fields: readonly string[]) => void;

/** The agent's end of the conversation with a guardian: lines of words, as docs/freeze.md lists them. */
export class GuardianLink {
  readonly #socket: Socket;
  readonly #listeners = new Set<LineListener>();
  readonly #closedListeners = new Set<() => void>();
  #text = '';
  #waits = 0;
  /** Resolves when the guardian has gone: every call that it made has come back out of the kernel. */
  readonly closed: Promise<void>;

  constructor(socket: Socket) {
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    socket.setEncoding('latin1');
    socket.on('data', (piece: string) => this.#take(piece));
    // An error is a lost guardian, and `close` follows it.
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      resolve();
      for (const listener of this.#closedListeners) listener();
    });
    // A frozen file system keeps no agent alive: the guardian goes on without it.
    socket.unref();
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  send(text: string): void {
    if (this.isOpen) this.#socket.write(text, 'latin1');
  }

  /** Calls back for every line until the answer is called. */
  listen(listener: LineListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls back when the guardian has gone, until the answer is called: one guardian may serve many freezes. */
  onClosed(listener: () => void): () => void {
    if (this.#socket.closed) void this.closed.then(listener);
    this.#closedListeners.add(listener);
    return () => this.#closedListeners.delete(listener);
  }

  /** The next line with one of these verbs, or `undefined` when the guardian goes or `limitMs` pass first. */
  async next(verbs: readonly string[], limitMs?: number): Promise<{ verb: string; fields: readonly string[] } | undefined> {
    const { promise, resolve } = Promise.withResolvers<{ verb: string; fields: readonly string[] }>();
    const stop = this.listen((verb, fields) => {
      if (verbs.includes(verb)) resolve({ verb, fields });
    });
    const heard = await this.during(promise, limitMs);
    stop();
    return heard ? promise : undefined;
  }

  /** Waits for something that the guardian will say. False when it goes or `limitMs` pass first. */
  async during(said: Promise<unknown>, limitMs?: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    void said.then(() => resolve(true));
    const stop = this.onClosed(() => resolve(false));
    const timer = limitMs === undefined ? undefined : setTimeout(() => resolve(false), limitMs);
    this.#waits += 1;
    this.#socket.ref();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      stop();
      this.#waits -= 1;
      if (this.#waits === 0) this.#socket.unref();
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(piece: string): void {
    const lines = (this.#text + piece).split('\n');
    this.#text = lines.pop() ?? '';
    try {
      for (const line of lines) {
        const [verb = '', ...fields] = line.split(' ');
        for (const listener of this.#listeners) listener(verb, fields);
      }
    } catch {
      // It says what is none of the protocol: it counts as lost, for there is no telling what it does.
      this.close();
    }
    if (this.#text.length > longestLine) this.close();
  }
}

/** A guardian, and a way to send it a signal as long as it lives. */
export interface StartedGuardian {
  readonly pid: number;
  readonly link: GuardianLink;
  readonly signal: (signal: 'SIGKILL' | 'SIGCONT') => void;
}

/** Makes a guardian that talks on the descriptor, which stays the caller's. Its process number. */
export type Guard = (fd: number) => Promise<number>;

/**
 * Starts a guardian. It is a session of its own, so that what ends the agent does not reach it. `guard`: a way that needs no
 * program; where it fails, the program is started.
 *
 * @throws failed error when the program cannot be started
 */
export async function startGuardian(path: string, name = path, guard?: Guard): Promise<StartedGuardian> {
  return (await forkedGuardian(guard)) ?? (await executedGuardian(path, name));
}

async function forkedGuardian(guard: Guard | undefined): Promise<StartedGuardian | undefined> {
  if (guard === undefined) return undefined;
  const [fd, theirs] = (nativeAddon() as GuardianAddon).guardianPair();
  try {
    const pid = await guard(theirs);
    const link = new GuardianLink(new Socket({ fd, readable: true, writable: true }));
    return { pid, link, signal: signalling(link, pid) };
  } catch {
    // One that comes late finds nobody at this end.
    closeSync(fd);
    return undefined;
  } finally {
    closeSync(theirs);
  }
}

async function executedGuardian(path: string, name: string): Promise<StartedGuardian> {
  const addon = nativeAddon() as GuardianAddon;
  const { pid, fd } = await addon.startGuardian(path, name).catch((error: unknown) => {
    throw withContext(`the freeze guardian ${name} cannot be started`, error);
  });
  const link = new GuardianLink(new Socket({ fd, readable: true, writable: true }));
  void link.closed.then(() => addon.reapGuardian(pid)).catch(() => {});
  return { pid, link, signal: signalling(link, pid) };
}

/** Whether somebody has stopped it (`T`, `t` of proc_pid_stat(5)). */
export function isStopped(pid: number): boolean {
  try {
    return /^\d+ \(.*\) [Tt]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** Once the link is closed, the process identifier may be somebody else's. */
export const signalling = (link: GuardianLink, pid: number): StartedGuardian['signal'] => (signal) => {
  if (!link.isOpen) return;
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: it has ended, and the link is about to tell.
  }
};

/** A guardian that an earlier agent left behind. */
export interface FoundGuardian {
  readonly link: GuardianLink;
  /** Of the process that listened at the socket, by the kernel's word. */
  readonly pid: number;
}

/**
 * Finds the guardian that an earlier agent left behind; `undefined` where none listens.
 *
 * @throws failed error where somebody else could have put the socket there, or listens at it
 */
export async function connectToGuardian(stateDirectory: string): Promise<FoundGuardian | undefined> {
  const walk = await walkPathAside(stateDirectory);
  try {
    const agent = agentUser();
    const distrusted = whyDistrusted(walk.steps, agent);
    if (distrusted !== undefined) throw AgentError.failed(`the state directory ${stateDirectory} is not used: ${distrusted}`);
    if (walk.place < 0) return undefined;
    // Through /proc, because the path of a socket ends at 107 bytes (unix(7)).
    const { fd, pid, uid } = (nativeAddon() as GuardianAddon).connectToPeer(`${throughDescriptor(walk.place, stateDirectory)}/${guardianSocketName}`);
    if ((uid === 0 || uid === agent.uid) && pid > 1) return { link: new GuardianLink(new Socket({ fd, readable: true, writable: true })), pid };
    closeSync(fd);
    throw AgentError.failed(`who listens at ${stateDirectory}/${guardianSocketName} is process ${pid} of user ${uid}, and no guardian of this agent`);
  } catch (error) {
    if (osCode(error) !== undefined) return undefined;
    throw error;
  } finally {
    closeWalk(walk);
  }
}
