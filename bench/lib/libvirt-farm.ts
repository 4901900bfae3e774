// SPDX-License-Identifier: Apache-2.0
/** A libvirt daemon with so many domains whose agents answer at once: `node libvirt-farm.ts DIRECTORY COUNT`. Prints a line when it listens. */
import { LibvirtDouble } from '../../test/unit/client/libvirt-double.ts';

const [, , directory = '', count = '0'] = process.argv;
const answers: Readonly<Record<string, string>> = {
  'guest-info': '{"return": {"version": "10.0.2", "supported_commands": [{"enabled": true, "name": "guest-ping", "success-response": true}]}}',
  'guest-get-host-name': '{"return": {"host-name": "guest"}}',
  'guest-get-osinfo': '{"return": {"id": "debian", "pretty-name": "Debian GNU/Linux 13 (trixie)", "kernel-release": "6.12.0", "machine": "x86_64"}}',
  'guest-get-time': '{"return": 1790000000000000000}',
  'guest-get-timezone': '{"return": {"zone": "UTC", "offset": 0}}',
  'guest-fsfreeze-status': '{"return": "thawed"}',
};
const agent = (request: string): string => {
  const { execute } = JSON.parse(request) as { readonly execute: string };
  return answers[execute] ?? '{"return": {}}';
};
await new LibvirtDouble(directory, {
  domains: Array.from({ length: Number(count) }, (_, index) => ({ name: `guest${index}`, uuid: `656e230b-6f26-48b1-90a9-${index.toString(16).padStart(12, '0')}`, id: index + 1, agent })),
}).start();
console.log('listening');
