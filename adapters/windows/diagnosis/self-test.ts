// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import type { Finding, FreezeTarget, Trial, TrialOutcome } from '../../../core/ports/index.ts';
import { kernel32 } from '../bindings/kernel32.ts';
import { portInformationCodes, VIRTIO_PORT_INFO } from '../bindings/virtio-serial.ts';
import { exitCodeOf, STILL_ACTIVE } from '../created-process.ts';
import { control, withDevice } from '../device-control.ts';
import { findExport } from '../exports.ts';
import { readFields } from '../layout.ts';
import { windowsProcesses } from '../processes.ts';
import { runProgram, systemProgram } from '../program.ts';
import { registryText } from '../registry.ts';
import { serviceName } from '../service-identity.ts';
import { queryService } from '../service-query.ts';
import { DRIVE_FIXED, volumes } from '../volumes.ts';
import { placeFindings } from './security-findings.ts';
import { providerFindings, writerFindings } from './vss-findings.ts';

const port = '\\\\.\\Global\\org.qemu.guest_agent.0';
const terminateAndQuery = 0x0401;
const SERVICE_ACCEPT_PRESHUTDOWN = 0x100;
const eventsMs = 30_000;

const notHere = (detail: string): TrialOutcome => ({ result: 'not here', detail });

/** Findings of `doctor` as one outcome. */
function outcomeOf(findings: readonly Finding[]): TrialOutcome {
  const unwell = findings.filter(({ verdict }) => verdict !== 'good');
  return { result: unwell.length === 0 ? 'passed' : 'failed', detail: (unwell.length === 0 ? findings : unwell).map(({ detail }) => detail).join('; ') };
}

/** A look at what Wine has not: its own words are the reason. */
const orNotHere = async (look: () => Promise<readonly Finding[]>): Promise<TrialOutcome> => {
  const found = await look().catch((error: unknown) => notHere(error instanceof Error ? error.message : String(error)));
  return 'result' in found ? found : outcomeOf(found);
};

/** What a person would do at an elevated console, for one file to send back. */
export function windowsTrials(freezeAndThaw: (targets: readonly FreezeTarget[]) => Promise<TrialOutcome>): readonly Trial[] {
  return [
    { subject: 'installed by the MSI', run: msi },
    { subject: 'told of a shutdown before other services', run: preshutdown },
    { subject: 'access lists', run: async () => outcomeOf(placeFindings()) },
    { subject: 'port of virtio-serial', run: portInformation },
    { subject: 'a program outlives who started it', run: survival },
    { subject: 'VSS provider, registered', run: registration },
    { subject: 'VSS provider, loaded and free to go', run: providerLibrary },
    { subject: 'writers before the freeze', run: () => orNotHere(() => writerFindings()) },
    { subject: 'freeze and thaw', run: () => freezeFixedVolumes(freezeAndThaw) },
    { subject: 'writers after the freeze', run: () => orNotHere(() => writerFindings()) },
    { subject: 'events of VSS in this minute', run: vssEvents },
  ];
}

async function msi(): Promise<TrialOutcome> {
  const options = registryText('SOFTWARE\\Concierge\\Guest Agent', 'Options');
  if (options === undefined) return notHere('it was not installed by the MSI');
  const service = await queryService(serviceName);
  return { result: service?.running === true ? 'passed' : 'failed', detail: `options '${options}', ${service === undefined ? 'no service' : `service ${service.running ? 'running' : 'not running'}, ${service.command}`}` };
}

/** A service that runs thaws while the disks, and VSS, are still there. How long the system waits is the system's own figure. */
async function preshutdown(): Promise<TrialOutcome> {
  const service = await queryService(serviceName);
  if (service === undefined) return notHere(`this system has no service ${serviceName}`);
  if (!service.running) return notHere(`the service ${serviceName} does not run, and one that does not is told of nothing`);
  const limit = service.preshutdownMs === undefined ? 'the manager does not tell how long it is waited for' : `waited for up to ${service.preshutdownMs / 1_000} s`;
  const accepted = `0x${service.accepted.toString(16)}`;
  return (service.accepted & SERVICE_ACCEPT_PRESHUTDOWN) === 0
    ? { result: 'failed', detail: `accepted controls ${accepted}, PRESHUTDOWN is not among them` }
    : { result: 'passed', detail: `accepted controls ${accepted}, PRESHUTDOWN among them; ${limit}` };
}

/** The driver has one program at a time, and takes the end of any other for that of the first. */
async function portInformation(): Promise<TrialOutcome> {
  if ((await queryService(serviceName))?.running === true) return notHere('the agent has the port: stop the service to have its driver asked');
  const answer = await withDevice(port, async (handle) => {
    for (const code of portInformationCodes) {
      const bytes = await control(handle, code, null, 1_024);
      if (bytes !== undefined) return readFields(VIRTIO_PORT_INFO, bytes);
    }
    return undefined;
  });
  if (answer === undefined) return notHere(`there is no ${port} that answers`);
  return { result: 'passed', detail: `port ${answer.Id}, host ${answer.HostConnected === 0 ? 'absent' : 'connected'}, queue ${answer.OutVqFull === 0 ? 'free' : 'full'}` };
}

/** This program anew starts one and ends; then it has to be there still. */
async function survival(): Promise<TrialOutcome> {
  const again = [...process.execArgv, process.argv[1] ?? '', 'doctor', '--self-test', 'leave-child'];
  const { stdout } = await promisify(execFile)(process.execPath, again, { timeout: 60_000, windowsHide: true });
  const pid = Number(/pid (\d+)/.exec(stdout)?.[1]);
  const handle = Number.isInteger(pid) ? kernel32.OpenProcess(terminateAndQuery, 0, pid) : 0n;
  if (handle === 0n) return { result: 'failed', detail: `the program has gone with the one that started it: ${stdout.trim()}` };
  const goesOn = exitCodeOf(handle) === STILL_ACTIVE;
  kernel32.TerminateProcess(handle, 0);
  kernel32.CloseHandle(handle);
  return goesOn ? { result: 'passed', detail: 'it goes on' } : { result: 'failed', detail: 'it has ended' };
}

/** What this program does for `--self-test leave-child`: it starts another one, says which, and ends. */
export async function startChild(): Promise<TrialOutcome> {
  const { pid } = await windowsProcesses.spawn({ path: systemProgram('ping.exe'), arguments: ['-n', '60', '127.0.0.1'], output: 'discard', errors: 'discard' });
  return { result: 'passed', detail: `pid ${pid}` };
}

async function registration(): Promise<TrialOutcome> {
  if ((await queryService('VSS')) === undefined) return notHere('this system has no service VSS');
  return orNotHere(async () => providerFindings());
}

async function providerLibrary(): Promise<TrialOutcome> {
  try {
    const there = findExport('concierge-vss.dll', 'DllCanUnloadNow');
    return there === undefined ? { result: 'failed', detail: 'it has no DllCanUnloadNow' } : { result: 'passed', detail: 'its functions are there' };
  } catch (error) {
    return notHere(error instanceof Error ? error.message : String(error));
  }
}

async function freezeFixedVolumes(freezeAndThaw: (targets: readonly FreezeTarget[]) => Promise<TrialOutcome>): Promise<TrialOutcome> {
  const targets = (await volumes()).filter(({ driveType }) => driveType === DRIVE_FIXED).map(({ name, paths }) => ({ id: name, mountPoint: paths[0] ?? name }));
  const outcome = await freezeAndThaw(targets).catch((error: unknown): TrialOutcome => ({ result: 'failed', detail: error instanceof Error ? error.message : String(error) }));
  // Wine's, which has no VSS.
  return /E_NOTIMPL|0x80004001|VSS provider is missing/i.test(outcome.detail) ? notHere(outcome.detail) : outcome;
}

async function vssEvents(): Promise<TrialOutcome> {
  const query = "*[System[(Provider[@Name='VSS'] or Provider[@Name='Concierge-ga'] or Provider[@Name='VolSnap']) and TimeCreated[timediff(@SystemTime) <= 60000]]]";
  try {
    const { code, output } = await runProgram(systemProgram('wevtutil.exe'), ['qe', 'Application', `/q:${query}`, '/f:text', '/c:20', '/rd:true'], eventsMs);
    if (code !== 0) return notHere(`wevtutil ended with ${code ?? 'no end in time'}`);
    return { result: 'passed', detail: output.trim() === '' ? 'none' : output.trim().slice(0, 4_000) };
  } catch (error) {
    return notHere(error instanceof Error ? error.message : String(error));
  }
}
