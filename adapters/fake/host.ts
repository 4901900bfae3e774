// SPDX-License-Identifier: Apache-2.0
import type { DeviceDriver, Host, OsInformation } from '../../core/ports/index.ts';

export interface HostDescription {
  readonly name: string;
  readonly timeZone: { readonly offset: number; readonly zone?: string };
  readonly osInformation: OsInformation;
  /** Only Windows tells; absent: the guest has no such list. */
  readonly devices?: readonly DeviceDriver[];
}

/** What the fake says of itself; every member may be changed. */
export class FakeHost {
  name: string;
  timeZone: HostDescription['timeZone'];
  osInformation: OsInformation;
  readonly devices: DeviceDriver[] | undefined;

  constructor(description: HostDescription) {
    this.name = description.name;
    this.timeZone = description.timeZone;
    this.osInformation = description.osInformation;
    this.devices = description.devices === undefined ? undefined : [...description.devices];
  }

  port(): Host {
    const { devices } = this;
    return {
      hostName: { get: async () => this.name },
      timeZone: { get: async () => this.timeZone },
      osInformation: { get: async () => this.osInformation },
      ...(devices === undefined ? {} : { devices: { list: async () => [...devices] } }),
    };
  }
}
