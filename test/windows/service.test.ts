// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { replaceDlls } from '../../adapters/windows/dll.ts';
import { quoted } from '../../adapters/windows/command-line.ts';
import { windowsTrials } from '../../adapters/windows/diagnosis/self-test.ts';
import { registryText } from '../../adapters/windows/registry.ts';
import { EventLog, installService, startService, stopService, uninstallService } from '../../adapters/windows/module.ts';
import type { TrialOutcome } from '../../core/ports/index.ts';
import { built, CallLog, setVariable } from './doubles.ts';
import { after, afterEach, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const main = fileURLToPath(new URL('../../adapters/cli/main.ts', import.meta.url));
const statedir = mkdtempSync(join(tmpdir(), 'concierge service '));
const key = 'SYSTEM\\CurrentControlSet\\Services\\concierge-ga';

// The service manager's are the real ones as long as they are not told to fail.
const doubled = ['OpenSCManagerW', 'OpenServiceW', 'RegisterEventSourceW', 'ReportEventW'];
replaceDlls(Object.fromEntries(doubled.map((name) => [`advapi32.dll!${name}`, built('doubles.dll')])));

const messageOf = async (work: () => Promise<unknown>): Promise<string> => {
  try {
    await work();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'it succeeded';
};

/** The trial of the self-test that asks the manager what the service accepts. */
const tellsOfShutdown = async (): Promise<TrialOutcome | undefined> =>
  windowsTrials(() => assert.fail('nothing is frozen here')).find(({ subject }) => subject === 'told of a shutdown before other services')?.run();

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
    const told = await tellsOfShutdown();
    await stopService();
    const stopped = await tellsOfShutdown();
    await uninstallService();
    const removed = await tellsOfShutdown();
    server.close();

    assert.ok(image.startsWith(`"${process.execPath}" "`) && image.includes(`"--statedir=${statedir}"`), image);
    assert.match(source, /EventCreate\.exe$/);
    assert.equal(answer.toString(), '{"return": {}}\n');
    // Wine's manager waits as Windows did up to 10 1607.
    assert.deepEqual(told, { result: 'passed', detail: 'accepted controls 0x105, PRESHUTDOWN among them; waited for up to 180 s' });
    assert.deepEqual(stopped, { result: 'not here', detail: 'the service concierge-ga does not run, and one that does not is told of nothing' });
    assert.deepEqual(removed, { result: 'not here', detail: 'this system has no service concierge-ga' });
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

  it('what needs an administrator says so, whoever refuses', async () => {
    setVariable('CONCIERGE_DOUBLES_FAIL', 'OpenService=5');
    const service = await messageOf(stopService);
    setVariable('CONCIERGE_DOUBLES_FAIL', 'OpenSCManager=5');
    const manager = await messageOf(async () => installService(['C:\\first.exe']));
    setVariable('CONCIERGE_DOUBLES_FAIL', undefined);

    assert.match(service, /^No handle to service: .+ \(run this as an administrator, elevated\)$/);
    assert.match(manager, /^No handle to service control manager: .+ \(run this as an administrator, elevated\)$/);
    assert.equal(registryText(key, 'ImagePath'), undefined);
  });
});

describe('the event log', () => {
  it('has an entry for each line, one after the other, and for how many were dropped', async () => {
    const calls = new CallLog();
    const log = new EventLog();

    log.report('error', 'it went wrong: J\u00f6rg');
    log.report('warning', 'it may go wrong');
    for (let count = 0; count < 100; count += 1) log.report('info', `guest-ping called ${count}`);
    await log.settled();

    const lines = calls.lines();
    assert.deepEqual(lines.slice(0, 4), [
      'RegisterEventSource concierge-ga',
      'ReportEvent type=1 category=0 id=1 texts=1 it went wrong: J\u00f6rg',
      'ReportEvent type=2 category=0 id=1 texts=1 it may go wrong',
      'ReportEvent type=4 category=0 id=1 texts=1 guest-ping called 0',
    ]);
    assert.match(lines.at(-1) ?? '', /^ReportEvent type=2 .* 3\d entries were dropped here/);
  });
});

describe('what a service tells', () => {
  const calls = new CallLog('CONCIERGE_SERVICE_LOG');
  const entry = fileURLToPath(new URL('service-entry.ts', import.meta.url));
  const install = (...options: string[]): void => installService([
    process.execPath, '--disable-warning=ExperimentalWarning', entry, process.env['CONCIERGE_TEST_BUILD'] ?? '', calls.path, '-d', `--statedir=${statedir}`, ...options,
  ]);
  const events = (): readonly string[] => calls.lines().filter((line) => line.startsWith('ReportEvent'));

  afterEach(async () => {
    await uninstallService();
    calls.clear();
  });

  it('a configuration that is wrong is in the event log, and the service ends with a status of its own', async () => {
    const file = join(statedir, 'wrong.conf');
    writeFileSync(file, '[general]\nlog level=3\n[[\n');
    install(`--config=${file}`);

    const message = await messageOf(startService);

    assert.equal(message, 'the service concierge-ga did not start (it ended with status 1): the event log of applications says why');
    assert.equal(events().length, 1);
    assert.match(events()[0] ?? '', /^ReportEvent type=1 category=0 id=1 texts=1 .*wrong\.conf/);
  });

  it('so is a port that is missing, without --retry-path', async () => {
    install('--method=virtio-serial', '--path=\\\\.\\pipe\\no-such-pipe');

    const message = await messageOf(startService);

    assert.match(message, /did not start \(it ended with status 1\)/);
    assert.equal(events().length, 1);
    assert.match(events()[0] ?? '', /^ReportEvent type=1 .*error opening channel '\\\\\.\\pipe\\no-such-pipe': .*--retry-path to wait for it/);
  });

  it('with it the service runs and warns; commands are accounted for; and being stopped while frozen, it thaws first', async () => {
    const path = `\\\\.\\pipe\\concierge-frozen-${process.pid}`;
    install('--method=virtio-serial', `--path=${path}`, '--retry-path');
    await startService();
    const server = createServer();
    server.listen(path);
    await once(server, 'listening');
    const [socket] = (await once(server, 'connection')) as [Socket];
    socket.on('error', () => {});
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    socket.write('{"execute":"guest-fsfreeze-freeze"}\n{"execute":"guest-fsfreeze-status"}\n');
    const answers = [(await lines.next()).value, (await lines.next()).value];
    const before = calls.lines();

    await stopService();
    server.close();

    assert.deepEqual(answers, ['{"return": 2}', '{"return": "frozen"}']);
    assert.ok(!before.some((line) => line.startsWith('CommitSnapshots')));
    assert.ok(calls.lines().includes('CommitSnapshots 0x00000000') && calls.lines().includes('BackupComplete'), calls.lines().join('\n'));
    assert.match(events()[0] ?? '', /^ReportEvent type=2 .*trying again until it works/);
    assert.ok(events().some((line) => /^ReportEvent type=4 .*guest-fsfreeze called/.test(line)), events().join('\n'));
  });
});
