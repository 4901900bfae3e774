// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './product-facts.ts';

/** Where the packages of distributions put things. */
export const places = {
  lib: '/usr/lib/concierge-ga',
  share: '/usr/share/concierge-ga',
  doc: '/usr/share/doc/concierge-ga',
  etc: '/etc/concierge-ga',
  units: '/usr/lib/systemd/system',
  rules: '/usr/lib/udev/rules.d',
} as const;

/** The text of a file in packaging/. */
export const packagingFile = (name: string): string => readFileSync(join(repository, 'packaging', name), 'utf8');
