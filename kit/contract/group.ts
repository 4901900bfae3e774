// SPDX-License-Identifier: Apache-2.0
import type { CapabilityGroup } from '../../core/ports/capabilities.ts';
import type { Backend } from '../../core/ports/index.ts';
import type { ContractSubject } from './subject.ts';

/** One sentence about how a capability group behaves. */
export interface ContractCase<Port> {
  readonly name: string;
  /** What is missing for it: `needs a FIFO`; undefined when it can run. */
  readonly skip?: (subject: ContractSubject) => string | undefined;
  readonly run: (port: Port, subject: ContractSubject) => Promise<void>;
}

/** The contract of a capability group, with the type of its port closed over. */
export interface ContractGroup<Name extends CapabilityGroup = CapabilityGroup> {
  readonly capability: Name;
  isPresent(backend: Backend): boolean;
  readonly cases: readonly {
    readonly name: string;
    skipReason(subject: ContractSubject): string | undefined;
    run(subject: ContractSubject): Promise<void>;
  }[];
}

/** @param pick the port of the group in a backend */
export const contractGroup = <Name extends CapabilityGroup, Port extends object>(
  capability: Name,
  pick: (backend: Backend) => Port | undefined,
  cases: readonly ContractCase<Port>[],
): ContractGroup<Name> => ({
  capability,
  isPresent: (backend) => pick(backend) !== undefined,
  cases: cases.map(({ name, skip, run }) => ({
    name,
    skipReason: (subject) => skip?.(subject),
    run: async (subject) => {
      const port = pick(subject.backend);
      if (port === undefined) throw new Error(`the first backend that the factory made had ${capability}, this one has not`);
      await run(port, subject);
    },
  })),
});

/** Lets the backend's time pass, where it does not by itself. */
export const timePasses = async (subject: ContractSubject, ms: number): Promise<void> => subject.passTime?.(ms);
