// SPDX-License-Identifier: Apache-2.0
/** Prints where paths lead, as a policy is told, for a process in a namespace of its own. */
import { linuxFiles } from '../../../adapters/linux/files/files.ts';

const files = linuxFiles();
for (const path of process.argv.slice(2)) {
  const file = await files.openAdmitted?.(path, { read: true, write: false, append: false, create: false, truncate: false }, (place) => {
    process.stdout.write(`${JSON.stringify([path, place.names.toSorted(), place.mayHaveOthers])}\n`);
  });
  await file?.close();
}
