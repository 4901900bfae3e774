// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';

import { bad, good, warning } from '../../../core/diagnosis/finding.ts';
import type { Finding } from '../../../core/ports/diagnosis.ts';
import { programData } from '../../shared/program-data.ts';
import { advapi32 } from '../bindings/advapi32.ts';
import { kernel32 } from '../bindings/kernel32.ts';
import { type Out, type Pointer, wideText } from '../koffi.ts';
import { isElevated } from '../privileges.ts';
import { registryText } from '../registry.ts';
import { eventSource, eventSourceKey } from '../service-identity.ts';
import { administratorsKeys } from '../ssh-keys.ts';
import { lastWindowsError } from '../system-error.ts';
import { programFolders } from '../trust/program-place.ts';
import { windowsGuard } from '../trust/trusted-place.ts';
import { strangersWith } from './access-list.ts';

const OWNER_SECURITY_INFORMATION = 1;
const DACL_SECURITY_INFORMATION = 4;
const SDDL_REVISION_1 = 1;

export function rightsFindings(): readonly Finding[] {
  if (isElevated()) return [good('rights', 'this process has the rights of an administrator')];
  return [warning('rights', 'this process is not elevated: a service has the rights that it lacks, and not everything can be looked at', 'run this in an elevated console')];
}

/** Without a source the event log says that the description is missing, and shows the text all the same. */
export function eventSourceFindings(): readonly Finding[] {
  const file = registryText(eventSourceKey, 'EventMessageFile');
  if (file === undefined || file === '') return [warning('event log', `the source ${eventSource} is not registered: entries have no description`, 'concierge-ga service install, or the MSI')];
  if (!existsSync(file)) return [warning('event log', `the file of the source ${eventSource} is missing: ${file}`, 'install the package again')];
  return [good('event log', `entries have the source ${eventSource}`)];
}

/** sshd passes over a file of keys that others could have written. */
export function keyFileFindings(): readonly Finding[] {
  const subject = 'SSH keys';
  const { file } = administratorsKeys();
  if (!existsSync(file)) return [good(subject, 'administrators have no file of keys')];
  const strangers = strangersWith(accessListOf(file));
  if (strangers.length === 0) return [good(subject, `${file} belongs to administrators and SYSTEM alone`)];
  return [bad(subject, `${file} may be written by ${strangers.join(', ')}: sshd passes over it`, `icacls "${file}" /inheritance:r /grant *S-1-5-18:F /grant *S-1-5-32-544:F`)];
}

/** What a service of LocalSystem obeys, believes and runs. */
export function placeFindings(): readonly Finding[] {
  const subject = 'places';
  const own = `${programData()}\\concierge-ga`;
  const places = [...programFolders(), own, `${own}\\concierge-ga.conf`, `${programData()}\\qemu-ga\\qemu-ga.conf`].filter((path) => existsSync(path));
  // One folder above may be the reason for all of them.
  const unfit = new Set(places.flatMap((path) => windowsGuard.whyDistrusted(path) ?? []));
  if (unfit.size === 0) return [good(subject, `only administrators can write to ${places.join(', ')}`)];
  return Array.from(unfit, (reason) => {
    const [detail = reason, remedy = ''] = reason.split(': give it to administrators alone ');
    return bad(subject, `${detail}: it is not used, or not safe to be run as SYSTEM`, remedy.slice(1, -1));
  });
}

/** Owner and access list in the words of SDDL. @throws os error where they may not be read */
function accessListOf(path: string): string {
  const parts = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
  const descriptor = Buffer.alloc(65_536);
  if (advapi32.GetFileSecurityW(path, parts, descriptor, descriptor.length, [0]) === 0) throw lastWindowsError('GetFileSecurity', path);
  const text: Out<Pointer | null> = [null];
  if (advapi32.ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, SDDL_REVISION_1, parts, text, null) === 0 || text[0] === null) {
    throw lastWindowsError('ConvertSecurityDescriptorToStringSecurityDescriptor', path);
  }
  const sddl = wideText(text[0]);
  kernel32.LocalFree(text[0]);
  return sddl;
}
