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
