// SPDX-License-Identifier: Apache-2.0
import { closeSync, fstatSync, readlinkSync, readSync, unlinkSync } from 'node:fs';
import { AgentError } from '../../../core/errors/agent-error.ts';
import type { KeptDescriptors, KeptPrograms, LeftProgram, TakenDescriptor } from '../../../core/ports/index.ts';
import { posixErrorOf, posixNumber } from '../../../core/errors/posix-errno.ts';
import { fileStatus, isSameFile } from '../../channels/file-identity.ts';
import { type DescribedChannels, isOfChannels } from '../../channels/kept-of-channel.ts';
import { within } from '../../shared/within.ts';
import { keeperAddon, type NativeKeeperLink } from './keeper-binding.ts';

/** Of the messages (docs/keeper.md). */
const protocol = '1';
/** The keeper has said everything before it starts an agent, but for what did not fit: it is stopped, or it is none. */
const patienceMs = 10_000;
/** A keeper that does not answer for so long stands still: what is to be done is done without it. */
const answerMs = 500;
/** kLongestNote of native/linux/keeper/holdings.h. */
const longestNote = 191;

/** As which it is known whose a program is, with that in the note: for as long as the program is known. */
const ownerName = (serial: number): string => `program-owner-${serial}`;

interface Held {
  readonly note: string;
  readonly fd: number;
}

/** Any text as a note: printable, and of the length that the keeper has room for. */
const asNote = (text: string): string => encodeURI(text.toWellFormed()).slice(-longestNote);

/**
 * The agent's side of its keeper. What cannot be said, because the keeper stands still, is not waited for: then this agent
 * does not sleep any more.
 */
export class KeeperSide implements KeptDescriptors {
  /** Why this agent was started: `start`, `input`, `died signal-9 2`. */
  readonly reason: string;
  /** Settles when the keeper has gone. */
  readonly lost: Promise<void>;
  readonly #link: NativeKeeperLink;
  readonly #held = new Map<string, Held>();
  /** What came without its descriptor, for which this process has no number left. */
  readonly #missing: string[] = [];
  readonly #inputs = new Map<string, Uint8Array>();
  readonly #left = new Map<number, Omit<LeftProgram, 'owner'>>();
  /** Programs with an owner. */
  readonly #owners = new Set<number>();
  readonly programs: KeptPrograms;
  #lastSerial = 0;
  readonly #onEnded: ((serial: number, status: number) => void)[] = [];
  #isRenewed = false;
  #renewal: (() => void) | undefined;
  /** By number, each told its process number or a negative errno. */
  readonly #guardians = new Map<string, (pid: number) => void>();
  #guardianCount = 0;
  #isOfOurMake = false;
  readonly #drops = new Map<string, PromiseWithResolvers<void>>();
  readonly #lose: () => void;
  readonly #complain: (line: string) => void;
  #isReliable = true;
  #isEnding = false;
  #isGone = false;

  /**
   * Hears what there is. `version`: of the agent. `complain`: for the log, once there is one.
   *
   * @throws failed error for a keeper that does not answer, or that is of another version
   */
  constructor(fd: number, version: string, complain: (line: string) => void) {
    this.#complain = complain;
    this.#link = new (keeperAddon().KeeperLink)(fd);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.lost = promise;
    this.#lose = resolve;
    this.programs = {
      begin: (pid, owner = '') => {
        this.#lastSerial += 1;
        this.#say(`program ${this.#lastSerial} ${pid}`);
        if (owner !== '') {
          this.#owners.add(this.#lastSerial);
          this.remember(ownerName(this.#lastSerial), '', owner);
        }
        return this.#lastSerial;
      },
      ended: (serial, status) => void this.#say(`ended ${serial} ${status}`),
      forget: (serial) => {
        this.#say(`forget ${serial}`);
        if (this.#owners.delete(serial)) void this.drop(ownerName(serial));
      },
      left: () => [...this.#left.values()].toSorted((one, other) => one.serial - other.serial).map((one) => ({ ...one, owner: this.#ownerOf(one.serial) })),
      onEnded: (listener) => {
        this.#onEnded.push(listener);
      },
    };
    this.reason = this.#hearAll(version);
    this.#say(`agent ${protocol} ${version}`);
    for (const name of this.#missing) this.#say(`drop ${name}`);
    if (this.#missing.length > 0) this.#fail(`${this.#missing.length} of what the keeper holds cannot be had (no descriptor is free), and is lost`);
    this.#link.listen(() => this.#hear());
  }

  #hearAll(version: string): string {
    let reason: string | undefined;
    for (;;) {
      const message = this.#link.next(patienceMs);
      if (message === undefined || message === null) throw AgentError.failed('the keeper does not say what it holds: restart the service');
      const [word, first = '', second = '', ...rest] = message.text.toString('latin1').split(' ');
      if (word === 'keeper') {
        if (first !== protocol) throw this.#otherVersion(version, second);
        this.#isOfOurMake = second === version;
        reason = rest.join(' ');
      } else if (word === 'held' && message.fd < 0) this.#missing.push(first);
      else if (word === 'held') this.#held.set(first, { note: rest.join(' '), fd: message.fd });
      else if (word === 'input') this.#heardInput(message.text);
      else if (word === 'program' || word === 'ended') this.#heardProgram(Number(first), Number(second), word === 'ended' ? Number(rest[0]) : undefined);
      else if (word === 'go') break;
    }
    return reason ?? '';
  }

  #otherVersion(version: string, itsVersion: string): AgentError {
    this.end();
    return AgentError.failed(`the keeper is that of concierge-ga ${itsVersion}, which this agent (${version}) does not understand: restart the service`);
  }

  /** `input NAME`, a line feed, and bytes. */
  #heardInput(text: Buffer): void {
    const line = text.indexOf(0x0a);
    this.#inputs.set(text.toString('latin1', 'input '.length, line), text.subarray(line + 1));
  }

  #onRenewal(): void {
    this.#isOfOurMake = false;
    this.#isRenewed = true;
    this.#renewal?.();
  }

  /** Calls back when there is another keeper in the place of this one, and another agent is to follow. */
  onRenewal(listener: () => void): void {
    this.#renewal = listener;
    if (this.#isRenewed) listener();
  }

  #heardEnd(serial: number, status: number): void {
    const left = this.#left.get(serial);
    // Nobody may have asked yet.
    if (left !== undefined) this.#left.set(serial, { ...left, status });
    for (const listener of this.#onEnded) listener(serial, status);
  }

  #heardProgram(serial: number, pid: number, status: number | undefined): void {
    this.#lastSerial = Math.max(this.#lastSerial, serial);
    this.#left.set(serial, { serial, pid, status });
  }

  #hear(): void {
    for (;;) {
      const message = this.#link.next(0);
      if (message === undefined) return;
      if (message === null) {
        this.#link.close();
        this.#isGone = true;
        for (const { resolve } of this.#drops.values()) resolve();
        this.#lose();
        return;
      }
      if (message.fd >= 0) closeSync(message.fd);
      const [word, what = '', errno, status] = message.text.toString('latin1').split(' ');
      if (word === 'dropped') {
        this.#drops.get(what)?.resolve();
        this.#drops.delete(what);
      } else if (word === 'guardian') this.#guardians.get(what)?.(Number(errno));
      else if (word === 'ending') this.#isEnding = true;
      else if (word === 'renew') this.#onRenewal();
      else if (word === 'ended') this.#heardEnd(Number(what), Number(status));
      else if (word === 'refused' && what !== 'drop') this.#fail(`the keeper has refused to ${what} something (error ${errno})`);
    }
  }

  #fail(line: string): void {
    if (this.#isReliable) this.#complain(`${line}: this agent does not sleep`);
    this.#isReliable = false;
  }

  #say(text: string, fd = -1): boolean {
    const isSaid = this.#link.say(text, fd);
    if (!isSaid) this.#fail('the keeper does not listen');
    return isSaid;
  }

  /** Asked for when the agent ends by a signal: the keeper says so before it passes one on. */
  get isEnding(): boolean {
    if (!this.#isGone) this.#hear();
    return this.#isEnding || this.#isGone;
  }

  /** What one of another version says is not understood here, and after an update it is one. */
  get guard(): ((fd: number) => Promise<number>) | undefined {
    return this.#isOfOurMake && this.#isReliable ? (fd) => this.#guard(fd) : undefined;
  }

  async #guard(fd: number): Promise<number> {
    this.#guardianCount += 1;
    const number = String(this.#guardianCount);
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#guardians.set(number, resolve);
    const timer = setTimeout(() => resolve(-posixNumber('ETIMEDOUT')), answerMs);
    try {
      if (!this.#say(`guardian ${number}`, fd)) resolve(-posixNumber('EAGAIN'));
      const pid = await promise;
      if (pid < 0) throw posixErrorOf(-pid, { syscall: 'fork' });
      return pid;
    } finally {
      clearTimeout(timer);
      this.#guardians.delete(number);
    }
  }

  take(name: string, note: string): number | undefined {
    const held = this.#held.get(name);
    if (held === undefined || held.note !== asNote(note)) return undefined;
    this.#held.delete(name);
    return held.fd;
  }

  takeAll(prefix: string): readonly TakenDescriptor[] {
    const found = Array.from(this.#held, ([name, held]) => ({ name, ...held })).filter(({ name }) => name.startsWith(prefix));
    for (const { name } of found) this.#held.delete(name);
    return found;
  }

  input(name: string): Uint8Array | undefined {
    const bytes = this.#inputs.get(name);
    if (bytes === undefined) return undefined;
    this.#inputs.delete(name);
    this.#say(`took ${name}`);
    return bytes;
  }

  keep(name: string, kind: Parameters<KeptDescriptors['keep']>[1], note: string, fd: number): void {
    this.#forget(name);
    this.#say(`keep ${name} ${kind} ${asNote(note)}`, fd);
  }

  #ownerOf(serial: number): string {
    const name = ownerName(serial);
    const owner = this.#held.get(name)?.note ?? '';
    if (this.recall(name) !== undefined) this.#owners.add(serial);
    return owner;
  }

  /** What an earlier agent has left under the name is gone. */
  #forget(name: string): void {
    const held = this.#held.get(name);
    if (held === undefined) return;
    closeSync(held.fd);
    this.#held.delete(name);
  }

  drop(name: string): Promise<void> {
    this.#forget(name);
    const dropping = this.#drops.get(name) ?? Promise.withResolvers<void>();
    this.#drops.set(name, dropping);
    if (!this.#say(`drop ${name}`)) dropping.resolve();
    return dropping.promise;
  }

  /** The text that an earlier agent has kept under the name. */
  recall(name: string): string | undefined {
    const held = this.#held.get(name);
    if (held === undefined) return undefined;
    this.#held.delete(name);
    try {
      const bytes = Buffer.alloc(fstatSync(held.fd).size);
      readSync(held.fd, bytes, 0, bytes.length, 0);
      return bytes.toString('utf8');
    } finally {
      closeSync(held.fd);
    }
  }

  /** Keeps a text for the next agent. */
  remember(name: string, text: string, note = ''): void {
    const fd = keeperAddon().memoryFile(Buffer.from(text), name);
    this.keep(name, 'plain', note, fd);
    closeSync(fd);
  }

  /**
   * Lets go of what channels of another configuration have left: before any is opened, for one may lie now where another one lay.
   * Files of sockets go last, and are gone by then: the child that takes them away has a share of all that is open.
   */
  async settle(channels: DescribedChannels): Promise<void> {
    const others = Array.from(this.#held).filter(([name, { note }]) => !isOfChannels(name, note, channels, asNote));
    if (others.length === 0) return;
    const listeners = others.filter(([name]) => name.endsWith('listener')).map(([name]) => `${name}-file`);
    const files = listeners.flatMap((name) => {
      const held = this.#held.get(name);
      return held === undefined ? [] : [{ name, held }];
    });
    for (const { held } of files) removeOwnFile(held.fd);
    const names = [...others.map(([name]) => name).filter((name) => !name.endsWith('-file')), ...files.map(({ name }) => name)];
    await within(answerMs, Promise.all(names.map((name) => this.drop(name))));
  }

  /** What nobody has taken is of no use any more: the configuration is another one. */
  dropRest(): void {
    for (const name of this.#held.keys()) void this.drop(name);
  }

  notify(state: string): void {
    this.#say(`notify ${state}`);
  }

  /** The last word before this agent ends and another one follows. False: it would not be heard. */
  get canSleep(): boolean {
    return this.#isReliable && !this.#isEnding;
  }

  sleep(): void {
    this.#say('sleep');
  }

  /** The last word before this agent ends for good. */
  end(): void {
    this.#say('end');
  }
}

/** The file that a descriptor (`O_PATH`) stands for, if it is still where it was. */
function removeOwnFile(fd: number): void {
  try {
    const path = readlinkSync(`/proc/self/fd/${fd}`);
    if (isSameFile(fstatSync(fd, { bigint: true }), fileStatus(path))) unlinkSync(path);
  } catch {
    // It is gone, or the keeper tries.
  }
}
