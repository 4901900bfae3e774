// SPDX-License-Identifier: Apache-2.0
import type { Ready } from './file-system.ts';

/** What this guest says of itself. */
export interface Host {
  readonly hostName?: {
    /** The kernel's host name (NetBIOS name on Windows), asked afresh. */
    get(): Ready<string>;
  };
  readonly timeZone?: {
    /** Seconds east of UTC now, daylight saving included, and the abbreviation in force. */
    get(): Ready<{ readonly offset: number; readonly zone?: string }>;
  };
  readonly osInformation?: {
    get(): Ready<OsInformation>;
  };
  readonly devices?: {
    /** Drivers of paravirtual devices (Windows). */
    list(): Promise<readonly DeviceDriver[]>;
  };
  readonly driverPackages?: {
    /** Packages of drivers that somebody has added to the system's store, whoever made them and whether or not a device uses them (Windows). */
    list(): Promise<readonly DriverPackage[]>;
  };
  readonly driverServices?: {
    /** Every driver that the system knows as a service, running or not (Windows). */
    list(): Promise<readonly DriverService[]>;
  };
}

/** os-release(5) and uname(2), or what stands for them. Absent members are unknown. */
export interface OsInformation {
  readonly kernelRelease?: string;
  readonly kernelVersion?: string;
  readonly machine?: string;
  readonly id?: string;
  readonly name?: string;
  readonly prettyName?: string;
  readonly version?: string;
  readonly versionId?: string;
  readonly variant?: string;
  readonly variantId?: string;
}

export interface DeviceDriver {
  readonly driverName: string;
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly driverDate?: bigint;
  readonly driverVersion?: string;
  readonly pciId?: { readonly vendorId: number; readonly deviceId: number };
}

export interface DriverPackage {
  /** What the system calls it: `oem3.inf`. */
  readonly name: string;
  /** What its maker called it: `netkvm.inf`. */
  readonly originalName?: string;
  readonly version: string;
  readonly vendor?: string;
}

export interface DriverService {
  readonly name: string;
  /** Where its file lies. */
  readonly driverPath?: string;
  /** Of its file, as its maker. */
  readonly version?: string;
  readonly vendor?: string;
  readonly status: 'stopped' | 'start-pending' | 'stop-pending' | 'running' | 'continue-pending' | 'pause-pending' | 'paused' | 'unknown';
}
