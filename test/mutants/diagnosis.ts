// SPDX-License-Identifier: Apache-2.0
import type { Diagnosis, Finding } from '../../kit/index.ts';
import { planted, type Mutant } from './mutant.ts';

const sentences = 'every finding names what was looked at and says in one sentence what was found';
const good: Finding = { subject: 'mutant', verdict: 'good', detail: 'it is there' };

const finds = (...findings: readonly Finding[]) => planted<Diagnosis>('diagnosis', () => ({ examine: async () => findings }));

/** Faults of what `doctor` asks a backend for. */
export const diagnosisMutants: readonly Mutant[] = [
  { fault: 'a finding says nothing', group: 'diagnosis', caughtBy: sentences, plant: finds({ ...good, detail: '' }) },
  { fault: 'a finding is about nothing', group: 'diagnosis', caughtBy: sentences, plant: finds({ ...good, subject: '' }) },
  { fault: 'a finding ends with a full stop', group: 'diagnosis', caughtBy: sentences, plant: finds({ ...good, detail: 'It is there.' }) },
  {
    fault: 'nobody is told how to look', group: 'diagnosis', caughtBy: 'what only a person can see comes with how to look at it',
    plant: finds({ ...good, verdict: 'by-hand' }),
  },
  {
    fault: 'a look leaves something behind that the next one finds', group: 'diagnosis', caughtBy: 'a look changes nothing',
    plant: (backend) => {
      let looks = 0;
      return planted<Diagnosis>('diagnosis', () => ({ examine: async () => ((looks += 1) === 1 ? [good] : [good, { ...good, subject: 'litter' }]) }))(backend);
    },
  },
];
