// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf, withContext } from '../../../../core/errors/agent-error.ts';
import type { Connection, Log, Transport } from '../../../../core/ports/index.ts';
import type { VsockAddress } from '../../../shared/vsock-address.ts';
import { HOST_CID, vsockPeers, type VsockPeers } from '../../../shared/vsock-peers.ts';
import { events, INVALID_SOCKET, ws2_32 } from '../../bindings/ws2_32.ts';
import { lastError } from '../../dll.ts';
import type { Out } from '../../koffi.ts';
import { lastWindowsError, windowsErrorOf } from '../../system-error.ts';
import { peerOf, roomForAddress, vsockAddress, vsockFamily } from './driver.ts';
import { EventSocket, streamSocket } from './event-socket.ts';
import { SocketConnection } from './socket-connection.ts';

/** As on Linux: clients that are served at once, and that wait. (The driver takes nobody where the second is 0.) */
const [MAXIMUM_CLIENTS, BACKLOG] = [64, 128];

const WSAEWOULDBLOCK = 10035;
const WSAEAFNOSUPPORT = 10047;

export interface VsockTransportOptions {
  readonly log: Log;
  /** CIDs that may talk; the host's where absent. */
  readonly allowed?: readonly number[];
}

/** Listens on vsock, over the Winsock provider of virtio-win's viosock driver. */
export class VsockTransport implements Transport {
  readonly description: string;
  /** A listening socket is never lost. */
  readonly lost = new Promise<Error>(() => {});
  readonly #address: VsockAddress;
  readonly #log: Log;
  readonly #peers: VsockPeers;
  readonly #clients = new Set<SocketConnection>();
  /** A wait of the system's keeps no process alive, and an open channel should. It fires every 24 days. */
  #alive: NodeJS.Timeout | undefined;
  #listener: EventSocket | undefined;

  constructor(address: VsockAddress, { log, allowed = [HOST_CID] }: VsockTransportOptions) {
    this.#address = address;
    this.#log = log;
    this.#peers = vsockPeers(allowed);
    this.description = `vsock-listen ${address.cid}:${address.port}`;
  }

  async open(connected: (connection: Connection) => void): Promise<void> {
    this.#listener = listening(await vsockFamily(), this.#address);
    this.#alive = setInterval(() => {}, 0x7fff_ffff);
    void this.#acceptOn(this.#listener, connected);
  }

  async close(): Promise<void> {
    clearInterval(this.#alive);
    this.#listener?.close();
    this.#listener = undefined;
    for (const client of this.#clients) client.destroy();
  }

  async #acceptOn(listener: EventSocket, connected: (connection: Connection) => void): Promise<void> {
    try {
      while (this.#listener === listener) {
        if ((await listener.next()) === 0) return;
        this.#acceptAll(listener, connected);
      }
    } catch (error) {
      this.#log.error(`${this.description}: nobody can connect any more: ${messageOf(error)}`);
    }
  }

  #acceptAll(listener: EventSocket, connected: (connection: Connection) => void): void {
    for (;;) {
      const address = Buffer.alloc(roomForAddress);
      const length: Out<number> = [address.length];
      const socket = ws2_32.accept(listener.socket, address, length);
      if (socket === INVALID_SOCKET) {
        const code = lastError();
        if (code !== WSAEWOULDBLOCK) this.#log.warning(`${this.description}: a client cannot be accepted: ${windowsErrorOf(code, { syscall: 'accept' }).message}`);
        return;
      }
      const { cid, port } = peerOf(address);
      const refusal = this.#clients.size >= MAXIMUM_CLIENTS ? `${MAXIMUM_CLIENTS} clients are connected, which is the limit` : this.#peers.refuses(cid);
      if (refusal === undefined) this.#serve(socket, [cid, port], connected);
      else {
        ws2_32.closesocket(socket);
        this.#log.warning(`${this.description}: ${this.#peers.name(cid, port)} is refused: ${refusal}`);
      }
    }
  }

  #serve(socket: bigint, who: readonly [cid: number, port: number], connected: (connection: Connection) => void): void {
    const name = this.#peers.name(...who);
    try {
      const client: SocketConnection = new SocketConnection(socket, this.#peers.peer(...who), () => {
        this.#clients.delete(client);
        this.#log.debug(() => `${this.description}: ${name} has gone`);
      });
      this.#clients.add(client);
      this.#log.debug(() => `${this.description}: ${name} is here`);
      connected(client);
    } catch (error) {
      this.#log.warning(`${this.description}: ${name} cannot be served: ${messageOf(error)}`);
    }
  }
}

/** @throws failed error in the words of the sockets of Linux */
function listening(family: number, address: VsockAddress): EventSocket {
  const socket = created(family);
  const bytes = vsockAddress(family, address);
  const refuse = (what: string): never => {
    const failure = lastWindowsError(what);
    ws2_32.closesocket(socket);
    throw withContext(`Failed to ${what} socket`, failure);
  };
  if (ws2_32.bind(socket, bytes, bytes.length) !== 0) refuse('bind');
  if (ws2_32.listen(socket, BACKLOG) !== 0) refuse('listen on');
  return new EventSocket(socket, events.accept);
}

function created(family: number): bigint {
  try {
    return streamSocket(family);
  } catch (error) {
    const failure = withContext('Failed to create socket', error);
    if (AgentError.is(error) && error.os?.errno === WSAEAFNOSUPPORT) {
      throw AgentError.failed(`${failure.message} (the viosock driver is there, and its Winsock provider is not: start the service VirtioSocketWSP)`, failure);
    }
    throw failure;
  }
}
