// SPDX-License-Identifier: Apache-2.0
'use strict';
// Preloaded into a measured program: at its end it writes its peak of resident memory (KiB) and its processor time
// (microseconds) into the file that USE_FILE names. Not getrusage(2) for the peak: that begins with what the parent held when it forked.
const { readFileSync, writeFileSync } = require('node:fs');

const file = process.env.USE_FILE;
process.on('exit', () => {
  const peak = /^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1];
  const { user, system } = process.cpuUsage();
  writeFileSync(file, `${peak} ${user + system}`);
});
