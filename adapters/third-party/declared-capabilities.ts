// SPDX-License-Identifier: Apache-2.0
import { capabilityGroups, hasCapability, type CapabilityGroup } from '../../core/ports/capabilities.ts';
import type { Backend } from '../../core/ports/index.ts';

/** What a backend can bring beside its clock: a port, or a group of one, with dots. */
export type BackendCapability = Exclude<CapabilityGroup, 'clock'>;

export const capabilities: readonly BackendCapability[] = capabilityGroups.filter((group) => group !== 'clock');

export const isCapability = (name: unknown): name is BackendCapability => capabilities.some((known) => known === name);

/** Everything that a backend brings. */
export const capabilitiesOf = (backend: Backend): readonly BackendCapability[] => capabilities.filter((one) => hasCapability(backend, one));
