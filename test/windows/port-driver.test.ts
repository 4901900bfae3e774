// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { actions } from '../../adapters/windows/bindings/device-notification.ts';
import { OverlappedDevice } from '../../adapters/windows/channels/overlapped-device.ts';
import { kernel32 } from '../../adapters/windows/bindings/kernel32.ts';
import { dll, prototype, replaceDlls } from '../../adapters/windows/dll.ts';
import { guidBytes } from '../../adapters/windows/guid.ts';
import { channelSuite, openTransport, type OpenPort, type PortWithHost } from './channel-suite.ts';
import { built, CallLog } from './doubles.ts';
import { after, afterEach, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

// The driver of the port, with its rules: native/port-driver.cpp.
const doubles = built('doubles.dll');
const doubled = ['CreateFileW', 'ReadFile', 'WriteFile', 'CancelIoEx', 'GetOverlappedResult', 'CloseHandle', 'DeviceIoControl'].map((name) => `kernel32.dll!${name}`);
replaceDlls(Object.fromEntries([...doubled, 'cfgmgr32.dll!CM_Register_Notification', 'cfgmgr32.dll!CM_Unregister_Notification',
  'powrprof.dll!PowerRegisterSuspendResumeNotification', 'doubles.dll'].map((name) => [name, doubles])));
const calls = new CallLog();

const driver = dll('doubles.dll', {
  Notify: prototype<(action: number, guid: Buffer) => number>('uint32_t __stdcall Notify(int action, void *guid)'),
  Resume: prototype<() => number>('uint32_t __stdcall Resume()'),
  PortHostComes: prototype<() => void>('void __stdcall PortHostComes()'),
  PortHostGoes: prototype<() => void>('void __stdcall PortHostGoes()'),
  PortHostTakes: prototype<(takes: number) => void>('void __stdcall PortHostTakes(int takes)'),
  PortHostSends: prototype<(text: string) => void>('void __stdcall PortHostSends(str text)'),
  PortTaken: prototype<(into: Buffer, size: number) => number>('uint32_t __stdcall PortTaken(_Out_ void *into, uint32_t size)'),
  PortSleeps: prototype<(hostAfterwards: number) => void>('void __stdcall PortSleeps(int hostAfterwards)'),
  PortHandles: prototype<() => number>('uint32_t __stdcall PortHandles()'),
});

const path = '\\\\.\\Global\\concierge.test.port';
const changeStatus = guidBytes('{2C0F39AC-B156-4237-9C64-8991A18BF35C}');

/** The driver's word, on a thread of the system's. */
const tell = (): Promise<unknown> => driver.Notify.async(actions.customEvent, changeStatus);
const turn = (ms = 5): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

const room = Buffer.alloc(2 ** 16);
const taken = (): Buffer => Buffer.from(room.subarray(0, driver.PortTaken(room, room.length)));

async function receive(length: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let got = 0; got < length;) {
    const piece = taken();
    pieces.push(piece);
    got += piece.length;
    if (piece.length === 0) await turn();
  }
  return Buffer.concat(pieces);
}

/** A driver as after a start, with a host or without. */
function fresh(host: boolean): void {
  driver.PortHostTakes(1);
  driver.PortSleeps(host ? 1 : 0);
  while (taken().length > 0);
}

const withHost = (): Promise<PortWithHost> => {
  fresh(true);
  return Promise.resolve({
    path,
    ready: Promise.resolve(),
    send: (bytes: Buffer) => driver.PortHostSends(bytes.toString('latin1')),
    receive,
    close: () => Promise.resolve(),
  });
};

channelSuite("the channel of Windows over the port's driver", withHost);

const reads = (): number => calls.lines().filter((line) => line === 'ReadFile').length;

describe("the rules of the port's driver", () => {
  let port: OpenPort | undefined;
  const open = async (host: boolean): Promise<OpenPort> => {
    fresh(host);
    port = await openTransport(path);
    return port;
  };

  /** A ping that arrives and is answered. */
  const answers = async ({ connection, heard }: OpenPort): Promise<string> => {
    const before = heard.bytes.length;
    driver.PortHostSends('ping\n');
    await heard.until(() => heard.bytes.length >= before + 5);
    connection.write('pong\n');
    return (await receive(5)).toString();
  };

  afterEach(async () => {
    await port?.transport.close();
    port = undefined;
    calls.clear();
  });

  it('an answer that comes after its host has gone is dropped: the channel stays, and the next host gets nothing of it', async () => {
    const { connection, heard } = await open(true);
    driver.PortHostSends('{"execute":"guest-ping"}\n');
    await heard.until(() => heard.bytes.length > 0);
    const handles = driver.PortHandles();

    driver.PortHostGoes();
    await tell();
    connection.write('{"return": {}}\n');
    await turn(50);
    driver.PortHostComes();
    await tell();

    assert.equal(await answers(port ?? assert.fail()), 'pong\n');
    assert.ok(heard.events.includes('hostChanged'));
    assert.ok(!heard.events.includes('closed'), heard.events.join());
    assert.equal(driver.PortHandles(), handles);
  });

  it('a host that does not read is waited for: nothing is lost, and the channel stays', async () => {
    const { connection, heard } = await open(true);
    const sent = Array.from({ length: 40 }, (_, at) => `answer ${at}\n`);

    driver.PortHostTakes(0);
    for (const line of sent) connection.write(line);
    await turn(200);
    driver.PortHostTakes(1);
    const bytes = await receive(Buffer.byteLength(sent.join('')));

    assert.equal(bytes.toString(), sent.join(''));
    assert.deepEqual(heard.events, []);
  });

  it('a host that goes while a read waits is told of, and what waited for it is dropped', async () => {
    const { connection, heard } = await open(true);
    driver.PortHostTakes(0);
    for (let count = 0; count < 20; count += 1) connection.write('for the first host\n');
    await turn(50);

    driver.PortHostGoes();
    await tell();
    await heard.until(() => heard.events.includes('hostChanged'));
    driver.PortHostTakes(1);
    driver.PortHostComes();
    await tell();
    await turn(50);
    const before = taken().toString();

    // What the driver's queue has is the driver's, and the rest is gone.
    assert.ok(before.length <= 5 * 'for the first host\n'.length, `${before.length}`);
    assert.equal(await answers(port ?? assert.fail()), 'pong\n');
  });

  it('without a host, and without a word of the driver, the agent looks again, and hears one', async () => {
    const { heard } = await open(false);
    await heard.until(() => heard.events.includes('hostChanged'));

    driver.PortHostComes();

    assert.equal(await answers(port ?? assert.fail()), 'pong\n');
  });

  it('after a sleep the agent looks, though the driver has told it of hosts before and lost its word now', async () => {
    const { heard } = await open(false);
    await tell();
    await turn(50);
    const asked = reads();

    driver.PortSleeps(1);
    await turn(100);
    const unasked = reads();
    await driver.Resume.async();

    assert.equal(unasked, asked);
    assert.equal(await answers(port ?? assert.fail()), 'pong\n');
    assert.ok(!heard.events.includes('closed'));
  });

  it('a read that waits over a sleep is made again, and tells no session that its host has gone', async () => {
    const { heard } = await open(true);
    await turn(20);
    const before = reads();

    driver.PortSleeps(1);
    await driver.Resume.async();
    while (reads() === before) await turn();

    assert.equal(await answers(port ?? assert.fail()), 'pong\n');
    assert.deepEqual(heard.events, []);
  });

  it('a write has a limit though the driver cannot cancel it; its memory stays, and the next one comes after it', async () => {
    fresh(true);
    driver.PortHostTakes(0);
    const device = new OverlappedDevice(kernel32.CreateFileW(path, 0xc000_0000, 0, null, 3, 0x4000_0000, null));
    const bytes = (text: string): Uint8Array => Buffer.from(text);

    await assert.rejects(device.write(bytes('first\n'), 10), /ERROR_OPERATION_ABORTED|abort|995/i);
    await assert.rejects(device.write(bytes('second\n'), 10), /ERROR_OPERATION_ABORTED|abort|995/i);
    driver.PortHostTakes(1);
    assert.equal((await receive(6)).toString(), 'first\n');
    await turn(50);
    const count = await device.write(bytes('third\n'), 1_000);
    device.close();

    assert.equal(count, 6);
    assert.equal((await receive(6)).toString(), 'third\n');
  });

  it('a write that the host never takes cannot be cancelled: closing does not wait for it, and who comes next is told why', async () => {
    const { transport, connection } = await open(true);
    driver.PortHostTakes(0);
    connection.write('for nobody\n');
    await turn(20);

    await transport.close();
    port = undefined;

    await assert.rejects(openTransport(path), /or an earlier agent that has not ended because the host takes nothing from it/);
    driver.PortHostTakes(1);
    assert.equal((await receive(11)).toString(), 'for nobody\n');
    port = await openTransport(path);
    assert.equal(await answers(port), 'pong\n');
  });
});
