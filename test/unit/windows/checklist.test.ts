// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { byHand, checklist, checklistRows } from '../../../adapters/windows/diagnosis/checklist.ts';

const page = readFileSync(new URL('../../../docs/windows.md', import.meta.url), 'utf8');

describe('the checklist for a real Windows', () => {
  it('is the table of docs/windows.md, row by row', () => {
    const table = /\| to be seen on Windows \|.*\n\|---\|---\|---\|\n((?:\|.*\n)+)/.exec(page)?.[1]?.trimEnd().split('\n');

    expect(table).toEqual(checklistRows);
  });

  it('is printed by doctor as what a person has to do, with what to expect', () => {
    expect(byHand).toHaveLength(checklist.length);
    expect(byHand[0]).toEqual({
      subject: 'MSI, as another user', verdict: 'by-hand', detail: 'is shown by a real Windows alone',
      remedy: '`msiexec /fa concierge-ga-….msi` at a console that is not elevated; expected: no window of SYSTEM appears, and nothing is changed',
    });
  });

  it('asks nobody for what the self-test or verify looks at: the service, the provider, writers, COM+, pings', () => {
    for (const { subject, how } of checklist) expect(how, subject).not.toMatch(/sc qc|vssadmin list (?:providers|writers)|dcomcnfg|pings|guest-info|concierge-ga doctor`?$/);
  });

  it('has no row twice', () => {
    expect(new Set(checklist.map(({ subject }) => subject)).size).toBe(checklist.length);
  });
});
