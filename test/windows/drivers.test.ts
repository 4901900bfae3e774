// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';

import { advapi32 } from '../../adapters/windows/bindings/advapi32.ts';
import { driverPackages } from '../../adapters/windows/driver-packages.ts';
import { driverServices } from '../../adapters/windows/driver-services.ts';
import { after, afterEach, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const allAccess = 0xf01ff;
const [kernelDriver, onDemand] = [1, 3];

describe('services of drivers', () => {
  const made: bigint[] = [];

  afterEach(() => {
    for (const service of made.splice(0)) {
      advapi32.DeleteService(service);
      advapi32.CloseServiceHandle(service);
    }
  });

  function makeDriver(name: string, image: string): void {
    const manager = advapi32.OpenSCManagerW(null, null, 2);
    const service = advapi32.CreateServiceW(manager, name, name, allAccess, kernelDriver, onDemand, 1, image, null, null, null, null, null);
    assert.notEqual(service, 0n, `${name} was not made`);
    made.push(service);
    advapi32.CloseServiceHandle(manager);
  }

  it('are told with their files, what these say of themselves, and their state', async () => {
    makeDriver('concierge-speaks', `\\??\\${process.execPath}`);
    makeDriver('concierge-gone', 'System32\\drivers\\concierge-gone.sys');
    makeDriver('concierge-kernels', '\\Device\\HarddiskVolume1\\x.sys');

    const services = new Map((await driverServices()).map((one) => [one.name, one]));

    // Wine's own driver of buses.
    assert.equal(services.get('winebus')?.status, 'running');
    assert.match(services.get('winebus')?.driverPath ?? '', /^C:\\windows\\system32\\drivers\\winebus\.sys$/i);
    assert.deepEqual(services.get('concierge-speaks'), {
      name: 'concierge-speaks', driverPath: process.execPath, version: `${process.versions.node}.0`, vendor: 'Node.js', status: 'stopped',
    });
    assert.deepEqual(services.get('concierge-gone'), { name: 'concierge-gone', driverPath: 'C:\\windows\\System32\\drivers\\concierge-gone.sys', status: 'stopped' });
    assert.deepEqual(services.get('concierge-kernels'), { name: 'concierge-kernels', status: 'stopped' });
    assert.ok(![...services.keys()].some((name) => /^(?:rpcss|eventlog)$/i.test(name)), 'a service that is no driver');
  });
});

describe('packages of drivers', () => {
  const folder = 'C:\\windows\\INF';
  const files: string[] = [];

  afterEach(() => files.splice(0).forEach((file) => rmSync(file)));

  function publish(name: string, text: string): void {
    files.push(`${folder}\\${name}`);
    writeFileSync(`${folder}\\${name}`, text);
  }

  it('are those that were added, in that order, with version and provider; one without a version is none', async () => {
    publish('oem11.inf', '[Version]\r\nSignature="$WINDOWS NT$"\r\nProvider=%VENDOR%\r\nDriverVer=07/11/2023,100.94.104.24800\r\n[Strings]\r\nVENDOR="Red Hat, Inc."\r\n');
    publish('oem2.inf', '[Version]\r\nSignature="$WINDOWS NT$"\r\nDriverVer=01/01/2020, 1.0\r\n');
    publish('oem3.inf', '[Version]\r\nSignature="$WINDOWS NT$"\r\nProvider="Nobody"\r\n');
    publish('oem4.inf', 'no INF');
    publish('concierge.inf', '[Version]\r\nSignature="$WINDOWS NT$"\r\nDriverVer=01/01/2020,2.0\r\n');

    const packages = await driverPackages();

    assert.deepEqual(packages.map(({ name, version, vendor }) => [name, version, vendor]), [['oem2.inf', '1.0', undefined], ['oem11.inf', '100.94.104.24800', 'Red Hat, Inc.']]);
  });
});
