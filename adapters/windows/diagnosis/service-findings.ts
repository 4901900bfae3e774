// SPDX-License-Identifier: Apache-2.0
import { bad, good, warning } from '../../../core/diagnosis/finding.ts';
import type { Finding } from '../../../core/ports/diagnosis.ts';
import { isLocalSystem, queryService } from '../service-query.ts';
import { serviceName } from '../service-identity.ts';

/** The agent as a service: there, running, started at boot, as SYSTEM, and started again when it fails. */
export async function agentServiceFindings(): Promise<readonly Finding[]> {
  const subject = 'service';
  const facts = await queryService(serviceName);
  if (facts === undefined) return [warning(subject, `${serviceName} is not installed: the agent runs for as long as somebody runs it`, 'concierge-ga service install')];
  const { running, start, command, account, recovery } = facts;
  const unwell = [
    ...(isQuoted(command) ? [] : [bad(subject, `its path has a blank and no quotes, so that Windows would start another program: ${command}`, 'concierge-ga service uninstall, then concierge-ga service install')]),
    ...(start === 'automatic' ? [] : [warning(subject, `its start is ${start}: after a boot there is no agent`, `sc config ${serviceName} start= auto`)]),
    ...(running ? [] : [warning(subject, 'it does not run', 'concierge-ga service start; what it says is in the event log of applications')]),
    ...(isLocalSystem(facts) ? [] : [warning(subject, `it runs as ${account}: most commands need SYSTEM`, `sc config ${serviceName} obj= LocalSystem`)]),
    ...(recovery !== 0 ? [] : [warning(subject, 'nothing starts it again when it fails', `sc failure ${serviceName} reset= 86400 actions= restart/1000/restart/5000/restart/30000`)]),
  ];
  return unwell.length > 0 ? unwell : [good(subject, `${serviceName} runs, and starts with the system`)];
}

/** A path with a blank and no quotes means each of its beginnings too: C:\Program.exe. */
const isQuoted = (command: string): boolean => command.startsWith('"') || !/^[^"]*? [^"]*\.exe/i.test(command);

/** The port can be open once: qemu-ga takes it at every boot. */
export async function rivalFindings(): Promise<readonly Finding[]> {
  const subject = 'service QEMU-GA';
  const facts = await queryService('QEMU-GA');
  const remedy = 'sc stop QEMU-GA, sc config QEMU-GA start= disabled';
  if (facts === undefined) return [good(subject, 'is not installed: nobody else takes the port')];
  if (facts.running) return [bad(subject, 'runs, and has the port that this agent needs', remedy)];
  if (facts.start === 'disabled') return [good(subject, 'is disabled: it leaves the port alone')];
  return [warning(subject, `does not run, but its start is ${facts.start}: it may come first at the next boot`, remedy)];
}

/** What a freeze needs: the coordinator, COM+ for the provider, and its events. They are started when they are needed. */
export const vssServiceFindings = (): Promise<readonly Finding[]> => demandServices('services of VSS', ['VSS', 'COMSysApp', 'EventSystem', 'swprv'], 'bad', 'freezing');

/** Services of single commands. */
export async function commandServiceFindings(): Promise<readonly Finding[]> {
  return [
    ...(await demandServices('guest-set-time', ['W32Time'], 'warning', 'setting the clock without a time')),
    ...(await demandServices('guest-fstrim', ['defragsvc'], 'warning', 'trimming')),
  ];
}

async function demandServices(subject: string, names: readonly string[], verdict: 'bad' | 'warning', use: string): Promise<readonly Finding[]> {
  const facts = await Promise.all(names.map(async (name) => [name, await queryService(name)] as const));
  const unwell = facts.flatMap(([name, one]): readonly Finding[] => {
    if (one === undefined) return [{ subject, verdict, detail: `there is no service ${name}, which ${use} needs`, remedy: 'repair the system: sfc /scannow' }];
    if (one.start === 'disabled') return [{ subject, verdict, detail: `the service ${name} is disabled, and ${use} needs it`, remedy: `sc config ${name} start= demand` }];
    return [];
  });
  return unwell.length > 0 ? unwell : [good(subject, `${names.join(', ')}: can be started`)];
}
