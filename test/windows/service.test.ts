import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { quoted } from '../../adapters/windows/service-control.ts';
import { registryText } from '../../adapters/windows/registry.ts';
import { EventLog, installService, startService, stopService, uninstallService } from '../../adapters/windows/module.ts';
import { after, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const main = fileURLToPath(new URL('../../adapters/cli/main.ts', import.meta.url));
const statedir = mkdtempSync(join(tmpdir(), 'concierge service '));
const key = 'SYSTEM\\CurrentControlSet\\Services\\concierge-ga';

describe('the service', () => {
  it('is installed with a quoted command line, more threads, and a source of events; runs, answers and is removed', async () => {
    const path = `\\\\.\\pipe\\concierge-service-${process.pid}`;
    const server = createServer();
    server.listen(path);
    await once(server, 'listening');
    const connected = once(server, 'connection');

    installService([process.execPath, '--disable-warning=ExperimentalWarning', main, '--method=virtio-serial', `--path=${path}`, `--statedir=${statedir}`, '-d', '--retry-path']);
    const image = registryText(key, 'ImagePath') ?? '';
    const source = registryText('SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\concierge-ga', 'EventMessageFile') ?? '';
    await startService();
    const [socket] = (await connected) as [Socket];
    socket.on('error', () => {});
    socket.write('{"execute":"guest-ping"}\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    await stopService();
    await uninstallService();
    server.close();

    assert.ok(image.startsWith(`"${process.execPath}" "`) && image.includes(`"--statedir=${statedir}"`), image);
    assert.match(source, /EventCreate\.exe$/);
    assert.equal(answer.toString(), '{"return": {}}\n');
    assert.equal(registryText(key, 'ImagePath'), undefined);
    assert.equal(registryText('SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\concierge-ga', 'EventMessageFile'), undefined);
  });

  it('a second installation is refused and changes nothing', async () => {
    installService(['C:\\first.exe']);

    assert.throws(() => installService(['C:\\second.exe']), /Failed to install service: ./);
    const image = registryText(key, 'ImagePath');
    await uninstallService();

    assert.equal(image, '"C:\\first.exe"');
  });

  it('what is not installed can be neither started nor removed, and says so', async () => {
    await assert.rejects(startService(), /No handle to service: ./);
    await assert.rejects(uninstallService(), /No handle to service: ./);
  });

  it('-d in a console says what to do instead', () => {
    const { status, stderr } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, '-d', `--statedir=${statedir}`], { encoding: 'utf8' });

    assert.equal(status, 1);
    assert.match(stderr, /the option -d is for the service manager/);
  });

  it('words are quoted by the rules of the C run-time library', () => {
    assert.deepEqual(['a b', 'C:\\dir\\', 'say "hi"', 'back\\"slash'].map(quoted), ['"a b"', '"C:\\dir\\\\"', '"say \\"hi\\""', '"back\\\\\\"slash"']);
  });

  it('entries of the event log never throw, however many there are', () => {
    const log = new EventLog();

    assert.doesNotThrow(() => {
      for (let count = 0; count < 100; count += 1) log.report('info', `guest-ping called ${count}`);
    });
  });
});
