// SPDX-License-Identifier: Apache-2.0
// Starts the agent's bundle with V8's code cache of it, which saves half of the start. A cache of another Node or
// processor is not used, and nothing else changes.
'use strict';
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');

const file = `${__dirname}/agent.cjs`;
let cachedData;
try {
  cachedData = readFileSync(`${__dirname}/agent.cache`);
} catch {
  // A tree without a cache starts as well, later.
}
const script = new Script(readFileSync(file, 'latin1'), { filename: file, cachedData });
script.runInThisContext()({}, require, module, file, __dirname);
