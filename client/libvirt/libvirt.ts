// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { ClientError } from '../client-error.ts';
import type { ConnectOptions } from '../connect.ts';
import { secondsText } from '../seconds-text.ts';
import type { SingleCommands } from '../single-commands.ts';
import { openLibvirtStream } from './libvirt-stream.ts';
import { libvirtPlace } from './libvirt-uri.ts';
import { AGENT_COMMAND, agentTimeout, authentication, eventId, FEATURE_KEEP_ALIVE, MOST_TEXT, procedure, program } from './protocol.ts';
import { Rpc } from './rpc.ts';
import { garbage, XdrWriter, type XdrReader } from './xdr.ts';

export interface LibvirtOptions extends ConnectOptions {
  /** Default `LIBVIRT_DEFAULT_URI`, or `qemu:///system`. */
  readonly uri?: string;
  /** By the socket that is open to everybody: lists and looks up, but does not carry commands for agents. */
  readonly readOnly?: boolean;
}

export interface LibvirtDomain {
  readonly name: string;
  readonly uuid: string;
  /** Its number while it runs. */
  readonly id: number | undefined;
}

/** The agent's port of a domain was opened or closed, by the guest or with the domain. */
export interface AgentEvent {
  readonly domain: LibvirtDomain;
  readonly state: 'connected' | 'disconnected';
}

/** Milliseconds for a daemon of this host, and for one behind ssh, to be there. */
const OPEN_WITHIN = 10_000;
const OPEN_WITHIN_SSH = 30_000;
/** Bytes of the shortest domain in a list: no name, UUID, id. */
const BYTES_OF_DOMAIN = 24;

/**
 * A connection with a libvirt daemon, in its own protocol: no library of libvirt, no virsh. Every failure is a ClientError that says what
 * to do; the connection is good for more after all but `closed` ones of its own.
 */
export class Libvirt implements Disposable {
  readonly #rpc: Rpc;
  readonly #listeners = new Map<number, (event: AgentEvent) => void>();

  private constructor(rpc: (onEvent: (procedureNumber: number, payload: XdrReader) => void) => Rpc) {
    this.#rpc = rpc((number, payload) => this.#event(number, payload));
  }

  /** @throws ClientError */
  static async connect({ uri = process.env['LIBVIRT_DEFAULT_URI'] ?? 'qemu:///system', readOnly = false, timeoutMs, signal }: LibvirtOptions = {}): Promise<Libvirt> {
    const place = libvirtPlace(uri, readOnly);
    const within = timeoutMs ?? (place.ssh === undefined ? OPEN_WITHIN : OPEN_WITHIN_SSH);
    const { stream, describe } = await openLibvirtStream(place, readOnly, { timeoutMs: within, ...(signal === undefined ? {} : { signal }) });
    const libvirt = new Libvirt((onEvent) => new Rpc(stream, { onEvent, describe }));
    const limit = new AbortController();
    const giveUp = (): void => limit.abort(new ClientError('aborted', 'connecting with libvirt was given up', { cause: signal?.reason }));
    const timer = setTimeout(() => limit.abort(new ClientError('timeout', `the libvirt daemon did not greet within ${secondsText(within)}`)), within);
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      await libvirt.#greet(place.name, readOnly, limit.signal);
      return libvirt;
    } catch (error) {
      libvirt.close();
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
    }
  }

  /** False once the daemon is gone. */
  get isOpen(): boolean {
    return this.#rpc.ended === undefined;
  }

  /** All domains, running or not, by name. @param only `running`: those alone */
  async domains(only?: 'running', signal?: AbortSignal): Promise<readonly LibvirtDomain[]> {
    const reply = await this.#call(procedure.listAllDomains, new XdrWriter().int(1).int(only === 'running' ? 1 : 3), signal);
    return reply.list(BYTES_OF_DOMAIN, () => readDomain(reply)).toSorted((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** @param named its UUID, its number, or its name; a name that looks like one of the others is found, too. @throws ClientError `closed` where there is none */
  async domain(named: string, signal?: AbortSignal): Promise<LibvirtDomain> {
    const other = /^\d{1,9}$/.test(named) ? [procedure.lookUpById, new XdrWriter().int(Number(named))] as const
      : /^[\da-f]{8}(-?[\da-f]{4}){3}-?[\da-f]{12}$/i.test(named) ? [procedure.lookUpByUuid, new XdrWriter().fixed(Buffer.from(named.replaceAll('-', ''), 'hex'))] as const
      : undefined;
    const byName = async (): Promise<LibvirtDomain> => readDomain(await this.#call(procedure.lookUpByName, new XdrWriter().text(named), signal));
    if (other === undefined) return await byName();
    try {
      return readDomain(await this.#call(other[0], other[1], signal));
    } catch (error) {
      if (!ClientError.is(error) || !this.isOpen || error.kind !== 'closed') throw error;
      return await byName();
    }
  }

  /**
   * Sends a request to the agent of a domain, and answers its answer.
   *
   * @param timeoutMs how long libvirt waits for it; 0: for ever
   * @throws ClientError `refused` when the agent refuses, `closed` when it is not there, `too-large` for what libvirt does not pass on
   */
  async askAgent(domain: LibvirtDomain, request: string, { timeoutMs, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {}): Promise<Buffer> {
    const seconds = timeoutMs === undefined ? agentTimeout.libvirtsOwn : timeoutMs === 0 ? agentTimeout.forEver : Math.min(2 ** 31 - 1, Math.ceil(timeoutMs / 1000));
    const reply = await this.#rpc.call(program.qemu, AGENT_COMMAND, writeDomain(new XdrWriter(), domain).text(request).int(seconds).int(0).bytes(), signal);
    const answer = reply.optional(() => reply.opaque());
    if (answer === undefined) throw garbage('no text where the answer of an agent should be');
    return answer;
  }

  /** From now on tells whenever the agent of a domain comes or goes. Disposed, it stops telling. */
  async onAgentEvent(listener: (event: AgentEvent) => void, signal?: AbortSignal): Promise<Disposable> {
    const reply = await this.#call(procedure.registerEvent, new XdrWriter().int(eventId.agentLifecycle).int(0), signal);
    const number = reply.int();
    this.#listeners.set(number, listener);
    return {
      [Symbol.dispose]: () => {
        if (this.#listeners.delete(number)) this.#call(procedure.deregisterEvent, new XdrWriter().int(number)).catch(() => undefined);
      },
    };
  }

  close(): void {
    this.#rpc.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #call(number: number, payload: XdrWriter, signal?: AbortSignal): Promise<XdrReader> {
    return this.#rpc.call(program.remote, number, payload.bytes(), signal);
  }

  async #greet(name: string, readOnly: boolean, signal: AbortSignal): Promise<void> {
    const offered = await this.#call(procedure.authList, new XdrWriter(), signal);
    const ways = offered.list(4, () => offered.int());
    if (ways.length > 0 && !ways.includes(authentication.none)) {
      if (!ways.includes(authentication.polkit)) throw new ClientError('closed', 'the libvirt daemon asks for SASL, which is not supported: use its socket as root, or qemu+ssh://HOST/system');
      await this.#call(procedure.authPolkit, new XdrWriter(), signal).catch((error: unknown) => {
        throw notAuthorized(error);
      });
    }
    await this.#call(procedure.supportsFeature, new XdrWriter().int(FEATURE_KEEP_ALIVE), signal);
    await this.#call(procedure.open, new XdrWriter().optionalText(name).int(readOnly ? 1 : 0), signal);
  }

  #event(number: number, payload: XdrReader): void {
    if (number !== procedure.agentLifecycleEvent) return;
    const listener = this.#listeners.get(payload.int());
    const domain = readDomain(payload);
    const state = payload.int();
    if (state === 1 || state === 2) listener?.({ domain, state: state === 1 ? 'connected' : 'disconnected' });
  }
}

/** A host without polkit refuses, too, in words about a bus that is not there. */
function notAuthorized(error: unknown): unknown {
  if (!ClientError.is(error) || error.kind !== 'closed' || error.message.endsWith(')')) return error;
  return new ClientError('closed', `${error.message} (become root, or a member of the group libvirt)`, { cause: error });
}

function readDomain(reader: XdrReader): LibvirtDomain {
  const name = reader.text();
  const uuid = reader.fixed(16).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  const id = reader.int();
  return { name, uuid, id: id === -1 ? undefined : id };
}

const writeDomain = (writer: XdrWriter, { name, uuid, id }: LibvirtDomain): XdrWriter =>
  writer.text(name).fixed(Buffer.from(uuid.replaceAll('-', ''), 'hex')).int(id ?? -1);

export interface LibvirtAgentOptions extends LibvirtOptions {
  /** A connection that others use, too; it stays open when the client is closed. Absent: one of its own, opened when it is needed. */
  readonly libvirt?: Libvirt;
}

/**
 * The way to the agent of a libvirt domain: `new GuestClient(libvirtAgent('vm7'))`. A daemon that was restarted is found again by the next call.
 *
 * @param named the domain's name, UUID or number
 */
export function libvirtAgent(named: string, { libvirt: shared, ...options }: LibvirtAgentOptions = {}): SingleCommands {
  let own: Promise<Libvirt> | undefined;
  let found: LibvirtDomain | undefined;
  const connection = async (signal: AbortSignal): Promise<Libvirt> => {
    if (shared !== undefined) return shared;
    const last = await own?.catch(() => undefined);
    if (last?.isOpen === true) return last;
    own = Libvirt.connect({ ...options, signal });
    return await own;
  };
  return {
    maxRequestBytes: MOST_TEXT,
    ask: async (request, signal, timeoutMs) => {
      try {
        const libvirt = await connection(signal);
        found ??= await libvirt.domain(named, signal);
        return await libvirt.askAgent(found, request, { signal, timeoutMs });
      } catch (error) {
        // It may be defined anew by the next call.
        found = undefined;
        throw error;
      }
    },
    close: () => void own?.then((one) => one.close(), () => undefined),
  };
}
