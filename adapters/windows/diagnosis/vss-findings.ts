// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';

import { bad, good, warning } from '../../../core/diagnosis/finding.ts';
import type { Finding } from '../../../core/ports/diagnosis.ts';
import { guidText } from '../guid.ts';
import { isElevated } from '../privileges.ts';
import { registryNumber, registryText } from '../registry.ts';
import { isLocalSystem, queryService } from '../service-query.ts';
import { comSecurityProblem, joinApartment } from '../vss/apartment.ts';
import { backupTypes, classId, optionsKey, providerId, providerName } from '../vss/identity.ts';
import { defaultLimits } from '../vss/limits.ts';
import { Steps } from '../vss/steps.ts';
import { writers } from '../vss/writers.ts';

const VSS_CTX_BACKUP = 0;

const install = 'concierge-ga vss install, elevated';

/** The provider, without which no freeze is held: known to VSS, to COM+, and its file where they look for it. */
export async function providerFindings(): Promise<readonly Finding[]> {
  const subject = 'VSS provider';
  if (registryText(`SYSTEM\\CurrentControlSet\\Services\\VSS\\Providers\\${guidText(providerId)}`, '') === undefined) {
    return [bad(subject, 'is not registered with VSS: no freeze can be made', install)];
  }
  const library = registryText(`SOFTWARE\\Classes\\CLSID\\${guidText(classId)}\\InprocServer32`, '');
  if (library === undefined || library === '') return [bad(subject, 'has no class: VSS could not load it', install)];
  if (!existsSync(library)) return [bad(subject, `its file is missing: ${library}`, 'install the package again')];
  const application = await queryService(providerName);
  if (application === undefined) return [bad(subject, `there is no COM+ application ${providerName} for it to run in`, install)];
  if (application.start === 'disabled') return [bad(subject, `the service of its COM+ application, ${providerName}, is disabled`, `sc config "${providerName}" start= demand`)];
  if (!isLocalSystem(application)) return [bad(subject, `its COM+ application, ${providerName}, runs as ${application.account}, which cannot hold volumes`, install)];
  return [good(subject, `is registered with VSS and COM+; writers are told of a backup of type ${backupType()}`)];
}

const backupType = (): string => {
  const set = registryNumber(optionsKey, 'VssOption');
  return Object.entries(backupTypes).find(([, number]) => number === set)?.[0] ?? 'copy';
};

/** Nobody waits at a console for as long as a backup does. */
const limits = { ...defaultLimits, callMs: 10_000, gatherMs: 30_000 };

/** How the writers are, by asking and without a freeze: none is told of a backup. */
export async function writerFindings(within = limits): Promise<readonly Finding[]> {
  const subject = 'VSS writers';
  if (!isElevated()) return [warning(subject, 'are told to administrators only', 'run this elevated')];
  joinApartment();
  const steps = new Steps(within);
  const components = await steps.createBackupComponents();
  try {
    await steps.demand('failed to initialize for backup', components.InitializeForBackup(null));
    // As for a backup that is never begun: writers have a state for those only who asked them for their metadata.
    await steps.demand('failed to set backup state', components.SetBackupState(1, 1, backupTypes.copy, 0));
    await steps.demand('failed to set backup context', components.SetContext(VSS_CTX_BACKUP));
    await steps.complete('failed to gather writer metadata', within.gatherMs, (out) => components.GatherWriterMetadata(out));
    await steps.attempt('failed to free writer metadata', components.FreeWriterMetadata());
    const all = await writers(steps, components);
    const failed = all.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
    const security = comSecurityProblem();
    if (security !== undefined) return [warning(subject, security)];
    if (failed.length === 0) return [good(subject, `${all.length}, and none has failed`)];
    return failed.map((clause) => warning(subject, clause, 'start the service of that application again; vssadmin list writers shows it too'));
  } finally {
    components.release();
  }
}
