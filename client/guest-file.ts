// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { Base64Text } from '../core/schema/types.ts';
import { unlessAborted } from './call-limit.ts';
import { ClientError } from './client-error.ts';
import { withBytes, type CallOptions, type GuestClient, type Input, type Output } from './guest-client.ts';

/**
 * The bytes of a member that is base64, in the pieces in which they were decoded.
 *
 * @throws ClientError `garbage` for what is not base64; Node would pass over it
 */
export function decodedPieces(text: string | Base64Text | undefined): Uint8Array[] {
  if (text instanceof Base64Text) return text.bytesWith(decoded(text.tail)).filter(({ length }) => length > 0);
  return text === undefined || text === '' ? [] : [decoded(text)];
}

function decoded(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  const padding = text.endsWith('==') ? 2 : Number(text.endsWith('='));
  if (text.length % 4 !== 0 || bytes.length !== (text.length / 4) * 3 - padding) throw new ClientError('garbage', 'the guest sent bytes that are not base64');
  return bytes;
}

/** What one read brought. */
export interface FilePiece {
  readonly bytes: readonly Uint8Array[];
  readonly length: number;
  /** Nothing more will come. */
  readonly isLast: boolean;
  /** Gives the memory back at once, for who does not keep the bytes; otherwise it waits for the garbage collector. */
  readonly release: () => void;
}

/** A file that is open in the guest. To be closed exactly once. */
export class GuestFile {
  readonly #client: GuestClient;
  readonly #handle: bigint;
  readonly #path: string;

  private constructor(client: GuestClient, handle: bigint, path: string) {
    this.#client = client;
    this.#handle = handle;
    this.#path = path;
  }

  /**
   * Given up, it still waits in the background for what the agent says: nobody else knows the handle, which would stay open.
   *
   * @param mode as in fopen(3)
   */
  static async open(client: GuestClient, path: string, mode: NonNullable<Input<'guest-file-open'>['mode']>, { timeoutMs, signal }: CallOptions): Promise<GuestFile> {
    if (signal?.aborted === true) throw new ClientError('aborted', `opening ${path} was given up`, { cause: signal.reason });
    const opening = client.execute('guest-file-open', { path, mode }, timeoutMs === undefined ? {} : { timeoutMs });
    if (signal === undefined) return new GuestFile(client, await opening, path);
    try {
      return new GuestFile(client, await unlessAborted(opening, signal), path);
    } catch (error) {
      if (signal.aborted) void opening.then((handle) => client.execute('guest-file-close', { handle })).catch(() => undefined);
      throw error;
    }
  }

  async read(count: number, call: CallOptions): Promise<FilePiece> {
    const answer = (await this.#ask('guest-file-read', { count }, call)) as Omit<Output<'guest-file-read'>, 'buf-b64'> & { readonly 'buf-b64': string | Base64Text };
    const text = answer['buf-b64'];
    const bytes = decodedPieces(text);
    const length = bytes.reduce((sum, one) => sum + one.length, 0);
    if (BigInt(length) !== answer.count) throw new ClientError('garbage', `the agent says that it read ${answer.count} bytes of ${this.#path}, and sent ${length}`);
    return {
      bytes,
      length,
      isLast: answer.eof,
      release: () => {
        if (text instanceof Base64Text) text.release();
      },
    };
  }

  /** @param next is asked, when the bytes are sent, for what will be written next: it is made ready while the guest writes */
  async write(bytes: Uint8Array, call: CallOptions, next?: () => Promise<Uint8Array>): Promise<void> {
    const { count } = (await this.#ask('guest-file-write', { 'buf-b64': bytes }, call, next)) as Output<'guest-file-write'>;
    if (count !== BigInt(bytes.length)) throw new ClientError('garbage', `the agent says that it wrote ${count} bytes to ${this.#path}, of ${bytes.length}`);
  }

  async close(call: CallOptions): Promise<void> {
    await this.#client.execute('guest-file-close', { handle: this.#handle }, call);
  }

  /** A refusal of the agent does not say which file it is about. */
  async #ask(name: 'guest-file-read' | 'guest-file-write', args: Readonly<Record<string, unknown>>, call: CallOptions, next?: () => Promise<Uint8Array>): Promise<unknown> {
    try {
      return await this.#client[withBytes](name, { handle: this.#handle, ...args }, call, next);
    } catch (error) {
      if (!ClientError.is(error) || error.kind !== 'refused') throw error;
      throw new ClientError('refused', `${this.#path}: ${error.message}`, { ...(error.agentClass === undefined ? {} : { agentClass: error.agentClass }), cause: error });
    }
  }
}
