// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { advapi32, HKEY_LOCAL_MACHINE } from '../../adapters/windows/bindings/advapi32.ts';
import { byHand } from '../../adapters/windows/diagnosis/checklist.ts';
import { windowsDiagnosis } from '../../adapters/windows/diagnosis/diagnosis.ts';
import { eventSourceFindings, keyFileFindings, rightsFindings } from '../../adapters/windows/diagnosis/security-findings.ts';
import { agentServiceFindings, commandServiceFindings, rivalFindings, vssServiceFindings } from '../../adapters/windows/diagnosis/service-findings.ts';
import { sleepFindings } from '../../adapters/windows/diagnosis/sleep-findings.ts';
import { providerFindings, writerFindings } from '../../adapters/windows/diagnosis/vss-findings.ts';
import { installService, uninstallService, windowsBackend } from '../../adapters/windows/module.ts';
import { deleteRegistryKey, writeRegistryKey } from '../../adapters/windows/registry.ts';
import { defaultLimits } from '../../adapters/windows/vss/limits.ts';
import { hangingCall } from '../../adapters/windows/vss/steps.ts';
import type { Finding } from '../../core/ports/index.ts';
import { messageOf } from '../../core/errors/agent-error.ts';
import { agentProgram } from './agent-program.ts';
import { built, doubledDlls, setVariable } from './doubles.ts';
import { after, afterEach, describe, it } from './runner.ts';
import { vssDlls, vssScene } from './vss-double.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

// Wine does not tell what is set up for a failure.
const { diagnosis } = windowsBackend({ dlls: { ...doubledDlls, ...vssDlls, 'advapi32.dll!QueryServiceConfig2W': built('doubles.dll') } });

const told = (findings: readonly Finding[]): readonly string[] => findings.map(({ verdict, detail }) => `${verdict}: ${detail}`);

const start = { automatic: 2, manual: 3, disabled: 4 } as const;
const allAccess = 0xf01ff;
const made = new Map<string, bigint>();

/** Makes a service as a person would, by hand. */
function makeService(name: string, starts: keyof typeof start = 'manual', command = 'C:\\none.exe', account: string | null = null): void {
  const manager = advapi32.OpenSCManagerW(null, null, 2);
  const service = advapi32.CreateServiceW(manager, name, name, allAccess, 0x10, start[starts], 1, command, null, null, null, account, null);
  assert.notEqual(service, 0n, `${name} was not made`);
  made.set(name, service);
  advapi32.CloseServiceHandle(manager);
}

function removeService(name: string): void {
  const service = made.get(name) ?? 0n;
  made.delete(name);
  advapi32.DeleteService(service);
  advapi32.CloseServiceHandle(service);
}

const removeServices = (): void => [...made.keys()].forEach(removeService);

describe('the diagnosis of this Wine', () => {
  it('looks at everything and never fails, whatever is missing', async () => {
    vssScene();

    const findings = await diagnosis?.examine() ?? [];

    const about = (subject: string): readonly string[] => told(findings.filter((finding) => finding.subject === subject));
    assert.deepEqual(about('rights'), ['good: this process has the rights of an administrator']);
    assert.deepEqual(about('service'), ['warning: concierge-ga is not installed: the agent runs for as long as somebody runs it']);
    assert.deepEqual(about('service QEMU-GA'), ['good: is not installed: nobody else takes the port']);
    assert.match(about('virtio port')[0] ?? '', /^warning: the VirtIO serial driver is not installed/);
    assert.deepEqual(about('VSS provider'), ['bad: is not registered with VSS: no freeze can be made']);
    assert.deepEqual(about('VSS writers'), ['good: 3, and none has failed']);
    assert.deepEqual(findings.slice(-byHand.length), byHand);
    for (const { subject, detail, verdict, remedy } of findings) {
      assert.ok(subject !== '' && detail !== '' && !detail.endsWith('.'), `${subject}: ${detail}`);
      assert.ok(verdict !== 'bad' || remedy !== undefined, `${subject}: ${detail} has no remedy`);
    }
  });

  it('a look that does not come back, or throws, is a finding of its own', async () => {
    const findings = await windowsDiagnosis([
      { subject: 'slow', look: () => new Promise(() => {}) },
      { subject: 'broken', look: () => { throw new Error('no such thing'); } },
      { subject: 'well', look: () => [{ subject: 'well', verdict: 'good', detail: 'is there' }] },
    ], 20).examine();

    assert.deepEqual(findings.slice(0, 3), [
      { subject: 'slow', verdict: 'warning', detail: 'no answer within 0.02 s' },
      { subject: 'broken', verdict: 'warning', detail: 'no such thing' },
      { subject: 'well', verdict: 'good', detail: 'is there' },
    ]);
  });

  it('doctor of the shipped agent prints it, and ends with 1 because freezing will fail', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [agentProgram, 'doctor', '--json', `--statedir=${mkdtempSync(join(tmpdir(), 'concierge-'))}`], { encoding: 'utf8' });

    const findings = JSON.parse(stdout) as readonly Finding[];
    assert.equal(status, 1, stderr);
    assert.deepEqual(findings.filter(({ verdict }) => verdict === 'by-hand'), byHand);
    assert.match(findings.find(({ subject }) => subject === 'commands')?.detail ?? '', /^39 of 46; this machine has nothing for guest-suspend-hybrid, /);
    assert.ok(findings.some(({ subject, verdict }) => subject === 'VSS writers' && verdict !== 'good'), 'Wine has no writers');
  });
});

describe('services as the diagnosis sees them', () => {
  afterEach(() => {
    setVariable('CONCIERGE_DOUBLES_FAIL', '');
    removeServices();
  });

  it('the service as it is installed has nothing but that it does not run', async () => {
    installService(['C:\\Program Files\\Concierge\\concierge-ga.exe', '-d']);
    setVariable('CONCIERGE_DOUBLES_FAIL', 'Actions=3');

    const findings = await agentServiceFindings();
    await uninstallService();

    assert.deepEqual(told(findings), ['warning: it does not run']);
  });

  it('one that somebody made by hand has no quotes, no recovery, and starts when somebody starts it', async () => {
    makeService('concierge-ga', 'manual', 'C:\\Program Files\\Concierge\\concierge-ga.exe -d');

    const findings = await agentServiceFindings();

    assert.deepEqual(told(findings), [
      'bad: its path has a blank and no quotes, so that Windows would start another program: C:\\Program Files\\Concierge\\concierge-ga.exe -d',
      'warning: its start is manual: after a boot there is no agent',
      'warning: it does not run',
      'warning: nothing starts it again when it fails',
    ]);
  });

  for (const [starts, expected] of [
    ['automatic', 'warning: does not run, but its start is automatic: it may come first at the next boot'],
    ['manual', 'warning: does not run, but its start is manual: it may come first at the next boot'],
    ['disabled', 'good: is disabled: it leaves the port alone'],
  ] as const) {
    it(`qemu-ga that is installed with start ${starts} is told of`, async () => {
      makeService('qemu-ga', starts);

      assert.deepEqual(told(await rivalFindings()), [expected]);
    });
  }

  it('services of VSS have to be there, and not disabled', async () => {
    for (const name of ['VSS', 'COMSysApp', 'EventSystem', 'swprv']) makeService(name);
    const well = await vssServiceFindings();
    removeService('COMSysApp');
    makeService('COMSysApp', 'disabled');
    const disabled = await vssServiceFindings();
    removeService('swprv');
    const missing = await vssServiceFindings();

    assert.deepEqual(told(well), ['good: VSS, COMSysApp, EventSystem, swprv: can be started']);
    assert.deepEqual(disabled, [{ subject: 'services of VSS', verdict: 'bad', detail: 'the service COMSysApp is disabled, and freezing needs it', remedy: 'sc config COMSysApp start= demand' }]);
    assert.deepEqual(told(missing), ['bad: the service COMSysApp is disabled, and freezing needs it', 'bad: there is no service swprv, which freezing needs']);
  });

  it('services of single commands are no more than a warning', async () => {
    makeService('W32Time');

    assert.deepEqual(told(await commandServiceFindings()), ['good: W32Time: can be started', 'warning: there is no service defragsvc, which trimming needs']);
  });
});

describe('VSS as the diagnosis sees it', () => {
  const providers = 'SYSTEM\\CurrentControlSet\\Services\\VSS\\Providers\\{22FA54FC-970E-48DD-9AA4-89D989A396EA}';
  const classKey = 'SOFTWARE\\Classes\\CLSID\\{63AD1F54-1700-4F3B-B9E3-2C47A3BF43BC}';
  const options = 'SYSTEM\\CurrentControlSet\\Services\\Concierge VSS Provider';

  afterEach(() => {
    removeServices();
    for (const key of [providers, classKey, options]) deleteRegistryKey(HKEY_LOCAL_MACHINE, key);
  });

  it('a provider is there when VSS, its class, its file and COM+ know it; each that is missing is named', async () => {
    const seen: string[] = [];
    const look = async (): Promise<void> => void seen.push(...told(await providerFindings()));

    await look();
    writeRegistryKey(HKEY_LOCAL_MACHINE, providers, { '': 'Concierge VSS Provider' });
    await look();
    writeRegistryKey(HKEY_LOCAL_MACHINE, `${classKey}\\InprocServer32`, { '': 'C:\\gone\\concierge-vss.dll' });
    await look();
    writeRegistryKey(HKEY_LOCAL_MACHINE, `${classKey}\\InprocServer32`, { '': built('concierge-vss.dll') });
    await look();
    makeService('Concierge VSS Provider');
    await look();
    writeRegistryKey(HKEY_LOCAL_MACHINE, options, { VssOption: 1 });
    await look();
    removeService('Concierge VSS Provider');
    makeService('Concierge VSS Provider', 'disabled');
    await look();
    removeService('Concierge VSS Provider');
    makeService('Concierge VSS Provider', 'manual', 'C:\\none.exe', 'NT AUTHORITY\\LocalService');
    await look();

    assert.deepEqual(seen, [
      'bad: is not registered with VSS: no freeze can be made',
      'bad: has no class: VSS could not load it',
      'bad: its file is missing: C:\\gone\\concierge-vss.dll',
      'bad: there is no COM+ application Concierge VSS Provider for it to run in',
      'good: is registered with VSS and COM+; writers are told of a backup of type copy',
      'good: is registered with VSS and COM+; writers are told of a backup of type full',
      'bad: the service of its COM+ application, Concierge VSS Provider, is disabled',
      'bad: its COM+ application, Concierge VSS Provider, runs as NT AUTHORITY\\LocalService, which cannot hold volumes',
    ]);
  });

  it('writers are asked without a freeze, and nothing of them is kept', async () => {
    const calls = vssScene();

    const findings = await writerFindings();

    assert.deepEqual(told(findings), ['good: 3, and none has failed']);
    assert.deepEqual(calls.lines().filter((line) => !line.startsWith('objects')),
      ['Create', 'InitializeForBackup', 'SetBackupState components=1 system=1 type=5 partial=0', 'SetContext 0x00000000', 'GatherWriterMetadata', 'FreeWriterMetadata', 'GatherWriterStatus', 'FreeWriterStatus']);
  });

  it('a writer that has failed is named with its code', async () => {
    vssScene({ fail: 'Writer=0x800423f4' });

    assert.deepEqual(told(await writerFindings()), ['warning: writer SqlServerWriter failed: VSS_E_WRITERERROR_NONRETRYABLE (VSS_WS_FAILED_AT_PREPARE_SNAPSHOT)']);
  });

  it('writers that do not answer are given up in time', async () => {
    vssScene({ slow: 'GatherWriterMetadata=400' });

    const message = await writerFindings({ ...defaultLimits, gatherMs: 50, cancelMs: 50 }).then(() => 'it succeeded', messageOf);

    // A process does not end well while a call of it is still out.
    while (hangingCall() !== undefined) await new Promise((resolve) => setImmediate(resolve));
    assert.match(message, /^failed to gather writer metadata: (?:not done within|VSS did not answer within) 0\.05 s/);
  });
});

describe('rights, events, keys and sleep as the diagnosis sees them', () => {
  const source = 'SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\concierge-ga';

  afterEach(() => {
    deleteRegistryKey(HKEY_LOCAL_MACHINE, source);
    setVariable('CONCIERGE_DOUBLES_FAIL', '');
  });

  it('an administrator is told as one', () => {
    assert.deepEqual(told(rightsFindings()), ['good: this process has the rights of an administrator']);
  });

  it('a source of events is there with its file', () => {
    const without = eventSourceFindings();
    writeRegistryKey(HKEY_LOCAL_MACHINE, source, { EventMessageFile: 'C:\\gone.exe' });
    const gone = eventSourceFindings();
    writeRegistryKey(HKEY_LOCAL_MACHINE, source, { EventMessageFile: '%SystemRoot%\\System32\\cmd.exe' });
    const there = eventSourceFindings();

    assert.deepEqual([without, gone, there].map((findings) => told(findings)[0]), [
      'warning: the source concierge-ga is not registered: entries have no description',
      'warning: the file of the source concierge-ga is missing: C:\\gone.exe',
      'good: entries have the source concierge-ga',
    ]);
  });

  it('a file of keys that its owner may write to is told of with how to mend it', () => {
    const programData = mkdtempSync(join(tmpdir(), 'concierge-data-'));
    process.env['ProgramData'] = programData;
    const without = keyFileFindings();
    mkdirSync(join(programData, 'ssh'));
    const file = join(programData, 'ssh', 'administrators_authorized_keys');
    writeFileSync(file, 'ssh-rsa AAAA\n');

    const [finding] = keyFileFindings();

    assert.deepEqual(told(without), ['good: administrators have no file of keys']);
    assert.equal(finding?.verdict, 'bad');
    assert.match(finding.detail, /administrators_authorized_keys may be written by S-1-5-21-[0-9-]+.*: sshd passes over it$/);
    assert.equal(finding.remedy, `icacls "${file}" /inheritance:r /grant *S-1-5-18:F /grant *S-1-5-32-544:F`);
  });

  it('ways to sleep are told, and what is switched off', () => {
    const both = sleepFindings();
    setVariable('CONCIERGE_DOUBLES_FAIL', 'HiberFile=1');
    const off = sleepFindings();
    setVariable('CONCIERGE_DOUBLES_FAIL', 'S3=1,S4=1');
    const none = sleepFindings();
    setVariable('CONCIERGE_DOUBLES_FAIL', 'GetPwrCapabilities=5');
    const unknown = sleepFindings();

    assert.deepEqual([both, off, none, unknown].map((findings) => told(findings)[0]), [
      'good: the machine knows ram and disk',
      'good: the machine knows ram; disk is switched off (powercfg /hibernate on)',
      'good: the machine has no way to sleep',
      'warning: the system does not tell what it can',
    ]);
  });
});
