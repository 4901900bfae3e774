// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AgentError } from '../../../core/errors/agent-error.ts';
import { DeviceConnection, type Device } from '../../../adapters/windows/channels/device-connection.ts';

/** After everything that needs no answer of the device. */
const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/** A port whose reads are answered by the test. */
class FakeDevice implements Device {
  #reads: ((chunk: Uint8Array) => void)[] = [];
  #asked = Promise.withResolvers<void>();

  read(): Promise<Uint8Array> {
    return new Promise((resolve) => {
      this.#reads.push(resolve);
      this.#asked.resolve();
      this.#asked = Promise.withResolvers();
    });
  }

  /** What the next writes throw; afterwards they succeed. */
  readonly refusals: string[] = [];
  state: 'absent' | 'full' | 'ready' | undefined;
  readonly written: string[] = [];

  write(bytes: Uint8Array): Promise<number> {
    const code = this.refusals.shift();
    if (code !== undefined) return Promise.reject(AgentError.os({ code, errno: 554, osText: code }));
    this.written.push(Buffer.from(bytes).toString());
    return Promise.resolve(bytes.length);
  }

  get asked(): number {
    return this.#reads.length;
  }

  cancelRead(): void {
    this.close();
  }

  hostState(): Promise<'absent' | 'full' | 'ready' | undefined> {
    return Promise.resolve(this.state);
  }

  close(): void {
    for (const read of this.#reads.splice(0)) read(new Uint8Array());
  }

  /** Answers the read that waits, or the next one. */
  async answer(text: string): Promise<void> {
    while (this.#reads.length === 0) await this.#asked.promise;
    this.#reads.shift()?.(Buffer.from(text));
  }
}

/** A connection with a session that pauses at every request, as one does while a request is on. */
function connected() {
  const device = new FakeDevice();
  const heard: string[] = [];
  const changed = Promise.withResolvers<void>();
  const connection = new DeviceConnection(device, true, (error) => heard.push(`lost: ${error.message}`));
  connection.start({
    data: (chunk) => {
      heard.push(Buffer.from(chunk).toString());
      connection.pause();
    },
    drained() {},
    hostChanged: () => {
      heard.push('hostChanged');
      changed.resolve();
    },
    closed: () => heard.push('closed'),
  });
  return { device, heard, connection, changed: changed.promise };
}

describe('a serial port of Windows', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('looks once in a minute while nobody is there, for a word of the driver that was lost', async () => {
    vi.useFakeTimers();
    const { device, connection, changed } = connected();
    await device.answer('');
    await changed;
    connection.hostMayHaveChanged();
    await device.answer('');
    await vi.advanceTimersByTimeAsync(59_000);
    const early = device.asked;

    await vi.advanceTimersByTimeAsync(1_000);

    expect([early, device.asked]).toEqual([0, 1]);
    connection.destroy();
  });

  it('keeps an answer for a host that is there and whose queue is full', async () => {
    vi.useFakeTimers();
    const { device, heard, connection } = connected();
    device.refusals.push('ERROR_CANT_WAIT', 'ERROR_CANT_WAIT');
    device.state = 'full';

    connection.write('an answer');
    await vi.advanceTimersByTimeAsync(1_000);

    expect(device.written).toEqual(['an answer']);
    expect(heard).toEqual([]);
    connection.destroy();
  });

  it.each(['absent', undefined] as const)('drops an answer where the driver says of its host: %s', async (state) => {
    vi.useFakeTimers();
    const { device, heard, connection } = connected();
    device.refusals.push('ERROR_CANT_WAIT');
    device.state = state;

    connection.write('an answer');
    await vi.advanceTimersByTimeAsync(1_000);
    connection.write('another');
    await vi.advanceTimersByTimeAsync(1_000);

    expect(device.written).toEqual(['another']);
    expect(heard).toEqual(['hostChanged']);
    connection.destroy();
  });

  it('drops an answer that a host with a full queue has not taken for a minute', async () => {
    vi.useFakeTimers();
    const { device, heard, connection } = connected();
    device.refusals.push(...Array.from({ length: 10_000 }, () => 'ERROR_CANT_WAIT'));
    device.state = 'full';

    connection.write('an answer');
    await vi.advanceTimersByTimeAsync(59_000);
    const early = [...heard];
    await vi.advanceTimersByTimeAsync(2_000);

    expect([early, heard]).toEqual([[], ['hostChanged']]);
    connection.destroy();
  });

  it('reads anew after the machine has slept, and says nothing of it', async () => {
    const { device, heard, connection } = connected();
    await settled();

    connection.machineResumed();
    await settled();
    const asked = device.asked;
    await device.answer('of the same host');
    await settled();

    expect([asked, heard]).toEqual([1, ['of the same host']]);
    connection.destroy();
  });

  it('tells that its host has gone while the session has paused for a request that hangs', async () => {
    const { device, heard, connection, changed } = connected();

    await device.answer('a request that hangs');
    await device.answer('');
    await changed;
    connection.resume();
    connection.hostMayHaveChanged();
    await device.answer('of the next host');
    await device.answer('');
    connection.destroy();

    expect(heard).toEqual(['a request that hangs', 'hostChanged', 'of the next host', 'closed']);
  });

  it('delivers nothing to a session that has paused, and nothing once it is closed', async () => {
    const { device, heard, connection } = connected();

    await device.answer('one');
    await device.answer('two');
    await settled();
    const meanwhile = [...heard];
    connection.destroy();
    await settled();

    expect(meanwhile).toEqual(['one']);
    expect(heard).toEqual(['one', 'closed']);
  });
});
