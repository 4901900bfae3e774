import { spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';

import { AgentError } from '../../core/errors/agent-error.ts';
import { addonPath } from './native.ts';

/** Where the guardian lies: beside the addon. @throws failed error where that is missing */
export const defaultGuardianPath = (): string => join(dirname(addonPath()), 'concierge-guardian');

export const guardianSocketName = 'freeze-guardian.sock';

export type LineListener = (verb: string, fields: readonly string[]) => void;

/** The agent's end of the conversation with a guardian: lines of words, as docs/freeze.md lists them. */
export class GuardianLink {
  readonly #socket: Socket;
  readonly #listeners = new Set<LineListener>();
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
    socket.on('close', () => resolve());
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

  /** The next line with one of these verbs, or `undefined` when the guardian goes or `limitMs` pass first. */
  async next(verbs: readonly string[], limitMs?: number): Promise<{ verb: string; fields: readonly string[] } | undefined> {
    const { promise, resolve } = Promise.withResolvers<{ verb: string; fields: readonly string[] } | undefined>();
    const stop = this.listen((verb, fields) => {
      if (verbs.includes(verb)) resolve({ verb, fields });
    });
    void this.closed.then(() => resolve(undefined));
    const timer = limitMs === undefined ? undefined : setTimeout(() => resolve(undefined), limitMs);
    this.#waits += 1;
    this.#socket.ref();
    try {
      return await promise;
    } finally {
      stop();
      clearTimeout(timer);
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
    for (const line of lines) {
      const [verb = '', ...fields] = line.split(' ');
      for (const listener of this.#listeners) listener(verb, fields);
    }
  }
}

/**
 * Starts a guardian. It is a session of its own, so that what ends the agent does not reach it.
 *
 * @throws failed error when the program cannot be started
 */
export async function startGuardian(path: string): Promise<{ readonly link: GuardianLink; readonly kill: () => void }> {
  const child = spawn(path, [], { cwd: '/', env: {}, detached: true, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const started = Promise.withResolvers<void>();
  child.once('spawn', () => started.resolve());
  child.once('error', (error) => {
    started.reject(AgentError.failed(`the freeze guardian ${path} cannot be started: ${error.message}`, error));
  });
  await started.promise;
  child.unref();
  const link = new GuardianLink(child.stdio[3] as Socket);
  return { link, kill: () => child.kill('SIGKILL') };
}

/** Finds the guardian that an earlier agent left behind; `undefined` where none listens. */
export async function connectToGuardian(stateDirectory: string): Promise<GuardianLink | undefined> {
  let directory: number;
  try {
    directory = openSync(stateDirectory, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch {
    return undefined;
  }
  // Through /proc, because the path of a socket ends at 107 bytes (unix(7)).
  const socket = connect({ path: `/proc/self/fd/${directory}/${guardianSocketName}` });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once('connect', () => resolve(true));
  socket.once('error', () => resolve(false));
  try {
    return (await promise) ? new GuardianLink(socket) : undefined;
  } finally {
    closeSync(directory);
  }
}
