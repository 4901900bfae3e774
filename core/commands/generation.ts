// SPDX-License-Identifier: Apache-2.0
import { conciergeGeneration } from '../schema/generation.ts';
import { handler } from './command.ts';

export const generation = handler(conciergeGeneration, (context) => context.generation.report());
