// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { installedFiles, installedValues } from '../../../packaging/windows/installed.ts';
import { after, afterEach, before, describe, it } from '../runner.ts';
import { runUnderWine } from './toolchain.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const drive = join(process.env['WINEPREFIX'] ?? '', 'drive_c');
const programs = join(drive, 'Program Files/Concierge');
const log = join(drive, 'concierge-installer.log');
const installerLog = join(drive, 'concierge-msi.log');
const serviceKey = 'HKLM\\System\\CurrentControlSet\\Services\\concierge-ga';
const keys = [serviceKey, ...new Set(installedValues.map(({ key }) => `HKLM\\${key}`)), 'HKLM\\SOFTWARE\\Concierge'];

const windowsPath = (path: string): string => `Z:${path.replaceAll('/', '\\')}`;

/** Exit code of a program under Wine that prints nothing of interest. */
const statusOf = (...args: readonly string[]): number | null =>
  spawnSync('/usr/lib/wine/wine64', args, { stdio: 'ignore', timeout: 150_000 }).status;

/** The low byte of what Windows Installer answers: this system has no more of it. */
const answers: Readonly<Record<number, string>> = { 67: 'ERROR_INSTALL_FAILURE (1603)', 91: 'ERROR_FUNCTION_FAILED (1627)', 66: 'ERROR_INSTALL_USEREXIT (1602)', 82: 'ERROR_INSTALL_ALREADY_RUNNING (1618)' };

/** `done`, or how the installation failed: the code and the first step that did. */
function msiexec(verb: string, msi: string, ...properties: readonly string[]): string {
  rmSync(installerLog, { force: true });
  const status = statusOf('msiexec', verb, windowsPath(msi), '/qn', '/l*v', 'C:\\concierge-msi.log', ...properties);
  if (status === 0) return 'done';
  const said = existsSync(installerLog) ? readFileSync(installerLog, 'latin1') : '';
  // MigrateFeatureStates says so where there is nothing to migrate.
  const steps = [...said.matchAll(/^Action ended [\d:]+: (\w+)\. Return value 0\./gm)].map(([, step]) => step).filter((step) => step !== 'MigrateFeatureStates');
  return `${status === null ? 'no end within its time' : answers[status] ?? `status ${status}`} at ${steps[0] ?? 'no step that it tells'}`;
}

/**
 * What an earlier run that did not come to its end has left. A newer version among it is a reason to refuse an older one: with
 * ERROR_INSTALL_FAILURE at LaunchConditions.
 */
function removeLeftProducts(): void {
  const uninstall = runUnderWine('reg', 'query', 'HKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall', '/s');
  for (const [, code = ''] of uninstall.matchAll(/\\(\{[0-9A-F-]{36}\})\r?\n(?:    .*\r?\n)*?    DisplayName +REG_SZ +Concierge Guest Agent/g)) statusOf('msiexec', '/x', code, '/qn');
}

/** Rows of a table, without its three lines of head. */
const rowsOf = (msi: string, table: string): readonly (readonly string[])[] =>
  // It leaves the streams of a table in the working directory.
  execFileSync('msiinfo', ['export', msi, table], { encoding: 'utf8', cwd: tmpdir() }).split(/\r?\n/).slice(3).filter((line) => line !== '').map((line) => line.split('\t'));

const edit = (msi: string, sql: string): void => void execFileSync('msibuild', [msi, '-q', sql]);

const filesBelow = (folder: string): readonly string[] =>
  (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []).filter((name) => statSync(join(folder, name)).isFile()).toSorted();

/** A package of its own, with another's files. The functions that it calls write down that they were called. */
function variant(msi: string, name: string, { version, identity, service }: { readonly version: string; readonly identity: string; readonly service?: string }): string {
  const copy = join(msi, '..', `${name}.msi`);
  copyFileSync(msi, copy);
  execFileSync('msibuild', [copy, '-s', 'Concierge Guest Agent', 'Concierge', 'x64;1033', `{${identity}-0000-4000-8000-000000000001}`]);
  for (const [property, value] of [['ProductVersion', version], ['ProductCode', `{${identity}-0000-4000-8000-000000000002}`]] as const) {
    edit(copy, `UPDATE \`Property\` SET \`Value\` = '${value}' WHERE \`Property\` = '${property}'`);
  }
  const upgradeCode = rowsOf(msi, 'Upgrade')[0]?.[0] ?? '';
  edit(copy, 'DELETE FROM `Upgrade`');
  edit(copy, `INSERT INTO \`Upgrade\` (\`UpgradeCode\`, \`VersionMax\`, \`Attributes\`, \`ActionProperty\`) VALUES ('${upgradeCode}', '${version}', 513, 'WIX_UPGRADE_DETECTED')`);
  edit(copy, `INSERT INTO \`Upgrade\` (\`UpgradeCode\`, \`VersionMin\`, \`Attributes\`, \`ActionProperty\`) VALUES ('${upgradeCode}', '${version}', 2, 'WIX_DOWNGRADE_DETECTED')`);
  const tables = join(msi, '..', `${name}-tables`);
  mkdirSync(join(tables, 'Binary'), { recursive: true });
  copyFileSync(join(root, '.cache/windows/installer.dll'), join(tables, 'Binary/Double.ibd'));
  writeFileSync(join(tables, 'Binary.idt'), 'Name\tData\r\ns72\tv0\r\nBinary\tName\r\nDouble\tDouble.ibd\r\n');
  execFileSync('msibuild', [copy, '-i', 'Binary.idt'], { cwd: tables });
  // A function of a DLL within the package in place of one that it installs.
  for (const [action, type, source] of rowsOf(msi, 'CustomAction')) {
    if (source === 'VssProvider') edit(copy, `UPDATE \`CustomAction\` SET \`Type\` = ${Number(type) - 0x10}, \`Source\` = 'Double' WHERE \`Action\` = '${action}'`);
  }
  if (service !== undefined) edit(copy, `UPDATE \`ServiceInstall\` SET \`Arguments\` = '${service}' WHERE \`ServiceInstall\` = 'Service'`);
  return copy;
}

let output = '';
let msi = '';

before(() => {
  output = mkdtempSync(join(tmpdir(), 'concierge-msi-'));
  execFileSync(process.execPath, [join(root, 'scripts/build-bundle.ts')], { stdio: 'ignore' });
  execFileSync(process.execPath, [join(root, 'packaging/windows/package.ts'), `--output=${output}`], { stdio: 'ignore' });
  msi = join(output, readdirSync(output).find((name) => name.endsWith('.msi')) ?? assert.fail('no MSI was made'));
  removeLeftProducts();
});

after(() => rmSync(output, { recursive: true }));

describe('the zip', () => {
  it('has the listed files and nothing else', () => {
    const zip = join(output, readdirSync(output).find((name) => name.endsWith('.zip')) ?? assert.fail('no zip was made'));

    const names = execFileSync('python3', ['-m', 'zipfile', '-l', zip], { encoding: 'utf8' }).split('\n').slice(1)
      .map((line) => line.replace(/ +\d{4}-\d\d-\d\d .*$/, '')).filter((name) => name !== '' && !name.endsWith('/'));

    assert.deepEqual(names.toSorted(), installedFiles.toSorted());
  });
});

describe('what the MSI says of itself', () => {
  it('it installs the listed files, and writes the listed values', () => {
    const files = rowsOf(msi, 'File').map(([, , name = '']) => name.split('|').at(-1));
    const values = rowsOf(msi, 'Registry').map(([, hive, key, name]) => `${hive} ${key} ${name}`);

    const names = installedFiles.map((path) => path.slice(path.lastIndexOf('/') + 1));
    assert.deepEqual(new Set(files), new Set(names));
    assert.equal(files.length, names.length);
    assert.deepEqual([...new Set(values)].toSorted(), installedValues.map(({ key, name }) => `2 ${key} ${name}`).toSorted());
  });

  const actions = (): readonly (readonly [name: string, type: number])[] => rowsOf(msi, 'CustomAction').map(([name = '', type = '']) => [name, Number(type)]);

  it('no custom action is a program or a script: they set a property or are functions of the DLL, later, as SYSTEM', () => {
    const [setProperty, dllOfFile, inScript, noImpersonate] = [0x33, 0x11, 0x400, 0x800];

    assert.deepEqual(actions().map(([name]) => name).toSorted(), ['ServiceRecovery', 'TakeSavedOptions', 'VssRegister', 'VssRemove', 'VssReturn', 'VssRollback']);
    for (const [name, type] of actions()) {
      if ((type & 0x3f) === setProperty) continue;
      assert.equal(type & 0x3f, dllOfFile, name);
      assert.equal(type & (inScript | noImpersonate), inScript | noImpersonate, name);
    }
  });

  // What a repair runs is read in the tables: the msiexec of Wine repairs nothing.
  it('a repair, which an ordinary user may begin, runs none of them, and the list of programs offers none', () => {
    const conditions = new Map(rowsOf(msi, 'InstallExecuteSequence').map(([name = '', condition = '']) => [name, condition]));
    const properties = new Map(rowsOf(msi, 'Property').map(([name = '', value = '']) => [name, value]));
    const elsewhere = ['InstallUISequence', 'AdminExecuteSequence', 'AdminUISequence', 'AdvtExecuteSequence'].flatMap((table) => rowsOf(msi, table).map(([name]) => name));

    for (const [name] of actions()) {
      // `Installed` is true in a repair, and REMOVE empty.
      assert.match(conditions.get(name) ?? '', /^(?:NOT Installed(?: AND SAVEDOPTIONS AND NOT OPTIONS)?|REMOVE="ALL")$/, name);
      assert.ok(!elsewhere.includes(name), `${name} is in another sequence`);
    }
    assert.equal(properties.get('ARPNOREPAIR'), '1');
    assert.equal(properties.get('ARPNOMODIFY'), '1');
  });

  it('a repair does not write the options that whoever begins it may name', () => {
    const conditions = new Map(rowsOf(msi, 'InstallExecuteSequence').map(([name = '', condition = '']) => [name, condition]));
    const tables = execFileSync('msiinfo', ['tables', msi], { encoding: 'utf8' }).split(/\r?\n/).filter((name) => name !== '' && !name.startsWith('_'));
    const using = tables.filter((table) => rowsOf(msi, table).some((row) => row.some((cell) => cell.includes('[OPTIONS]'))));

    // Each by the action that carries it out.
    assert.deepEqual(using.toSorted(), ['Registry', 'ServiceInstall']);
    assert.equal(conditions.get('WriteRegistryValues'), 'NOT Installed');
    assert.equal(conditions.get('InstallServices'), 'NOT Installed');
  });

  it('what is undone where it fails stands before what it undoes, and after its files; the removal of an older version within what is undone', () => {
    const sequence = new Map(rowsOf(msi, 'InstallExecuteSequence').map(([name = '', , number]) => [name, Number(number)]));
    const order = ['AppSearch', 'TakeSavedOptions', 'InstallInitialize', 'RemoveExistingProducts', 'ProcessComponents', 'StopServices', 'VssReturn', 'VssRemove', 'DeleteServices', 'RemoveFiles', 'InstallFiles', 'VssRollback', 'VssRegister', 'InstallServices', 'ServiceRecovery', 'StartServices'];
    const undoing = actions().filter(([, type]) => (type & 0x100) !== 0).map(([name]) => name);

    assert.deepEqual(order.toSorted((one, other) => (sequence.get(one) ?? 0) - (sequence.get(other) ?? 0)), order);
    assert.deepEqual(undoing.toSorted(), ['VssReturn', 'VssRollback']);
    // By the rule of Windows Installer nothing may stand between the two.
    assert.equal(sequence.get('RemoveExistingProducts'), (sequence.get('InstallInitialize') ?? 0) + 1);
  });

  it('it takes the place of older versions and of other builds of its own, and refuses to take that of a newer one', () => {
    const upgrades = rowsOf(msi, 'Upgrade');
    const [, , versionMax, , attributes] = upgrades.find((row) => row.at(-1) === 'WIX_UPGRADE_DETECTED') ?? [];
    const [, from, , , detectOnly] = upgrades.find((row) => row.at(-1) === 'WIX_DOWNGRADE_DETECTED') ?? [];

    const version = rowsOf(msi, 'Property').find(([name]) => name === 'ProductVersion')?.[1];
    assert.deepEqual([versionMax, from], [version, version]);
    // Features are taken along, and the upper end of the versions counts.
    assert.equal(Number(attributes), 0x1 | 0x200);
    assert.equal(Number(detectOnly), 2);
    assert.deepEqual(rowsOf(msi, 'LaunchCondition').map(([condition]) => condition), ['NOT WIX_DOWNGRADE_DETECTED']);
  });

  it('the kind of backup that was chosen is written again by an upgrade, each by its own condition', () => {
    const conditions = rowsOf(msi, 'Component').filter(([name]) => name?.startsWith('VssOption')).map(([name, , , , condition]) => `${name}: ${condition}`);

    assert.deepEqual(conditions.toSorted(), [
      'VssOption1: VSSOPTION = "#1"', 'VssOption2: VSSOPTION = "#2"', 'VssOption3: VSSOPTION = "#3"', 'VssOption4: VSSOPTION = "#4"',
      'VssOption5: NOT VSSOPTION OR VSSOPTION = "#5"',
    ]);
  });
});

describe('the MSI', () => {
  afterEach(() => [log, installerLog].forEach((file) => rmSync(file, { force: true })));

  const called = (): readonly string[] => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter((line) => line !== '') : []);
  const image = (): string => /ImagePath\s+REG_\w+\s+(.*?)\r?$/m.exec(runUnderWine('reg', 'query', serviceKey, '/v', 'ImagePath'))?.[1] ?? '';
  const isRunning = (): boolean => /STATE\s*:\s*4\s+RUNNING/.test(runUnderWine('sc', 'query', 'concierge-ga'));
  const left = (): readonly string[] => [...keys.filter((key) => statusOf('reg', 'query', key) === 0), ...(existsSync(programs) ? [programs] : [])];

  it('installs the service, which runs, with the listed files and values; and takes everything out again', () => {
    const installed = msiexec('/i', msi);
    const running = isRunning();
    const command = image();
    const files = filesBelow(programs);
    const values = installedValues.map(({ key, name }) => {
      const [, type, value] = new RegExp(String.raw`^\s+${name}\s+(REG_\w+)[ \t]*(.*?)\r?$`, 'm').exec(runUnderWine('reg', 'query', `HKLM\\${key}`, '/v', name)) ?? [];
      return { key, name, type, value: value?.trim() };
    });
    const removed = msiexec('/x', msi);

    assert.equal(installed, 'done');
    assert.ok(running);
    // Windows Installer puts the program in quotes, and Wine's does not: what the package says are the arguments.
    assert.match(command.trim(), /^"?C:\\Program Files\\Concierge\\concierge-ga\.exe"? "C:\\Program Files\\Concierge\\app\\concierge-ga\.cjs" -d --retry-path$/);
    assert.deepEqual(files, installedFiles.toSorted());
    assert.deepEqual(values, installedValues);
    assert.equal(removed, 'done');
    assert.deepEqual(left(), []);
  });

  it('an upgrade keeps the options of the service and the configuration; going back is refused', () => {
    const old = variant(msi, 'old', { version: '0.0.9', identity: '0A0A0A0A' });
    const configuration = join(drive, 'ProgramData/concierge-ga/concierge-ga.conf');
    mkdirSync(join(configuration, '..'), { recursive: true });
    writeFileSync(configuration, '[general]\nverbose = 1\n');

    const first = msiexec('/i', old, 'OPTIONS=--method=isa-serial --path=COM9');
    const atFirst = image();
    const atInstall = called();
    const upgraded = msiexec('/i', msi);
    const afterwards = image();
    const atUpgrade = called().slice(atInstall.length);
    const running = isRunning();
    const back = msiexec('/i', old);
    const stillThere = [image(), isRunning()];
    const kept = readFileSync(configuration, 'utf8');
    const removed = msiexec('/x', msi);
    rmSync(join(configuration, '..'), { recursive: true });

    assert.equal(first, 'done');
    assert.match(atFirst, /-d --retry-path --method=isa-serial --path=COM9$/);
    assert.deepEqual(atInstall, ['ConciergeVssInstall', 'ConciergeServiceRecovery']);
    assert.equal(upgraded, 'done');
    assert.equal(afterwards, atFirst);
    assert.deepEqual(atUpgrade, ['ConciergeVssRemove']);
    assert.ok(running);
    assert.equal(back, 'ERROR_INSTALL_FAILURE (1603) at LaunchConditions');
    assert.deepEqual(stillThere, [atFirst, true]);
    assert.equal(kept, '[general]\nverbose = 1\n');
    assert.equal(removed, 'done');
    assert.deepEqual(left(), []);
  });

  it('an installation whose service does not start is undone, the registration of the provider too', () => {
    const broken = variant(msi, 'broken', { version: '0.0.9', identity: '0B0B0B0B', service: '-e process.exit(1)' });

    const status = msiexec('/i', broken);

    assert.equal(status, 'ERROR_FUNCTION_FAILED (1627) at StartServices');
    assert.deepEqual(called(), ['ConciergeVssInstall', 'ConciergeServiceRecovery', 'ConciergeVssRemove']);
    assert.deepEqual(left(), []);
  });
});
