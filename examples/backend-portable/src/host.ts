// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from 'node:fs';
import { hostname, machine, release, type, version } from 'node:os';
import { AgentError, type Host, type OsInformation } from 'concierge-ga/kit';

/** Where systems say what they are, in the form of os-release(5); FreeBSD writes the second at start. */
const releaseFiles = ['/etc/os-release', '/var/run/os-release', '/usr/lib/os-release'];

function releaseFile(): ReadonlyMap<string, string> {
  const file = releaseFiles.find((path) => existsSync(path));
  const lines = file === undefined ? [] : readFileSync(file, 'utf8').split('\n');
  return new Map(lines.flatMap((line) => {
    const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value.replace(/^(["'])(.*)\1$/, '$2').replaceAll(/\\(.)/g, '$1')] as const];
  }));
}

function osInformation(): OsInformation {
  const file = releaseFile();
  const optional = (member: keyof OsInformation, name: string): OsInformation => (file.has(name) ? { [member]: file.get(name) ?? '' } : {});
  return {
    kernelRelease: release(),
    kernelVersion: version(),
    machine: machine(),
    id: type().toLowerCase(),
    name: type(),
    ...optional('id', 'ID'), ...optional('name', 'NAME'), ...optional('prettyName', 'PRETTY_NAME'), ...optional('version', 'VERSION'),
    ...optional('versionId', 'VERSION_ID'), ...optional('variant', 'VARIANT'), ...optional('variantId', 'VARIANT_ID'),
  };
}

/** The abbreviation in force where the system's data have one (`CET`), else none. */
function zoneName(now: Date): string | undefined {
  const name = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(now).find((part) => part.type === 'timeZoneName')?.value;
  return name !== undefined && /^[A-Z]+$/.test(name) ? name : undefined;
}

export const host: Host = {
  hostName: {
    get: async () => {
      const name = hostname();
      if (name === '') throw AgentError.failed('this machine has no host name');
      return name;
    },
  },
  timeZone: {
    get: async () => {
      const now = new Date();
      const zone = zoneName(now);
      // Node counts minutes to the west.
      return { offset: now.getTimezoneOffset() * -60 || 0, ...(zone === undefined ? {} : { zone }) };
    },
  },
  osInformation: { get: async () => osInformation() },
};
