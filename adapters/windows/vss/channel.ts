// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';

import { AgentError, withContext } from '../../../core/errors/agent-error.ts';
import { INVALID_HANDLE, kernel32 } from '../bindings/kernel32.ts';
import { lastError } from '../dll.ts';
import { section } from '../bindings/vss-channel.ts';
import { koffi, type Pointer } from '../koffi.ts';
import { structure } from '../layout.ts';
import { lastWindowsError } from '../system-error.ts';
import { withSecurity } from '../private-files.ts';

/** For SYSTEM and administrators; qemu-ga's events can be set by everybody. */
const rights = 'D:P(A;;GA;;;SY)(A;;GA;;;BA)';

const sectionName = 'Global\\Concierge-VSS-session';
const version = 2;

const PAGE_READWRITE = 4;
const FILE_MAP_WRITE = 2;
const ERROR_ALREADY_EXISTS = 183;

export interface ChannelContent {
  /** After which the provider lets go without being told. */
  readonly holdLimitMs: number;
  /** The identifier of the snapshot set. */
  readonly set: Buffer;
  /** What the provider takes: volumes by name, and nothing else. */
  readonly volumes: readonly string[];
}

/** The way between agent and provider, which runs in a process of the system's: a section that names two events. */
export class FreezeChannel {
  readonly #handles: readonly Pointer[];
  /** Set by the provider: writers are frozen, and volumes flushed and held. */
  readonly frozen: Pointer;
  readonly #thaw: Pointer;
  #closed = false;

  constructor(mapping: Pointer, frozen: Pointer, thaw: Pointer) {
    this.#handles = [mapping, frozen, thaw];
    this.frozen = frozen;
    this.#thaw = thaw;
  }

  /**
   * @throws failed error: not elevated, or another agent's freeze is on
   */
  static async open(content: ChannelContent): Promise<FreezeChannel> {
    return withSecurity(rights, (attributes) => Promise.resolve(make(attributes, content)));
  }

  /** Lets the provider go on. Harmless when repeated. */
  letGo(): void {
    if (!this.#closed) kernel32.SetEvent(this.#thaw);
  }

  close(): void {
    if (this.#closed) return;
    this.letGo();
    this.#closed = true;
    for (const handle of this.#handles) kernel32.CloseHandle(handle);
  }
}

function make(attributes: Buffer, { holdLimitMs, set, volumes }: ChannelContent): FreezeChannel {
  const handles: Pointer[] = [];
  const demand = (handle: Pointer, what: string): Pointer => {
    const existed = lastError() === ERROR_ALREADY_EXISTS;
    const failure = handle === 0n ? withContext(`failed to create ${what}`, lastWindowsError(what)) : undefined;
    if (handle !== 0n) handles.push(handle);
    if (failure === undefined && !existed) return handle;
    for (const one of handles) kernel32.CloseHandle(one);
    throw failure ?? AgentError.failed('another agent is freezing this machine');
  };
  const token = randomBytes(16).toString('hex');
  const names = { frozen: `Global\\Concierge-VSS-${token}-f`, thaw: `Global\\Concierge-VSS-${token}-t` };
  const frozen = demand(kernel32.CreateEventW(attributes, 1, 0, names.frozen), `event ${names.frozen}`);
  const thaw = demand(kernel32.CreateEventW(attributes, 1, 0, names.thaw), `event ${names.thaw}`);
  const mapping = demand(kernel32.CreateFileMappingW(INVALID_HANDLE, attributes, PAGE_READWRITE, 0, section.size, sectionName), `section ${sectionName}`);
  const view = kernel32.MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, section.size);
  if (view === 0n) demand(0n, `view of ${sectionName}`);
  const content = structure(section, { version, agent: process.pid, holdLimitMs, set, volumes: volumes.join(';'), ...names });
  new Uint8Array(koffi().view(view, section.size)).set(content);
  kernel32.UnmapViewOfFile(view);
  return new FreezeChannel(mapping, frozen, thaw);
}
