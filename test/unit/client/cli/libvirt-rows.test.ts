// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';

import { subcommands } from '../../../../client/cli/subcommands.ts';
import { libvirtRows } from '../../../vm/lab/libvirt-rows.ts';

it('every subcommand is shown with a real libvirt, and nothing else is', () => {
  expect(Object.keys(libvirtRows).toSorted()).toEqual(subcommands.map(({ name }) => name).toSorted());
  for (const [name, rows] of Object.entries(libvirtRows)) expect(rows, name).not.toHaveLength(0);
});
