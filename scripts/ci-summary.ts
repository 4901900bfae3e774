// SPDX-License-Identifier: Apache-2.0
/** Adds up the JSON reports of the test suites and closes with one line: `N passed, N failed, N skipped`. */
import { readFileSync } from 'node:fs';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
}

let passed = 0;
let failed = 0;
let skipped = 0;
let sound = process.argv.length > 2;
for (const file of process.argv.slice(2)) {
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  skipped += report.numPendingTests + report.numTodoTests;
  sound &&= report.success;
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = sound && failed === 0 && passed > 0 ? 0 : 1;
