import { describe, expect, it } from 'vitest';
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

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(bytes.length);
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
