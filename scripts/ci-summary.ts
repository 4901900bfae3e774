// SPDX-License-Identifier: Apache-2.0
/** Names the tests that failed in the JSON reports of the suites, and those that passed at their second try only, and closes with one line: `N passed, N failed, N skipped`. */
import { readFileSync } from 'node:fs';

interface Assertion {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages?: readonly string[];
}

interface Suite {
  readonly name: string;
  readonly status: string;
  readonly message?: string;
  readonly assertionResults: readonly Assertion[];
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
  readonly testResults: readonly Suite[];
}

/** What a failure says of itself, cut: one of a megabyte would hide the others. */
const told = (text: string | undefined): string => (text ?? '').slice(0, 600);

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
  for (const suite of report.testResults) {
    for (const { fullName, status, failureMessages } of suite.assertionResults) {
      if (status === 'passed' && failureMessages?.length) console.log(`PASSED AT THE SECOND TRY ${suite.name}: ${fullName}\n  ${told(failureMessages[0])}`);
    }
    const failures = suite.assertionResults.filter(({ status }) => status === 'failed');
    for (const { fullName, failureMessages } of failures) console.log(`FAILED ${suite.name}: ${fullName}\n  ${told(failureMessages?.[0])}`);
    if (suite.status === 'failed' && failures.length === 0) console.log(`FAILED ${suite.name}\n  ${told(suite.message)}`);
  }
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = sound && failed === 0 && passed > 0 ? 0 : 1;
