// SPDX-License-Identifier: Apache-2.0
/** What runs of the suite of virtual machines leave behind, and the page that is written from it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

import { compatibilityPage, type Result } from '../../vm/lab/compatibility.ts';
import { recordedResults, withRun, type Report, type Run } from '../../vm/lab/record.ts';

const page = resolve(import.meta.dirname, '../../../docs/compatibility.md');
const passed = { status: 'passed', fullName: 'answers' };

const ran = (testResults: Report['testResults'], rest: Partial<Run> = {}): Run => ({ pair: 'bookworm+6.1', isKept: false, date: '2026-12-01', observed: '', report: { testResults }, ...rest });
const file = (name: string, ...assertionResults: Report['testResults'][number]['assertionResults']): Report['testResults'][number] => ({
  name: `/repository/test/vm/${name}.test.ts`, status: assertionResults.every(({ status }) => status !== 'failed') ? 'passed' : 'failed', assertionResults,
});

describe('docs/compatibility.md', () => {
  it('is what is written of the results', () => {
    expect(readFileSync(page, 'utf8')).toBe(compatibilityPage(recordedResults()));
  });
});

describe('a run of whole files', () => {
  it('is kept by file, with what it has shown', () => {
    const failing = { status: 'failed', fullName: 'sleeps' };

    const result = withRun(undefined, ran([file('libvirt-client', passed, { status: 'skipped', fullName: 'has a terminal' }), file('vsock', passed, failing)], { observed: '["QEMU","7.2.22"]\n["libvirt","9.0.0"]\n' }));

    expect(result).toEqual({
      pair: 'bookworm+6.1',
      files: {
        'libvirt-client': { date: '2026-12-01', passed: 1, skipped: 1, failed: [] },
        vsock: { date: '2026-12-01', passed: 1, skipped: 0, failed: ['sleeps'] },
      },
      observations: { QEMU: '7.2.22', libvirt: '9.0.0' },
    });
    expect(compatibilityPage([result])).toContain('\n* bookworm, 6.1, vsock: sleeps\n');
  });

  it('takes the place of what the same files showed before, and leaves the others', () => {
    const before: Result = { pair: 'bookworm+6.1', files: { vsock: { date: '2026-11-30', passed: 0, skipped: 0, failed: ['answers'] }, package: { date: '2026-11-30', passed: 3, skipped: 0, failed: [] } }, observations: { QEMU: '7.2' } };

    expect(withRun(before, ran([file('vsock', passed)]))).toEqual({ ...before, files: { ...before.files, vsock: { date: '2026-12-01', passed: 1, skipped: 0, failed: [] } } });
  });

  it('with a keeper has a place of its own', () => {
    const without = withRun(undefined, ran([file('vsock', passed, passed)]));
    const both = withRun(without, ran([file('vsock', passed)], { isKept: true }));
    const again = withRun(both, ran([file('channels', passed)]));

    expect(again.files['vsock']).toMatchObject({ passed: 2 });
    expect(again.kept).toEqual({ vsock: { date: '2026-12-01', passed: 1, skipped: 0, failed: [] } });
    const [withoutKeeper = '', withKeeper = ''] = compatibilityPage([again]).split('### With a keeper');
    expect(withoutKeeper).toContain('| bookworm, 6.1 | not run | 1 passed (2026-12-01) | not run | not run | 2 passed (2026-12-01) |');
    expect(withKeeper).toContain('| bookworm, 6.1 | not run | not run | not run | not run | 1 passed (2026-12-01) |');
  });

  it('says that no test was run where the machine did not come about', () => {
    const result = withRun(undefined, ran([{ name: '/vsock.test.ts', status: 'failed', message: 'no disk\nat boot', assertionResults: [{ status: 'skipped', fullName: 'answers' }] }]));

    expect(compatibilityPage([result])).toContain('\n* bookworm, 6.1, vsock: no test was run: no disk\n');
  });
});
