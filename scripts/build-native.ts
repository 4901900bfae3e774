// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Builds native/linux to build/Release/concierge.node (and the guardian beside it). */

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');

// Node-API is stable across releases, so the headers of a distribution's own Node serve as well and need no download.
const installedHeaders = '/usr/include/node';
const hasInstalledHeaders = ['node_api.h', 'common.gypi'].every((name) => existsSync(join(installedHeaders, name)));

/** Two builds of one tree at once would overwrite each other's objects: an abstract socket is a lock that dies with its owner. */
async function oneAtATime(): Promise<void> {
  for (;;) {
    const locked = await new Promise<boolean>((resolve, reject) => {
      const server = createServer();
      server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)));
      server.listen(`\0concierge-build-native:${repository}`, () => {
        server.unref();
        resolve(true);
      });
    });
    if (locked) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

if (process.platform !== 'linux') {
  console.log('build-native: nothing to build for this platform');
} else {
  await oneAtATime();
  const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  const result = spawnSync(
    process.execPath,
    [nodeGyp, 'configure', 'build', '--release', '--jobs=max', ...(hasInstalledHeaders ? ['--nodedir=/usr'] : []), ...process.argv.slice(2)],
    { cwd: repository, stdio: 'inherit', env: { ...process.env, PATH: path } },
  );
  process.exitCode = result.status ?? 1;
}
