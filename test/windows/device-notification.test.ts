// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

import { actions } from '../../adapters/windows/bindings/device-notification.ts';
import { dll, prototype, replaceDlls } from '../../adapters/windows/dll.ts';
import { portClasses } from '../../adapters/windows/channels/device-notification.ts';
import { guidBytes } from '../../adapters/windows/guid.ts';
import { windowsChannels } from '../../adapters/windows/module.ts';
import type { Connection, Log, Transport } from '../../kit/index.ts';
import { built, CallLog, setVariable } from './doubles.ts';
import { after, afterEach, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const doubles = built('doubles.dll');
const cfgmgr32 = { 'cfgmgr32.dll!CM_Register_Notification': doubles, 'cfgmgr32.dll!CM_Unregister_Notification': doubles };
replaceDlls({ ...cfgmgr32, 'kernel32.dll!ReadFile': doubles, 'doubles.dll': doubles });
const calls = new CallLog();
const system = dll('doubles.dll', { Notify: prototype<(action: number, guid: Buffer) => number>('uint32_t __stdcall Notify(int action, void *guid)') });

const changeStatus = '{2C0F39AC-B156-4237-9C64-8991A18BF35C}';

/** What the system does: a call from a thread of its own, which waits for the answer. Answers how many heard it. */
const notify = async (action: number, guid: string): Promise<number> => (await system.Notify.async(action, guidBytes(guid))).result;

/** The double writes its lines when the call has come back. */
async function line(text: string): Promise<void> {
  while (!calls.lines().includes(text)) {
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

const log: Log = { error() {}, warning() {}, info() {}, debug() {}, account() {}, hold: () => Promise.resolve(), release() {} };

const appears = (method: 'virtio-serial' | 'isa-serial', path: string, signal: AbortSignal): Promise<boolean> =>
  windowsChannels.appears?.(method, path, signal) ?? assert.fail('no appears');

async function openPort(): Promise<{ readonly transport: Transport; readonly connection: Connection; readonly host: Socket }> {
  const path = `\\\\.\\pipe\\concierge-device-${process.pid}-${Math.random()}`;
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  const connected = once(server, 'connection');
  const transport = await windowsChannels.create('virtio-serial', path, { log });
  const { promise, resolve } = Promise.withResolvers<Connection>();
  await transport.open(resolve);
  const [host] = (await connected) as [Socket];
  host.on('error', () => {});
  server.close();
  return { transport, connection: await promise, host };
}

const port = '\\\\.\\Global\\no.such.port';

describe('devices that come and go', () => {
  afterEach(() => {
    setVariable('CONCIERGE_DOUBLES_FAIL', undefined);
    calls.clear();
  });

  it('a port that is missing is waited for, without looking; what else arrives is not it', async () => {
    const waiting = appears('virtio-serial', port, new AbortController().signal);
    const others = await notify(actions.interfaceArrival, portClasses['isa-serial']);
    const heard = await notify(actions.interfaceArrival, portClasses['virtio-serial']);

    assert.equal(await waiting, true);
    assert.deepEqual([others, heard], [0, 1]);
    await line('CM_Unregister_Notification');
  });

  it('one that has just arrived may get its name later: time is what helps for a while', async () => {
    assert.equal(await appears('virtio-serial', port, new AbortController().signal), false);
  });

  it('one that is there is not waited for', async () => {
    assert.equal(await appears('isa-serial', 'C:', new AbortController().signal), false);
    await line('CM_Unregister_Notification');
  });

  it('an agent that ends waits no longer', async () => {
    const ending = new AbortController();

    const waiting = appears('isa-serial', 'COM77', ending.signal);
    ending.abort();

    assert.equal(await waiting, true);
    await line('CM_Unregister_Notification');
  });

  it('a system that cannot tell leaves it to time', async () => {
    replaceDlls({ 'cfgmgr32.dll!CM_Register_Notification': 'C:\\windows\\system32\\cfgmgr32.dll' });

    const answer = await appears('isa-serial', 'COM77', new AbortController().signal);
    replaceDlls(cfgmgr32);

    assert.equal(answer, false);
  });

  it('a device that is to be removed is let go before the system goes on, and the channel is lost', async () => {
    const { transport, connection, host } = await openPort();
    const events: string[] = [];
    connection.start({ data() {}, drained() {}, hostChanged() {}, closed: () => events.push('closed') });

    const heard = await notify(actions.queryRemove, changeStatus);
    const error = await transport.lost;
    host.destroy();
    const ending = new AbortController();
    const waiting = appears('virtio-serial', port, ending.signal);
    ending.abort();

    assert.equal(heard, 1);
    assert.equal(error.message, 'the device is being removed');
    assert.deepEqual(events, ['closed']);
    assert.equal(await waiting, true);
    await line('handle closed');
    await line('CM_Unregister_Notification');
    assert.ok(!calls.lines().includes('handle open'));
  });

  it('a driver that tells of hosts is not asked whether one has come', async () => {
    setVariable('CONCIERGE_DOUBLES_FAIL', 'ReadFile=1450');
    const { transport, connection, host } = await openPort();
    const reads = (): number => calls.lines().filter((one) => one === 'ReadFile').length;
    const { promise: came, resolve } = Promise.withResolvers<string>();
    connection.start({ data: (chunk) => resolve(Buffer.from(chunk).toString()), drained() {}, hostChanged() {}, closed() {} });

    await notify(actions.customEvent, changeStatus);
    await new Promise((resolved) => {
      setTimeout(resolved, 50);
    });
    const afterWord = reads();
    await new Promise((resolved) => {
      setTimeout(resolved, 1_500);
    });
    const later = reads();
    setVariable('CONCIERGE_DOUBLES_FAIL', undefined);
    host.write('hello');
    await notify(actions.customEvent, changeStatus);
    const heard = await came;
    await transport.close();
    host.destroy();

    assert.equal(later, afterWord, 'nothing was asked in a second and a half');
    assert.equal(heard, 'hello');
  });
});
