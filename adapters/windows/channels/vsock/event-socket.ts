// SPDX-License-Identifier: Apache-2.0
import { kernel32 } from '../../bindings/kernel32.ts';
import { INVALID_SOCKET, ws2_32, WSADATA, WSANETWORKEVENTS } from '../../bindings/ws2_32.ts';
import { lastError } from '../../dll.ts';
import type { Pointer } from '../../koffi.ts';
import { readFields } from '../../layout.ts';
import { lastWindowsError, windowsErrorOf } from '../../system-error.ts';
import { waitFor, type Wait } from '../../wait.ts';

const WSAEWOULDBLOCK = 10035;
const SOCK_STREAM = 1;
const WSA_FLAG_NO_HANDLE_INHERIT = 0x80;

let started = false;

/** @throws os error */
export function streamSocket(family: number): Pointer {
  if (!started) {
    const code = ws2_32.WSAStartup(0x0202, Buffer.alloc(WSADATA.size));
    if (code !== 0) throw windowsErrorOf(code, { syscall: 'WSAStartup' });
    started = true;
  }
  const socket = ws2_32.WSASocketW(family, SOCK_STREAM, 0, null, 0, WSA_FLAG_NO_HANDLE_INHERIT);
  if (socket === INVALID_SOCKET) throw lastWindowsError('socket');
  return socket;
}

/** A non-blocking socket whose events are waited for by the system's threads. Winsock's own way, which every provider has. */
export class EventSocket {
  readonly socket: Pointer;
  readonly #event: Pointer;
  #wait: Wait | undefined;
  #closed = false;

  /** Takes over the socket. `which`: the events, `events` of the binding. @throws os error; then the socket is closed */
  constructor(socket: Pointer, which: number) {
    this.socket = socket;
    this.#event = kernel32.CreateEventW(null, 1, 0, null);
    if (ws2_32.WSAEventSelect(socket, this.#event, which) === 0) return;
    const failure = lastWindowsError('WSAEventSelect');
    ws2_32.closesocket(socket);
    kernel32.CloseHandle(this.#event);
    throw failure;
  }

  /** Waits for events and answers which; 0 once the socket is closed. @throws os error of the socket */
  async next(): Promise<number> {
    if (this.#closed) return 0;
    this.#wait = waitFor(this.#event);
    const signalled = await this.#wait.signalled;
    this.#wait = undefined;
    if (!signalled || this.#closed) {
      kernel32.CloseHandle(this.#event);
      return 0;
    }
    const told = Buffer.alloc(WSANETWORKEVENTS.size);
    if (ws2_32.WSAEnumNetworkEvents(this.socket, this.#event, told) !== 0) throw lastWindowsError('WSAEnumNetworkEvents');
    return readFields(WSANETWORKEVENTS, told).lNetworkEvents;
  }

  /** Idempotent. A `next` that waits answers 0. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    ws2_32.closesocket(this.socket);
    // Its event belongs to the wait as long as there is one.
    if (this.#wait === undefined) kernel32.CloseHandle(this.#event);
    else this.#wait.cancel();
  }
}

/** The answer of a call of Winsock; `undefined` where it would have to wait. @throws os error */
export function unlessBlocked(result: number, syscall: string): number | undefined {
  if (result >= 0) return result;
  const code = lastError();
  if (code === WSAEWOULDBLOCK) return undefined;
  throw windowsErrorOf(code, { syscall });
}
