// SPDX-License-Identifier: Apache-2.0
/**
 * The agent as a service with doubles: the event log and VSS, whose calls are lines of one file. A service has the environment
 * of the registry and not that of whoever starts it.
 *
 *     node service-entry.ts BUILD LOG OPTIONS...
 */
import { replaceDlls } from '../../adapters/windows/dll.ts';

const [build = '', log = ''] = process.argv.splice(2, 2);
process.env['CONCIERGE_TEST_BUILD'] = build;
const { built, setVariable } = await import('./doubles.ts');
const { vssDlls } = await import('./vss-double.ts');
setVariable('CONCIERGE_DOUBLES_LOG', log);
setVariable('CONCIERGE_VSS_LOG', log);
setVariable('CONCIERGE_VSS_PROVIDER', built('concierge-vss.dll'));
replaceDlls({ ...vssDlls, 'advapi32.dll!RegisterEventSourceW': built('doubles.dll'), 'advapi32.dll!ReportEventW': built('doubles.dll') });
await import('../../adapters/cli/main.ts');
