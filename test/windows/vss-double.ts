// SPDX-License-Identifier: Apache-2.0
import { CallLog, built, setVariable } from './doubles.ts';

/** Puts the double of vssapi.dll in place; the provider that it drives is the real one, and so is what calls them. */
export const vssDlls: Readonly<Record<string, string>> = { 'vssapi.dll': built('vss\\vssapi-double.dll'), 'concierge-vss.dll': built('concierge-vss.dll') };

export interface Scene {
  /** `Step=0xCODE,…`: these steps fail. */
  readonly fail?: string;
  /** `Step=ms,…`: these take so long. */
  readonly slow?: string;
  /** Whether the provider is registered; default yes. */
  readonly provider?: boolean;
}

/** Sets up what the double does, and answers its log. */
export function vssScene({ fail, slow, provider = true }: Scene = {}): CallLog {
  const calls = new CallLog('CONCIERGE_VSS_LOG');
  setVariable('CONCIERGE_VSS_FAIL', fail);
  setVariable('CONCIERGE_VSS_SLOW', slow);
  setVariable('CONCIERGE_VSS_PROVIDER', provider ? built('concierge-vss.dll') : undefined);
  return calls;
}
