// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import { linuxBackend } from '../../../adapters/linux/module.ts';
import { hasCapability } from '../../../core/ports/capabilities.ts';
import type { Backend } from '../../../core/ports/index.ts';
import type { CommandSchema } from '../../../core/schema/command.ts';
import { commands } from '../../../core/schema/index.ts';
import { leftOut, type BackendName } from '../../../adapters/left-out.ts';
import { commandsDocument, documentPath } from '../../../scripts/docs-commands.ts';

const needs = [...new Set((commands as readonly CommandSchema[]).flatMap((schema) => schema.needs ?? []))];
const missingFrom = (backend: Backend) => needs.filter((capability) => !hasCapability(backend, capability)).toSorted();
const documentedFor = (name: BackendName) => needs.filter((capability) => leftOut[name].has(capability)).toSorted();

const isBuilt = ((): boolean => {
  try {
    linuxBackend();
    return true;
  } catch {
    return false;
  }
})();

describe('docs/commands.md', () => {
  it('is what the schema says (else: node scripts/docs-commands.ts)', () => {
    expect(readFileSync(documentPath, 'utf8')).toBe(commandsDocument());
  });

  it('tells what the fake has', () => {
    expect(missingFrom(createFakeMachine().backend)).toEqual(documentedFor('fake'));
  });

  it.skipIf(!isBuilt)('tells what Linux has (needs the native addon)', () => {
    expect(missingFrom(linuxBackend())).toEqual(documentedFor('linux'));
  });

  it('describes every type that it mentions', () => {
    const text = commandsDocument();
    const headings = new Set(Array.from(text.matchAll(/^### (.+)$/gm), ([, heading = '']) => heading.toLowerCase().replaceAll('.', '')));

    const links = Array.from(text.matchAll(/\]\(#([^)]+)\)/g), ([, link = '']) => link);
    expect(links.filter((link) => !headings.has(link))).toEqual([]);
  });
});
