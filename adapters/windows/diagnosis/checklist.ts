// SPDX-License-Identifier: Apache-2.0
import type { Finding } from '../../../core/ports/diagnosis.ts';

/** One thing that only a person before a real Windows can see. */
export interface Check {
  readonly subject: string;
  /** What to type, and where. */
  readonly how: string;
  readonly expected: string;
}

/**
 * What neither `doctor --self-test` nor `concierge-ctl verify` sees, to be gone through at an elevated console. The table of
 * docs/windows.md is this list; a test holds the two together.
 */
export const checklist: readonly Check[] = [
  { subject: 'MSI, as another user', how: '`msiexec /fa concierge-ga-….msi` at a console that is not elevated', expected: 'no window of SYSTEM appears, and nothing is changed' },
  { subject: 'MSI, options in a repair', how: '`msiexec /fa concierge-ga-….msi OPTIONS=--evil` as an ordinary user, then `concierge-ga doctor --self-test`', expected: 'the command of the service as before; the same after `msiexec /fa {ProductCode} OPTIONS=--evil`' },
  { subject: 'MSI, an upgrade that fails', how: '`msiexec /i concierge-ga-….msi /qn OPTIONS=--no-such-option` of a newer version or another build, then `concierge-ga doctor --self-test`', expected: 'the older one is there and runs, with its own options and the provider' },
  { subject: 'waiting for a port', how: 'on the host: `virsh detach-device` of the channel and, a minute later, `virsh attach-device`', expected: 'the detachment does not wait; an answer within seconds of the attachment' },
  { subject: 'no host', how: 'on the host: leave the channel without a client for an hour; `tasklist /v` before and after', expected: 'no processor time of the agent meanwhile' },
  { subject: 'event log', how: 'a wrong line in the configuration, `sc start concierge-ga`; Event Viewer, Application', expected: 'the line by its text, without a word of a missing description; `sc query concierge-ga` says 1066 and 1' },
  { subject: 'vsock, if there', how: '`concierge-ga -m vsock-listen -p 4294967295:1024`; on the host `socat - VSOCK-CONNECT:CID:1024`', expected: 'an answer to `{"execute":"guest-ping"}`' },
  { subject: 'limit', how: 'thaw after 15 s', expected: 'the sentence about 10 seconds; `guest-fsfreeze-status` says `thawed` before' },
  { subject: 'SQL Server, if there', how: 'a freeze; then its error log', expected: '`I/O is frozen`, `I/O was resumed`; no backup that breaks the log chain' },
  { subject: 'death', how: 'freeze, then `taskkill /f /im concierge-ga.exe`', expected: 'writes go on at once; the service restarts' },
  { subject: 'disks', how: '`guest-get-disks`, `guest-get-fsinfo`', expected: 'bus type, PCI address and serial as the host has them' },
  { subject: 'devices', how: '`guest-get-devices`', expected: 'the VirtIO drivers with the versions of the Device Manager' },
  { subject: 'users', how: 'log in by console and RDP, `guest-get-users`', expected: 'both, with the time of login' },
  { subject: 'password', how: '`virsh set-user-password VM USER secret`', expected: 'the new one works' },
  { subject: 'keys', how: '`guest-ssh-add-authorized-keys` for an administrator and for another user; `icacls` on both files', expected: 'sshd takes both keys; SYSTEM, Administrators and, for the other, the user: `(F)`, nothing inherited' },
  { subject: 'streams', how: '`guest-file-open` of `C:\\x.txt:s`, mode `w`; then `dir /r C:\\`', expected: 'the stream is there, and `x.txt` has no byte more' },
  { subject: 'shutdown, reboot, sleep', how: '`virsh shutdown --mode agent`, `virsh dompmsuspend VM mem`', expected: 'at once; nothing asks' },
  { subject: 'trim', how: '`virsh domfstrim VM`', expected: 'no `error`; the host\'s image shrinks; in another language too' },
  { subject: 'time', how: '`virsh domtime VM --now`', expected: 'the clock of the guest' },
  { subject: 'removal', how: '`msiexec /x … /qn`', expected: 'no service, provider, COM+ application, folder or registry key; `%ProgramData%\\concierge-ga` stays, with the configuration and the counter of handles' },
];

export const byHand: readonly Finding[] = checklist.map(({ subject, how, expected }) => ({
  subject,
  verdict: 'by-hand',
  detail: 'is shown by a real Windows alone',
  remedy: `${how}; expected: ${expected}`,
}));

/** The rows of the table in docs/windows.md. */
export const checklistRows: readonly string[] = checklist.map(({ subject, how, expected }) => `| ${subject} | ${how} | ${expected} |`);
