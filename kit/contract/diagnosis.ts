// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import type { Diagnosis } from '../../core/ports/index.ts';
import { areDifferent, hasNoUndefined, isText } from './expect.ts';
import { contractGroup, type ContractCase } from './group.ts';

const cases: readonly ContractCase<Diagnosis>[] = [
  {
    name: 'every finding names what was looked at and says in one sentence what was found',
    run: async (diagnosis) => {
      for (const finding of await diagnosis.examine()) {
        hasNoUndefined(finding, finding.subject);
        isText(finding.subject, 'subject');
        isText(finding.detail, `${finding.subject}: detail`);
        assert.doesNotMatch(finding.detail, /\.$/u, `${finding.subject}: detail ends without a full stop`);
      }
    },
  },
  {
    name: 'what only a person can see comes with how to look at it',
    run: async (diagnosis) => {
      for (const { subject, verdict, remedy } of await diagnosis.examine()) if (verdict === 'by-hand') isText(remedy, `${subject}: remedy`);
    },
  },
  {
    name: 'looking twice finds the same subjects: a look changes nothing',
    run: async (diagnosis) => {
      const subjects = async (): Promise<readonly string[]> => (await diagnosis.examine()).map(({ subject, detail }) => `${subject}: ${detail}`);
      const first = await subjects();

      areDifferent(first, 'findings');
      assert.equal((await subjects()).length, first.length);
    },
  },
];

export const diagnosisContract = contractGroup('diagnosis', (backend) => backend.diagnosis, cases);
