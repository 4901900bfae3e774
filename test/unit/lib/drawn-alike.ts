// SPDX-License-Identifier: Apache-2.0
/** Lets fast-check draw the same in each run where `CONCIERGE_SEED` is given; a property with a seed of its own keeps it. */
import fc from 'fast-check';

const seed = process.env['CONCIERGE_SEED'];
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });
