// SPDX-License-Identifier: Apache-2.0
import type { Finding } from '../ports/diagnosis.ts';

type Making = (subject: string, detail: string, remedy?: string) => Finding;

const making = (verdict: Finding['verdict']): Making => (subject, detail, remedy) =>
  ({ subject, verdict, detail, ...(remedy === undefined ? {} : { remedy }) });

/** Something that is as it should be. */
export const good = making('good');

/** Something without which the agent works, though not as well. */
export const warning = making('warning');

/** Something without which the agent does not do what it is there for. */
export const bad = making('bad');
