// SPDX-License-Identifier: Apache-2.0
// Makes agent.cache beside the bundle that is named: runs it as an agent on a socket in a temporary directory, asks it
// what hosts ask, and keeps the code that V8 has compiled until then.
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

const script = new Script(readFileSync(file, 'latin1'), { filename: name });
script.runInThisContext()({}, createRequire(file), module, file, dirname(file));

// What hosts ask: the code of a command that has run here needs no compiler on its first request. Commands that only look,
// and a file of the temporary directory; one that this machine lacks is answered with an error, which is a rehearsal too. No
// programs: when one ends is chance, and the same build would not make the same bytes.
const note = JSON.stringify(join(directory, 'note'));
const requests = [
  'guest-sync-delimited","arguments":{"id":1}', 'guest-sync","arguments":{"id":1}', 'guest-ping"', 'guest-info"', 'no-such-command"',
  'guest-fsfreeze-status"', '__org.concierge_fsfreeze-report"', '__org.concierge_fsfreeze-plan"',
  'guest-get-time"', 'guest-get-host-name"', 'guest-get-osinfo"', 'guest-get-timezone"', 'guest-get-users"',
  'guest-get-vcpus"', 'guest-get-cpustats"', 'guest-get-load"', 'guest-get-memory-block-info"', 'guest-get-memory-blocks"',
  'guest-get-fsinfo"', 'guest-get-disks"', 'guest-get-diskstats"', 'guest-network-get-interfaces"', 'guest-network-get-route"',
  `guest-file-open","arguments":{"path":${note},"mode":"w+"}`,
  'guest-file-write","arguments":{"handle":HANDLE,"buf-b64":"aGVsbG8="}', 'guest-file-flush","arguments":{"handle":HANDLE}',
  'guest-file-seek","arguments":{"handle":HANDLE,"offset":0,"whence":0}', 'guest-file-read","arguments":{"handle":HANDLE}',
  'guest-file-close","arguments":{"handle":HANDLE}',
];

function finish(status) {
  rmSync(directory, { recursive: true, force: true });
  process.exit(status);
}

// A command that never answers must not hold up a build.
setTimeout(() => finish(1), 180_000).unref();

let tries = 0;
(function rehearse() {
  const host = connect(socketPath);
  let handle = '0';
  let asked = 0;
  let text = '';
  const ask = () => {
    host.write(`{"execute":"${requests[asked].replace('HANDLE', handle)}}\n`);
    asked += 1;
  };
  host.on('error', () => {
    host.destroy();
    tries += 1;
    if (tries < 500) setTimeout(rehearse, 20);
    else finish(1);
  });
  host.on('connect', ask);
  host.on('data', (bytes) => {
    text += bytes.toString('latin1');
    if (!text.endsWith('\n')) return;
    // Of those that are asked, only guest-file-open answers a bare number, and guest-sync and guest-get-time before it.
    handle = /^\{"return": (\d+)\}/.exec(text)?.[1] ?? handle;
    text = '';
    if (asked < requests.length) {
      ask();
      return;
    }
    // As the launcher sets it: V8 takes no code that was compiled under other flags. It compares few of them, and this one.
    setFlagsFromString('--heap-growing-percent=100');
    writeFileSync(join(dirname(file), 'agent.cache'), script.createCachedData());
    finish(0);
  });
})();
