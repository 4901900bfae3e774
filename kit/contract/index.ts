// SPDX-License-Identifier: Apache-2.0
/** For the tests of a backend: the contract that every one keeps, and what the suite has to know of a machine. */
export { loadBackend } from '../../adapters/third-party/load-backend.ts';
export { posixPrograms, type ContractPrograms, type ProgramCall } from './programs.ts';
export { scratchOnDisk, type ScratchFiles } from './scratch.ts';
export type { ContractSubject, KnownFacts, SafeTargets } from './subject.ts';
export { testBackend, type ContractOptions, type ContractRunner } from './test-backend.ts';
