// SPDX-License-Identifier: Apache-2.0
import { readingAndWriting } from './file-contents.ts';
import { seeking } from './file-positions.ts';
import { contractGroup } from './group.ts';
import { opening } from './opening-files.ts';
import { special } from './special-files.ts';

export const fileContract = contractGroup('fileSystem.files', (backend) => backend.fileSystem?.files, [
  ...opening, ...readingAndWriting, ...seeking, ...special,
]);
