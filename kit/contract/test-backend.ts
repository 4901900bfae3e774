// SPDX-License-Identifier: Apache-2.0
import type { CapabilityGroup } from '../../core/ports/capabilities.ts';
import { groupContract, passwordContract, sessionContract, sshKeyContract } from './accounts.ts';
import { channelContract } from './channels.ts';
import { clockContract, clockSettingContract } from './clock.ts';
import { diagnosisContract } from './diagnosis.ts';
import { diskContract, diskStatisticsContract, trimContract, usageContract } from './disks.ts';
import { fileContract } from './files.ts';
import { freezeContract } from './freezing.ts';
import { clockReferenceContract, generationContract, hotplugContract } from './generation.ts';
import type { ContractGroup } from './group.ts';
import {
  deviceContract, driverPackageContract, driverServiceContract, hookContract, hostNameContract, osInformationContract, shutdownContract, suspendContract, timeZoneContract,
} from './host.ts';
import { interfaceContract, routeContract } from './network.ts';
import { interactiveContract, terminalContract } from './interactive.ts';
import { processContract } from './processes.ts';
import {
  loadContract, memoryContract, memorySwitchingContract, processorContract, processorStatisticsContract, switchingContract,
} from './processors.ts';
import { requireNodeRelease } from './node-release.ts';
import type { ContractSubject } from './subject.ts';

/** One for each group of the ports: a new group is a type error here until it has a contract. */
const contracts: { readonly [Name in CapabilityGroup]: ContractGroup<Name> } = {
  clock: clockContract,
  'clock.setting': clockSettingContract,
  'clock.references': clockReferenceContract,
  'fileSystem.files': fileContract,
  'fileSystem.freezing': freezeContract,
  'fileSystem.trimming': trimContract,
  'fileSystem.usage': usageContract,
  'fileSystem.disks': diskContract,
  'fileSystem.diskStatistics': diskStatisticsContract,
  'power.shutdown': shutdownContract,
  'power.suspend': suspendContract,
  'network.interfaces': interfaceContract,
  'network.routes': routeContract,
  processes: processContract,
  'processes.interactive': interactiveContract,
  'processes.interactive.terminals': terminalContract,
  'accounts.sessions': sessionContract,
  'accounts.passwords': passwordContract,
  'accounts.sshKeys': sshKeyContract,
  'accounts.groups': groupContract,
  'processors.online': processorContract,
  'processors.online.switching': switchingContract,
  'processors.statistics': processorStatisticsContract,
  'processors.load': loadContract,
  'memory.blocks': memoryContract,
  'memory.blocks.switching': memorySwitchingContract,
  'host.hostName': hostNameContract,
  'host.timeZone': timeZoneContract,
  'host.osInformation': osInformationContract,
  'host.devices': deviceContract,
  'host.driverPackages': driverPackageContract,
  'host.driverServices': driverServiceContract,
  hooks: hookContract,
  generation: generationContract,
  hotplug: hotplugContract,
  channels: channelContract,
  diagnosis: diagnosisContract,
};

/** All groups, in the order of the ports. */
export const contractGroups: readonly ContractGroup[] = Object.values(contracts);

/** What the suite needs of a test runner: that of `node:test`, of vitest, of jest. */
export interface ContractRunner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: {
    (name: string, body: () => Promise<void>): unknown;
    readonly skip: (name: string, body: () => Promise<void>) => unknown;
  };
}

export interface ContractOptions {
  /** Groups that are tested; default all that the backend has. */
  readonly only?: readonly string[];
  /** Groups, and sentences of groups, that are known not to hold yet, with the reason: skipped, visibly. */
  readonly except?: Readonly<Record<string, string>>;
  /** How long one sentence may take before it counts as broken, in milliseconds; default 60 000. What hangs goes on without the suite. */
  readonly sentenceLimitMs?: number;
}

const nothing = async (): Promise<void> => {};

/**
 * The contract that every backend keeps: declares one test for each sentence of the ports' comments. A group that the
 * backend lacks and a test whose facts or rights are missing are skipped visibly, with the reason in the name.
 *
 * Await it at the top level of the test file: it makes one subject beforehand to see which groups there are.
 *
 * @param factory makes a subject for each test; the test calls its `cleanup`
 */
export async function testBackend(
  name: string,
  factory: () => ContractSubject | Promise<ContractSubject>,
  { describe, it }: ContractRunner,
  options: ContractOptions = {},
): Promise<void> {
  requireNodeRelease();
  const probe = await factory();
  const plans = contractGroups
    .filter(({ capability }) => options.only?.includes(capability) ?? true)
    .map((group) => planOf(group, probe, options));
  await probe.cleanup();

  describe(`the backend ${name}`, () => {
    for (const { group, missing, tests } of plans) {
      describe(group.capability, () => {
        if (missing !== undefined) it.skip(`keeps its contract (${missing})`, nothing);
        for (const { sentence, reason, run } of tests) {
          if (reason === undefined) it(sentence, () => withSubject(factory, (subject) => inTime(sentence, run(subject), options.sentenceLimitMs ?? 60_000)));
          else it.skip(`${sentence} (${reason})`, nothing);
        }
      });
    }
  });
}

interface PlannedTest {
  readonly sentence: string;
  readonly reason: string | undefined;
  readonly run: (subject: ContractSubject) => Promise<void>;
}

interface Plan {
  readonly group: ContractGroup;
  readonly missing: string | undefined;
  readonly tests: readonly PlannedTest[];
}

function planOf(group: ContractGroup, probe: ContractSubject, options: ContractOptions): Plan {
  const missing = options.except?.[group.capability] ?? (group.isPresent(probe.backend) ? undefined : 'this backend has no such group');
  if (missing !== undefined) return { group, missing, tests: [] };
  const tests = group.cases.map((one) => ({
    sentence: one.name,
    reason: options.except?.[one.name] ?? one.skipReason(probe),
    run: (subject: ContractSubject) => one.run(subject),
  }));
  return { group, missing, tests };
}

async function withSubject(factory: () => ContractSubject | Promise<ContractSubject>, run: (subject: ContractSubject) => Promise<void>): Promise<void> {
  // A clock's timers keep no process alive: node:test would end while one is waited for.
  const alive = setInterval(() => undefined, 2 ** 30);
  try {
    const subject = await factory();
    try {
      await run(subject);
    } finally {
      await subject.cleanup();
    }
  } finally {
    clearInterval(alive);
  }
}

/** A backend whose session never ends, or whose call never answers, breaks its sentence and not the suite. */
async function inTime(sentence: string, test: Promise<void>, limitMs: number): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not kept within ${limitMs} ms, and not broken either: ${sentence}`)), limitMs);
  try {
    await Promise.race([test, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
