import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { after, before, describe, it } from '../runner.ts';
import { runUnderWine } from './toolchain.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const programs = join(process.env['WINEPREFIX'] ?? '', 'drive_c/Program Files/Concierge');
const keys = [
  'HKLM\\System\\CurrentControlSet\\Services\\concierge-ga',
  'HKLM\\System\\CurrentControlSet\\Services\\EventLog\\Application\\concierge-ga',
  'HKLM\\System\\CurrentControlSet\\Services\\Concierge VSS Provider',
];

const windowsPath = (path: string): string => `Z:${path.replaceAll('/', '\\')}`;

/** Exit code of a program under Wine that prints nothing of interest. */
const statusOf = (...args: readonly string[]): number | null =>
  spawnSync('/usr/lib/wine/wine64', args, { stdio: 'ignore', timeout: 120_000 }).status;

describe('the MSI', () => {
  let output = '';
  let msi = '';

  before(() => {
    output = mkdtempSync(join(tmpdir(), 'concierge-msi-'));
    execFileSync(process.execPath, [join(root, 'scripts/build-bundle.ts')], { stdio: 'ignore' });
    execFileSync(process.execPath, [join(root, 'packaging/windows/package.ts'), `--output=${output}`], { stdio: 'ignore' });
    msi = join(output, readdirSync(output).find((name) => name.endsWith('.msi')) ?? assert.fail('no MSI was made'));
  });

  after(() => rmSync(output, { recursive: true }));

  it('installs the service, which runs, with what belongs to it; and takes everything out again', () => {
    const installed = statusOf('msiexec', '/i', windowsPath(msi), '/qn');
    const service = runUnderWine('sc', 'query', 'concierge-ga');
    const values = runUnderWine('reg', 'query', keys[0] ?? '');
    const there = ['concierge-ga.exe', 'concierge-ga.cmd', 'app/concierge-ga.cjs', 'app/concierge-vss.dll'].filter((name) => existsSync(join(programs, name)));
    const removed = statusOf('msiexec', '/x', windowsPath(msi), '/qn');
    const left = keys.filter((key) => statusOf('reg', 'query', key) === 0);

    assert.equal(installed, 0);
    assert.match(service, /STATE\s*:\s*4\s+RUNNING/);
    assert.match(values, /Environment\s+REG_MULTI_SZ\s+UV_THREADPOOL_SIZE=16/);
    assert.equal(there.length, 4);
    assert.equal(removed, 0);
    assert.deepEqual(left, []);
    assert.equal(existsSync(programs), false);
  });

  it('opens no console: its custom actions are functions of the DLL, run as the system and not by a repair', () => {
    const actions = execFileSync('msiinfo', ['export', msi, 'CustomAction'], { encoding: 'utf8' }).split(/\r?\n/).slice(3).filter((line) => line !== '');
    const properties = execFileSync('msiinfo', ['export', msi, 'Property'], { encoding: 'utf8' });

    assert.equal(actions.length, 3);
    for (const line of actions) assert.equal(Number(line.split('\t')[1]) & 0x3f, 0x11, line);
    assert.match(properties, /ARPNOREPAIR\t1/);
  });
});
