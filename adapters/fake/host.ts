// SPDX-License-Identifier: Apache-2.0
import type { DeviceDriver, DriverPackage, DriverService, Host, OsInformation } from '../../core/ports/index.ts';

export interface HostDescription {
  readonly name: string;
  readonly timeZone: { readonly offset: number; readonly zone?: string };
  readonly osInformation: OsInformation;
  /** Only Windows tells; absent: the guest has no such list. */
  readonly devices?: readonly DeviceDriver[];
  readonly driverPackages?: readonly DriverPackage[];
  readonly driverServices?: readonly DriverService[];
}

const copyOf = <T>(list: readonly T[] | undefined): T[] | undefined => (list === undefined ? undefined : [...list]);

/** What the fake says of itself; every member may be changed. */
export class FakeHost {
  name: string;
  timeZone: HostDescription['timeZone'];
  osInformation: OsInformation;
  readonly devices: DeviceDriver[] | undefined;
  readonly driverPackages: DriverPackage[] | undefined;
  readonly driverServices: DriverService[] | undefined;

  constructor(description: HostDescription) {
    this.name = description.name;
    this.timeZone = description.timeZone;
    this.osInformation = description.osInformation;
    this.devices = copyOf(description.devices);
    this.driverPackages = copyOf(description.driverPackages);
    this.driverServices = copyOf(description.driverServices);
  }

  port(): Host {
    const { devices, driverPackages, driverServices } = this;
    return {
      hostName: { get: async () => this.name },
      timeZone: { get: async () => this.timeZone },
      osInformation: { get: async () => this.osInformation },
      ...(devices === undefined ? {} : { devices: { list: async () => [...devices] } }),
      ...(driverPackages === undefined ? {} : { driverPackages: { list: async () => [...driverPackages] } }),
      ...(driverServices === undefined ? {} : { driverServices: { list: async () => [...driverServices] } }),
    };
  }
}
