// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import type { ShippedParts } from './shipped-parts.ts';

/** The first GCC whose libstdc++ has a version of symbols (gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html). */
const gccOf: readonly (readonly [glibcxx: number, gcc: string])[] = [
  [21, '5'], [22, '6'], [24, '7'], [25, '8'], [28, '9'], [29, '11'], [30, '12'], [32, '13'], [33, '14'], [34, '15'],
];

/** The oldest releases of the C and C++ libraries that have all symbols that the shipped programs use. */
export function neededLibraries(parts: ShippedParts): { readonly glibc: string; readonly gcc: string } {
  const programs = [parts.runtime, ...parts.files.filter(({ name, executable }) => executable || name.endsWith('.node')).map(({ source }) => source)];
  const text = execFileSync('readelf', ['--version-info', '--wide', ...programs], { encoding: 'utf8', maxBuffer: 64 << 20 });
  const glibc = Math.max(...[...text.matchAll(/\bGLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor)));
  const glibcxx = Math.max(...[...text.matchAll(/\bGLIBCXX_3\.4\.(\d+)/g)].map(([, patch]) => Number(patch)));
  const gcc = gccOf.find(([patch]) => glibcxx <= patch)?.[1];
  if (gcc === undefined) throw new Error(`packaging/needed-libraries.ts knows no GCC with GLIBCXX_3.4.${glibcxx}`);
  return { glibc: `2.${glibc}`, gcc };
}
