// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, it, vi } from 'vitest';
import { events, ws2_32 } from '../../../adapters/windows/bindings/ws2_32.ts';
import { SocketConnection } from '../../../adapters/windows/channels/vsock/socket-connection.ts';

/** A socket of a provider that tells of a reset by FD_CLOSE alone, which Wine's does not. */
const winsock = vi.hoisted(() => {
  const state = { room: 0, reset: false, tell: (_events: number) => {} };
  class EventSocket {
    readonly socket = 1n;
    next(): Promise<number> {
      return new Promise((resolve) => {
        state.tell = resolve;
      });
    }

    close(): void {
      state.tell(0);
    }
  }
  const unlessBlocked = (result: number): number | undefined => {
    if (result === -1 && state.reset) throw new Error('WSAECONNRESET');
    return result === -1 ? undefined : result;
  };
  return { state, EventSocket, unlessBlocked };
});
vi.mock('../../../adapters/windows/channels/vsock/event-socket.ts', () => winsock);

const originals = Object.getOwnPropertyDescriptors(ws2_32);

function connected() {
  const { state } = winsock;
  state.room = 64 * 1024;
  state.reset = false;
  const sent = (length: number): number => {
    if (state.reset || state.room === 0) return -1;
    const taken = Math.min(length, state.room);
    state.room -= taken;
    return taken;
  };
  Object.defineProperty(ws2_32, 'send', { value: (_socket: bigint, _from: Uint8Array, length: number) => sent(length), configurable: true });
  Object.defineProperty(ws2_32, 'recv', { value: () => -1, configurable: true });
  const heard: string[] = [];
  const closed = Promise.withResolvers<void>();
  const drained = Promise.withResolvers<void>();
  const connection = new SocketConnection(1n, { cid: 2, port: 1 }, () => heard.push('released'));
  connection.start({
    data() {},
    drained: () => {
      heard.push('drained');
      drained.resolve();
      connection.resume();
    },
    hostChanged() {},
    closed: () => {
      heard.push('closed');
      closed.resolve();
    },
  });
  return { connection, heard, state, closed: closed.promise, drained: drained.promise };
}

describe('a host on vsock', () => {
  afterEach(() => {
    for (const name of ['send', 'recv'] as const) Object.defineProperty(ws2_32, name, originals[name]);
  });

  it('that resets in the middle of a long answer is let go, though the session does not read', async () => {
    const { connection, heard, state, closed } = connected();

    connection.pause();
    const room = connection.write(Buffer.alloc(3 * 1024 * 1024));
    state.reset = true;
    state.tell(events.close);
    await closed;

    expect(room).toBe(false);
    expect(heard).toEqual(['drained', 'closed', 'released']);
  });

  it('that only ends what it says still gets all of the answer', async () => {
    const { connection, heard, state, drained } = connected();
    const length = 3 * 1024 * 1024;

    connection.pause();
    connection.write(Buffer.alloc(length));
    state.tell(events.close);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    const meanwhile = [...heard];
    state.room = length;
    state.tell(events.write);
    await drained;

    expect(meanwhile).toEqual([]);
    expect(state.room).toBe(64 * 1024);
    connection.destroy();
  });
});
