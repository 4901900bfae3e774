// SPDX-License-Identifier: Apache-2.0

/** `struct utmpx` of glibc on x86_64. */
const SIZE = 384;
const USER_PROCESS = 7;

/** A script that writes somebody down in utmp(5), as logins do; systemd of Debian 13 no longer can. */
export function login(user: string, secondsSinceEpoch = Math.floor(Date.now() / 1000)): string {
  const record = Buffer.alloc(SIZE);
  record.writeInt16LE(USER_PROCESS, 0);
  record.write('lab', 8);
  record.write('lab', 40);
  record.write(user, 44);
  record.writeInt32LE(secondsSinceEpoch, 340);
  return `echo ${record.toString('base64')} | base64 -d >>/run/utmp`;
}

/** Who is written down in utmp(5), given in base64, and since when in seconds; tools that read it are gone from newer releases, or ask logind. */
export function loggedIn(utmp: string): { readonly name: string; readonly seconds: number; readonly microseconds: number }[] {
  const file = Buffer.from(utmp, 'base64');
  const records = Array.from({ length: Math.floor(file.length / SIZE) }, (_, index) => file.subarray(index * SIZE, (index + 1) * SIZE));
  return records
    .filter((record) => record.readInt16LE(0) === USER_PROCESS)
    .map((record) => ({ name: record.toString('latin1', 44, 76).replace(/\0.*/s, ''), seconds: record.readInt32LE(340), microseconds: record.readInt32LE(344) }));
}
