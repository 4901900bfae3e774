// SPDX-License-Identifier: Apache-2.0
import { commands } from '../../core/schema/index.ts';
import { program } from '../wire/lib/agent-process.ts';
import { allowed } from './grammar.ts';

export const ownCommand = [program];

/** Nothing may be called that changes the machine: the agents run as root, and what they are sent is made by chance. */
export const blockList = ['-b', [...commands.map(({ name }) => name), 'guest-get-devices'].filter((name) => !allowed.includes(name)).join(',')];
