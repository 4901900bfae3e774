// SPDX-License-Identifier: Apache-2.0
/** The contract suite finds planted faults: each one is caught by the sentence that is about it. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { portableChannels } from '../../adapters/channels/portable-channels.ts';
import { posixPrograms, scratchOnDisk, testBackend, type ContractSubject } from '../../kit/contract/index.ts';
import type { Backend } from '../../kit/index.ts';
import { contractGroups } from '../../kit/contract/test-backend.ts';
import { channelMutants } from '../mutants/channels.ts';
import { diagnosisMutants } from '../mutants/diagnosis.ts';
import { diskMutants } from '../mutants/disks.ts';
import { factMutants } from '../mutants/facts.ts';
import { fileMutants } from '../mutants/files.ts';
import { freezeMutants } from '../mutants/freezing.ts';
import { generationMutants } from '../mutants/generation.ts';
import { interactiveMutants } from '../mutants/interactive.ts';
import { machineMutants } from '../mutants/machine.ts';
import type { Mutant } from '../mutants/mutant.ts';
import { processMutants } from '../mutants/processes.ts';
import { processorMutants } from '../mutants/processors.ts';
import { subjectWith } from './channel-subject.ts';
import { fakeSubject } from './fake-subject.ts';
import { linuxGenerationIn } from './linux-generation-hooks.ts';
import { linuxHooksIn } from './linux-hooks.ts';

/** How long a sentence may take before the fault counts as caught by it: a call that never answers is a fault, too. */
const patienceMs = 4000;

type Factory = () => Promise<ContractSubject>;

/** The sentence that is to fail, run on its own. @returns what it said, or nothing when it held */
async function verdictOn({ group, caughtBy, plant }: Mutant, factory: Factory): Promise<string | undefined> {
  const found: (() => Promise<void>)[] = [];
  const note = (name: string, body: () => Promise<void>): void => {
    if (name.includes(caughtBy)) found.push(body);
  };
  const mutated: Factory = async () => {
    const subject = await factory();
    return { ...subject, backend: plant(subject.backend) };
  };
  await testBackend('mutant', mutated, { describe: (_name, body) => body(), it: Object.assign(note, { skip: () => undefined }) }, { only: [group] });
  const [test] = found;
  if (test === undefined) throw new Error(`the contract of ${group} has no sentence '${caughtBy}' that could run here`);
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('it never came to an end'), patienceMs);
  });
  try {
    return await Promise.race([test().then(() => undefined), tooLong]);
  } catch (error) {
    // A mutant that is no fault of a backend but one of its own is caught by nothing.
    if (error instanceof TypeError || error instanceof ReferenceError) throw error;
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

/** For every backend; those of freezing want file systems that may be frozen. */
const everywhere = [...fileMutants, ...processMutants, ...interactiveMutants, ...factMutants, ...machineMutants, ...diskMutants, ...processorMutants, ...generationMutants];
const onFake = [...everywhere, ...freezeMutants];
const mutants = [...onFake, ...channelMutants, ...diagnosisMutants];

describe('the mutants', () => {
  it('are there for every group of the contract', () => {
    const groups = new Set(mutants.map(({ group }) => group));

    expect(contractGroups.map(({ capability }) => capability).filter((capability) => !groups.has(capability))).toEqual([]);
  });

  it('are each another fault', () => {
    const faults = mutants.map(({ fault, group }) => `${group}: ${fault}`);

    expect(faults.filter((fault, index) => faults.indexOf(fault) !== index)).toEqual([]);
  });
});

describe('planted in the fake', () => {

  it.each(onFake)('"$fault" is caught by "$caughtBy"', async (mutant) => {
    await expect(verdictOn(mutant, async () => fakeSubject())).resolves.toBeTypeOf('string');
  });

  it.each(onFake.filter((mutant, index) => onFake.findIndex(({ caughtBy }) => caughtBy === mutant.caughtBy) === index))('"$caughtBy" holds where nothing is planted', async (mutant) => {
    await expect(verdictOn({ ...mutant, plant: (backend) => backend }, async () => fakeSubject())).resolves.toBeUndefined();
  });
});

describe('planted in a diagnosis', () => {
  const healthy: Factory = async () => {
    const subject = fakeSubject();
    return { ...subject, backend: { ...subject.backend, diagnosis: { examine: async () => [{ subject: 'port', verdict: 'good', detail: 'it is there' }] } } };
  };

  it.each(diagnosisMutants)('"$fault" is caught by "$caughtBy"', async (mutant) => {
    await expect(verdictOn(mutant, healthy)).resolves.toBeTypeOf('string');
  });

  it.each(diagnosisMutants)('"$caughtBy" holds where there is not "$fault"', async (mutant) => {
    await expect(verdictOn({ ...mutant, plant: (backend) => backend }, healthy)).resolves.toBeUndefined();
  });
});

describe.skipIf(process.platform === 'win32')(`planted in the sockets of Node${process.platform === 'win32' ? ' (needs a Unix)' : ''}`, () => {
  it.each(channelMutants)('"$fault" is caught by "$caughtBy"', async (mutant) => {
    await expect(verdictOn(mutant, subjectWith(portableChannels))).resolves.toBeTypeOf('string');
  });
});

async function linux(): Promise<(() => Backend) | string> {
  if (process.platform !== 'linux') return 'needs Linux';
  try {
    const { linuxBackend } = await import('../../adapters/linux/module.ts');
    linuxBackend();
    return linuxBackend;
  } catch (error) {
    return `needs the native addon: ${error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error)}`;
  }
}

const backend = await linux();

describe.skipIf(typeof backend === 'string')(`planted in the backend for Linux${typeof backend === 'string' ? ` (${backend})` : ''}`, () => {
  const factory: Factory = async () => {
    const scratchDirectory = await mkdtemp(join(tmpdir(), 'concierge-mutants-'));
    const { username, homedir } = userInfo();
    return {
      backend: typeof backend === 'string' ? fakeSubject().backend : { ...backend(), hooks: await linuxHooksIn(scratchDirectory), generation: await linuxGenerationIn(scratchDirectory) },
      scratchDirectory,
      scratch: scratchOnDisk,
      knows: {
        programs: posixPrograms((path, text, mode) => writeFile(path, text, { mode })),
        memoryDevices: existsSync('/dev/full'),
        user: { name: username, keys: `${homedir}/.ssh/authorized_keys` },
        hostName: hostname(),
        ...(networkInterfaces()['lo'] === undefined ? {} : { loopback: 'lo' }),
      },
      safe: { hooks: true },
      cleanup: () => rm(scratchDirectory, { recursive: true, force: true }),
    };
  };

  it.each(everywhere.filter(({ fakeOnly }) => fakeOnly !== true))('"$fault" is caught by "$caughtBy"', async (mutant) => {
    await expect(verdictOn(mutant, factory)).resolves.toBeTypeOf('string');
  });
});
