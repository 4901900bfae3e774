// SPDX-License-Identifier: Apache-2.0
import { accessSync, constants, existsSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { deviceHolder } from './device-holder.ts';

/** Where the kernel shows devices and processes; tests have their own. */
export interface KernelTrees {
  readonly sys: string;
  readonly proc: string;
  readonly dev: string;
}

const kernelTrees: KernelTrees = { sys: '/sys', proc: '/proc', dev: '/dev' };

/** The virtio device that a port belongs to, with all its ports (Documentation/ABI/testing/sysfs-bus-virtio and virtio_console of Linux). */
export class PortDevice {
  readonly #device: string;
  readonly #others: readonly string[];
  readonly #trees: KernelTrees;

  private constructor(device: string, others: readonly string[], trees: KernelTrees) {
    this.#device = device;
    this.#others = others;
    this.#trees = trees;
  }

  /** @throws os error where the path leads to no port that the kernel knows */
  static of(path: string, trees: KernelTrees = kernelTrees): PortDevice {
    const port = basename(realpathSync(path));
    const ports = dirname(realpathSync(join(trees.sys, 'class/virtio-ports', port)));
    return new PortDevice(dirname(ports), readdirSync(ports).filter((name) => name !== port), trees);
  }

  /**
   * Who else would lose a port with it; `undefined`: nobody.
   *
   * @throws os error where this process may not reset it: as another user than root, or where /sys is read-only
   */
  inUse(): string | undefined {
    const { driver } = this.names;
    for (const file of ['unbind', 'bind']) accessSync(join(driver, file), constants.W_OK);
    const { sys, proc, dev } = this.#trees;
    // A port that is a console is held by the kernel, and nothing here says which one it is.
    if (this.#others.length > 0 && existsSync(join(sys, 'class/tty/hvc0'))) return 'a console may be on another of its ports';
    for (const other of this.#others) {
      const holder = deviceHolder(join(dev, other), proc);
      if (holder !== undefined) return `${holder} has another of its ports open`;
    }
    return undefined;
  }

  /** What sysfs calls it, and the directory of its driver. */
  get names(): { readonly device: string; readonly driver: string } {
    return { device: basename(this.#device), driver: realpathSync(join(this.#device, 'driver')) };
  }

  /** Takes the device from its driver and gives it back: all its ports go and come again. Nothing may come between the two. */
  reset(): void {
    const { device, driver } = this.names;
    writeFileSync(join(driver, 'unbind'), device);
    writeFileSync(join(driver, 'bind'), device);
  }
}
