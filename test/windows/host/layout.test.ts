import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { fieldSize, type Layout } from '../../../adapters/windows/layout.ts';
import type { ComInterface } from '../../../adapters/windows/com.ts';
import { after, before, describe, it } from '../runner.ts';
import { compileForWindows, runUnderWine } from './toolchain.ts';

/** Runs on Linux: what it needs is the compiler of mingw-w64 and, for what the compiler says, Wine. */
const bindings = new URL('../../../adapters/windows/bindings/', import.meta.url);

const isLayout = (value: unknown): value is Layout => typeof value === 'object' && value !== null && 'fields' in value && 'header' in value;
const isInterface = (value: unknown): value is ComInterface => typeof value === 'object' && value !== null && 'slots' in value && 'header' in value;

async function declared(): Promise<{ layouts: readonly Layout[]; interfaces: readonly ComInterface[] }> {
  const modules = await Promise.all(readdirSync(bindings).map((file) => import(new URL(file, bindings).href) as Promise<Record<string, unknown>>));
  const values = modules.flatMap((module) => Object.values(module));
  return { layouts: values.filter(isLayout), interfaces: values.filter(isInterface) };
}

const { layouts, interfaces } = await declared();

/** Headers that others need before them. */
const first = ['winsock2.h', 'ws2tcpip.h', 'windows.h', 'initguid.h', 'iphlpapi.h', 'netioapi.h', 'vss.h', 'vswriter.h', 'vsbackup.h', 'vsprov.h'];

/** mingw's IUnknown has a template of the same name beside the method. */
const query = '<HRESULT (STDMETHODCALLTYPE IUnknown::*)(REFIID, void **)>';

function program(): string {
  const used = new Set([...layouts, ...interfaces].map(({ header }) => header));
  const lines = ['#define _WIN32_WINNT 0x0A00', ...[...new Set([...first, ...used])].map((header) => `#include <${header}>`)];
  lines.push('#include <cstdio>', '#include <cstring>', '#include <cstddef>', '#include <cstdint>');
  // The Itanium ABI, which mingw uses: the pointer to a virtual method is its place in the table, in bytes, and one.
  lines.push('template <class M> static long slot(M method) { intptr_t v; memcpy(&v, &method, sizeof v); return (v - 1) / 8; }');
  lines.push('int main() {', 'FILE *out = stdout;');
  for (const { name, fields } of layouts) {
    lines.push(`fprintf(out, "${name} %zu\\n", sizeof(${name}));`);
    for (const field of Object.keys(fields)) {
      lines.push(`fprintf(out, "${name}.${field} %zu %zu\\n", (size_t)offsetof(${name}, ${field}), sizeof(((${name} *)0)->${field}));`);
    }
  }
  for (const { name, slots } of interfaces) {
    for (const method of Object.keys(slots)) lines.push(`fprintf(out, "${name}::${method} %ld\\n", slot${method === 'QueryInterface' ? query : ''}(&${name}::${method}));`);
  }
  return [...lines, 'return 0; }', ''].join('\n');
}

describe('what the bindings say of the Windows headers', () => {
  let directory = '';
  const said = new Map<string, string>();

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'concierge-layout-'));
    const source = join(directory, 'layout.cpp');
    writeFileSync(source, program());
    const executable = compileForWindows(source, join(directory, 'layout.exe'), ['-fpermissive', `-I${new URL('../../../native/windows/vss-provider/', import.meta.url).pathname}`, '-Wno-invalid-offsetof', '-w']);
    for (const line of runUnderWine(executable).split(/\r?\n/)) {
      const [, name, values] = /^(.*?) ([0-9 -]+)$/.exec(line) ?? [];
      if (name !== undefined && values !== undefined) said.set(name, values);
    }
  });

  after(() => rmSync(directory, { recursive: true }));

  it('covers every structure and every interface', () => {
    assert.ok(layouts.length >= 40, `${layouts.length} structures`);
    assert.ok(interfaces.length >= 4, `${interfaces.length} interfaces`);
  });

  for (const { name, size, fields } of layouts) {
    it(`${name} has the size and the offsets that the compiler gives it`, () => {
      assert.equal(said.get(name), `${size}`, 'size');
      for (const [field, [offset, type]] of Object.entries(fields)) {
        // A structure of variable length declares one element of what is read as a text.
        assert.equal(said.get(`${name}.${field}`), `${offset} ${fieldSize(type)}`, field);
      }
    });
  }

  for (const { name, slots } of interfaces) {
    it(`${name} has its methods in the slots that the compiler gives them`, () => {
      for (const [method, [slot]] of Object.entries(slots)) assert.equal(said.get(`${name}::${method}`), `${slot}`, method);
    });
  }
});
