// SPDX-License-Identifier: Apache-2.0
// Makes agent.cache beside the bundle that is named: runs it as an agent on a socket in a temporary directory, asks it
// what every host asks first, and keeps the code that V8 has compiled until then.
'use strict';
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { connect } = require('node:net');
const { tmpdir } = require('node:os');
const { dirname, join } = require('node:path');
const { Script } = require('node:vm');
const { createRequire } = require('node:module');
const { setFlagsFromString } = require('node:v8');

const file = process.argv[2];
// What traces of errors call it: the place where a package puts it.
const name = process.argv[3] ?? file;
const directory = mkdtempSync(join(tmpdir(), 'concierge-cache-'));
const socketPath = join(directory, 'socket');
process.argv = [process.argv[0], file, '-m', 'unix-listen', '-p', socketPath, '-t', directory];
// The configuration of the machine that builds is not the one of the machine that runs.
process.env.QGA_CONF = join(directory, 'none');

const script = new Script(`(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'latin1')}\n})`, { filename: name });
script.runInThisContext()({}, createRequire(file), module, file, dirname(file));

const requests = ['guest-sync-delimited","arguments":{"id":1}', 'guest-ping"', 'guest-info"', 'no-such-command"', 'guest-fsfreeze-status"'];

function finish(status) {
  rmSync(directory, { recursive: true, force: true });
  process.exit(status);
}

let tries = 0;
(function ask() {
  const host = connect(socketPath);
  let lines = 0;
  host.on('error', () => {
    host.destroy();
    tries += 1;
    if (tries < 500) setTimeout(ask, 20);
    else finish(1);
  });
  host.on('connect', () => host.write(requests.map((request) => `{"execute":"${request}}\n`).join('')));
  host.on('data', (bytes) => {
    lines += bytes.toString('latin1').split('\n').length - 1;
    if (lines < requests.length) return;
    // As they are when the cache is read: V8 compares them (see adapters/cli/heap.ts).
    setFlagsFromString('--heap-growing-percent=0');
    writeFileSync(join(dirname(file), 'agent.cache'), script.createCachedData());
    finish(0);
  });
})();
