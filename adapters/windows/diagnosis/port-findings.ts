// SPDX-License-Identifier: Apache-2.0
import { bad, good, warning } from '../../../core/diagnosis/finding.ts';
import type { Finding } from '../../../core/ports/diagnosis.ts';
import { kernel32 } from '../bindings/kernel32.ts';
import { deviceInterfaces } from '../device-set.ts';
import { guidBytes } from '../guid.ts';
import { queryService } from '../service-query.ts';

/** vioser's class of ports; it is in its own header, not in Windows'. */
const virtioPortClass = guidBytes('6fde7521-1b65-48ae-b628-80be62016026');
const alias = 'Global\\org.qemu.guest_agent.0';

/** The driver of VirtIO serial, its ports, and the name of the agent's; nothing is opened, so that the agent may run. */
export async function portFindings(): Promise<readonly Finding[]> {
  const subject = 'virtio port';
  const driver = await queryService('VirtioSerial');
  if (driver === undefined) return [warning(subject, 'the VirtIO serial driver is not installed: the agent can be reached over a COM port only', 'install the driver vioser of virtio-win')];
  if (!driver.running) return [bad(subject, 'the VirtIO serial driver is installed and does not run: no such controller, or another version of the driver', 'add a virtio-serial controller on the host, or install the driver again')];
  const ports = deviceInterfaces(virtioPortClass).length;
  if (ports === 0) return [bad(subject, 'the driver runs, and there is no port', 'add a channel org.qemu.guest_agent.0 on the host')];
  if (!hasName(alias)) return [bad(subject, `${ports} there, and none is org.qemu.guest_agent.0`, 'add a channel of that name on the host')];
  return [good(subject, `org.qemu.guest_agent.0 is there, of ${ports}`)];
}

/** Whether the system knows a device by this name. */
const hasName = (name: string): boolean => kernel32.QueryDosDeviceW(name, Buffer.alloc(2048), 1024) !== 0;
