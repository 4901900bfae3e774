// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { compileForWindows } from './toolchain.ts';

/** Compiles what the tests under Wine need. Run by run.sh; compiles only what is older than its sources. */
const root = fileURLToPath(new URL('../../../', import.meta.url));
const native = `${root}test/windows/native/`;
const output = `${root}.cache/windows/`;
mkdirSync(`${output}vss`, { recursive: true });

interface Part {
  readonly output: string;
  readonly sources: readonly string[];
  readonly flags?: readonly string[];
}

const provider = `${root}native/windows/vss-provider/`;

const parts: readonly Part[] = [
  { output: 'programs.exe', sources: [`${native}programs.cpp`] },
  { output: 'installer.dll', sources: [`${native}installer.cpp`], flags: ['-shared'] },
  { output: 'machine.dll', sources: [`${native}machine.cpp`, `${native}machine.def`], flags: ['-shared', '-lws2_32'] },
  { output: 'doubles.dll', sources: [`${native}doubles.cpp`, `${native}port-driver.cpp`, `${native}port-driver.h`, `${native}doubles.def`], flags: ['-shared', '-ladvapi32', '-lws2_32'] },
  {
    output: 'concierge-vss.dll',
    sources: [`${provider}provider.cpp`, `${provider}class-factory.cpp`, `${provider}registration.cpp`, `${provider}calls.cpp`, `${provider}service-recovery.cpp`, `${provider}provider.def`, `${provider}provider.h`, `${provider}channel.h`, `${provider}calls.h`],
    flags: ['-shared', '-s', '-fno-exceptions', '-fno-rtti', '-Wall', '-Wextra', '-lole32', '-loleaut32', '-ladvapi32', '-luuid'],
  },
  {
    output: 'vss/vssapi-double.dll',
    sources: [`${native}vssapi.cpp`, `${native}vssapi.def`, `${provider}channel.h`],
    flags: ['-shared', `-I${provider}`, '-lole32', '-loleaut32', '-luuid'],
  },
];

const age = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -1;

for (const { output: name, sources, flags = [] } of parts) {
  const target = output + name;
  if (sources.some((source) => age(source) < 0) || sources.every((source) => age(source) <= age(target))) continue;
  const [first = '', ...rest] = sources.filter((source) => !source.endsWith('.h'));
  console.log(`compiling ${name}`);
  compileForWindows(first, target, [...rest, ...flags]);
}
