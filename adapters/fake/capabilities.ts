// SPDX-License-Identifier: Apache-2.0
import { capabilityGroups, type CapabilityGroup } from '../../core/ports/capabilities.ts';

/** Groups that a guest in memory always has, or never: its time goes on, and the system that it runs on brings the rest. */
const fixed = ['clock', 'channels', 'diagnosis'] as const;

type FakeGroup = Exclude<CapabilityGroup, (typeof fixed)[number]>;
type PortOf<Name extends string> = Name extends `${infer Port}.${string}` ? Port : Name;

/** Parts of the backend that can be left out, as by an operating system that does not have them: ports, and groups of ports. */
export type FakeCapability = FakeGroup | Exclude<PortOf<FakeGroup>, 'clock'>;

const isFakeGroup = (group: CapabilityGroup): group is FakeGroup => !(fixed as readonly string[]).includes(group);
const portOf = (group: FakeGroup): FakeCapability | 'clock' => group.split('.', 1)[0] as FakeCapability | 'clock';

/** All of them, a port before its groups. */
export const fakeCapabilities: readonly FakeCapability[] = [
  ...new Set(capabilityGroups.filter(isFakeGroup).flatMap((group) => [portOf(group), group]).filter((name) => name !== 'clock')),
];
