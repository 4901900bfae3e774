// SPDX-License-Identifier: Apache-2.0
import { bad, good, warning } from '../../../core/diagnosis/finding.ts';
import { messageOf } from '../../../core/errors/agent-error.ts';
import type { Finding } from '../../../core/ports/index.ts';
import type { Settings } from '../../config/settings.ts';
import type { Composition } from '../composition.ts';

/** Whether the agent can use its rules, and what is odd about them; nothing where it has none. */
export async function policyFindings(settings: Settings, composition: Pick<Composition, 'loadPolicy'>): Promise<readonly Finding[]> {
  try {
    const { rules: { rules, otherwise }, files, warnings } = await composition.loadPolicy(settings);
    if (warnings.length > 0) return warnings.map((line) => warning('policy', line, 'correct what it names, look with concierge-ga policy check, and have the agent read it again by SIGHUP'));
    if (rules.length === 0 && otherwise === 'allow') return [];
    return [good('policy', `profile ${[settings.profile, ...settings.channels.map(({ name, profile }) => `${profile} by ${name}`)].join(', ')}; files of rules: ${files.length === 0 ? 'none' : files.join(', ')}`)];
  } catch (error) {
    return messageOf(error).split('\n').map((line) => bad('policy', line, 'correct it, and send SIGHUP: an agent that starts with it answers only what a host needs for a thaw'));
  }
}
