// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import type { Accounts } from '../../../core/ports/index.ts';
import { textFromBytes } from '../text.ts';

/** What of the native addon this needs. */
export interface GroupsAddon {
  /** Through the system's name services; `undefined` for an unknown user. A group without a name has its number. */
  groupNamesOf(user: string): Promise<readonly Buffer[] | undefined>;
}

export const linuxGroups = (addon: GroupsAddon): NonNullable<Accounts['groups']> => ({
  of: async (user) => {
    const names = user.includes('\0') ? undefined : await addon.groupNamesOf(user);
    if (names === undefined) throw AgentError.failed(`failed to lookup user '${user}': no such user`);
    return names.map(textFromBytes);
  },
});
