// SPDX-License-Identifier: Apache-2.0
/** Prints why a place is not trusted, for a process in a namespace of its own. */
import { statSync } from 'node:fs';

import { closeWalk, walkPath } from '../../../adapters/shared/trust/path-walk.ts';
import { agentUser, whyDistrusted } from '../../../adapters/shared/trust/rule.ts';

const [path = ''] = process.argv.slice(2);
const walk = walkPath(path);
closeWalk(walk);
const { uid, mode } = statSync(path);
process.stdout.write(`${JSON.stringify({ says: [uid, mode & 0o7777], why: whyDistrusted(walk.steps, agentUser()) ?? 'trusted' })}\n`);
