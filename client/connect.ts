// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { statSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { ClientError, type ClientErrorKind } from './client-error.ts';
import { secondsText } from './seconds-text.ts';

export interface ConnectOptions {
  /** Milliseconds until the channel must be open; default 5 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Bytes taken at a time: about what the kernel keeps for a Unix socket. */
const READ_BYTES = 256 * 1024;

/** Who takes what comes over a socket where it lies, instead of as a stream of copies. */
const directReaders = new WeakMap<Duplex, (bytes: Buffer) => void>();
const directSockets = new WeakSet<Duplex>();

/**
 * From now on hands what comes over a socket of `connectUnix` to `read`, in memory that is used again when that returns; a
 * copy of gibibytes would otherwise leave as many gibibytes to the garbage collector. Other streams stay as they are.
 */
export function readDirectly(stream: Duplex, read: (bytes: Buffer) => void): void {
  if (directSockets.has(stream)) directReaders.set(stream, read);
}

function openSocket(path: string): Socket {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const socket: Socket = connectSocket({
    path,
    onread: {
      buffer,
      callback(length) {
        const bytes = buffer.subarray(0, length);
        const read = directReaders.get(socket);
        if (read === undefined) return socket.push(Buffer.from(bytes));
        read(bytes);
        return true;
      },
    },
  });
  directSockets.add(socket);
  return socket;
}

/** What the error of connect(2) on a Unix socket means. Node's own text names the path a second time. */
function whyNot({ code, message }: NodeJS.ErrnoException, path: string): string {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such socket';
    case 'EACCES':
    case 'EPERM':
      return 'this user is not permitted to';
    case 'ECONNREFUSED':
      return isSocket(path) ? 'nobody listens there' : 'it is no socket';
    case 'EAGAIN':
      return 'nobody takes the connection: others wait for it already';
    case 'EPROTOTYPE':
      return 'it is a socket of another kind';
    case 'EINVAL':
    case 'ENAMETOOLONG':
      return 'the path is too long for a socket';
    default:
      return code ?? message;
  }
}

function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket();
  } catch {
    // A name of the abstract namespace.
    return true;
  }
}

/**
 * Opens a Unix socket: QEMU's chardev of the agent's port, or an agent that listens itself.
 *
 * @throws ClientError `closed`, `timeout`, `aborted`
 */
export function connectUnix(path: string, { timeoutMs = 5_000, signal }: ConnectOptions = {}): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = openSocket(path);
    const give = (error: ClientError): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => give(new ClientError('aborted', `connecting to ${path} was given up`));
    const timer = setTimeout(() => give(new ClientError('timeout', `${path} did not open within ${secondsText(timeoutMs)}`)), timeoutMs);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.removeAllListeners('error');
    };
    if (signal?.aborted === true) return onAbort();
    signal?.addEventListener('abort', onAbort);
    socket.once('error', (error) => give(new ClientError('closed', `cannot connect to ${path}: ${whyNot(error, path)}`, { cause: error })));
    socket.once('connect', () => {
      settle();
      resolve(socket);
    });
    return undefined;
  });
}

/**
 * Opens a vsock port of a guest through the host's Unix socket of Cloud Hypervisor or Firecracker: `CONNECT PORT` is
 * sent, `OK …` comes back, and the stream is the guest's from then on.
 *
 * @throws ClientError `closed`, `timeout`, `aborted`
 */
export async function connectHybridVsock(path: string, port: number, options: ConnectOptions = {}): Promise<Duplex> {
  const socket = await connectUnix(path, options);
  const limit = AbortSignal.timeout(options.timeoutMs ?? 5_000);
  socket.write(`CONNECT ${port}\n`);
  return await new Promise<Duplex>((resolve, reject) => {
    let answer = Buffer.alloc(0);
    const refuse = (why: string, kind: ClientErrorKind = 'closed'): void => {
      stop();
      socket.destroy();
      reject(new ClientError(kind, `vsock port ${port} behind ${path}: ${why}`));
    };
    const onData = (chunk: Buffer): void => {
      answer = Buffer.concat([answer, chunk]);
      const end = answer.indexOf(0x0a);
      if (end === -1) {
        if (answer.length > 64) refuse('no such greeting is known');
        return;
      }
      const line = answer.toString('latin1', 0, end);
      if (!line.startsWith('OK')) return refuse(line);
      stop();
      const rest = answer.subarray(end + 1);
      if (rest.length > 0) socket.unshift(rest);
      resolve(socket);
    };
    const onEnd = (): void => refuse('nobody listens there');
    const onError = (error: Error): void => refuse(error.message);
    const onAbort = (): void => refuse('connecting was given up', 'aborted');
    const onLimit = (): void => refuse('no answer in time', 'timeout');
    const stop = (): void => {
      socket.off('data', onData);
      socket.off('close', onEnd);
      socket.off('error', onError);
      socket.pause();
      limit.removeEventListener('abort', onLimit);
      options.signal?.removeEventListener('abort', onAbort);
    };
    socket.on('data', onData);
    socket.once('close', onEnd);
    socket.once('error', onError);
    options.signal?.addEventListener('abort', onAbort);
    limit.addEventListener('abort', onLimit);
    // Between the opening and here nobody heard of it.
    if (options.signal?.aborted === true) onAbort();
  });
}
