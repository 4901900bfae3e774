// SPDX-License-Identifier: Apache-2.0
import { packagingFile } from './places.ts';

/** A script of a package has to stand alone: `@PLACES@` becomes the variables, and `@include FILE` that file of packaging/, whole. */
export const standaloneScript = (text: string, variables: Readonly<Record<string, string>> = {}): string =>
  text
    .replace('@PLACES@\n', () => Object.entries(variables).map(([name, value]) => `${name}=${value}\n`).join(''))
    .replaceAll(/^@include (\S+)\n/gm, (_, file: string) => `\n${packagingFile(file)}\n`);
