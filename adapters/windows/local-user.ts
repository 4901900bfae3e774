// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import { advapi32 } from './bindings/advapi32.ts';
import { kernel32 } from './bindings/kernel32.ts';
import { LOCALGROUP_USERS_INFO_0, netapi32, USER_INFO_1 } from './bindings/netapi32.ts';
import { userenv } from './bindings/userenv.ts';
import { copyOf, type Out, type Pointer, wideText } from './koffi.ts';
import { readFields, textOf } from './layout.ts';
import { registryText } from './registry.ts';
import { windowsErrorOf } from './system-error.ts';

/** A user whom this machine knows: its own, or one of its domain. */
export interface LocalUser {
  readonly name: string;
  /** `S-1-5-21-…`. */
  readonly sid: string;
  readonly isAdministrator: boolean;
  /** The folder of the profile, which need not exist. */
  readonly profile: string;
  /** Whether Windows has made it: else where it would come to lie is a guess, and may be somebody else's. */
  readonly hasProfile: boolean;
}

const profileList = 'SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList';
const administratorsSid = 'S-1-5-32-544';
const USER_PRIV_ADMIN = 2;
const LG_INCLUDE_INDIRECT = 1;
const MAX_PREFERRED_LENGTH = 0xffff_ffff;
const ERROR_NONE_MAPPED = 1332;
const SidTypeUser = 1;

/** @throws failed error `failed to lookup user 'NAME': User NAME was not found`, or why it could not be looked up */
export async function localUser(name: string): Promise<LocalUser> {
  const sid = await sidOf(name);
  return { name, sid, isAdministrator: await isAdministrator(name), ...profileOf(name, sid) };
}

async function sidOf(name: string): Promise<string> {
  const sid = Buffer.alloc(68);
  const domain = Buffer.alloc(512);
  const use: Out<number> = [0];
  // Asks a domain controller for names of a domain.
  const { result, lastError: code } = await advapi32.LookupAccountNameW.async(null, name, sid, [sid.length], domain, [domain.length / 2], use);
  if (result === 0 && code !== ERROR_NONE_MAPPED) throw withContext(`failed to lookup user '${name}'`, windowsErrorOf(code));
  if (result === 0 || use[0] !== SidTypeUser) throw AgentError.failed(`failed to lookup user '${name}': User ${name} was not found`);
  const text: Out<Pointer | null> = [null];
  if (advapi32.ConvertSidToStringSidW(sid, text) === 0 || text[0] === null) throw AgentError.failed(`failed to get SID string for user ${name}`);
  const sidText = wideText(text[0]);
  kernel32.LocalFree(text[0]);
  return sidText;
}

/** By membership, nested groups and those of a domain included: that is what sshd's `Match Group administrators` asks. */
async function isAdministrator(name: string): Promise<boolean> {
  const buffer: Out<Pointer | null> = [null];
  const count: Out<number> = [0];
  const { result } = await netapi32.NetUserGetLocalGroups.async(null, name, 0, LG_INCLUDE_INDIRECT, buffer, MAX_PREFERRED_LENGTH, count, [0]);
  if (result !== 0 || buffer[0] === null) return hasAdministratorLevel(name);
  const memory = copyOf(buffer[0], count[0] * LOCALGROUP_USERS_INFO_0.size);
  const groups = Array.from({ length: count[0] }, (_, index) =>
    wideText(readFields(LOCALGROUP_USERS_INFO_0, memory, index * LOCALGROUP_USERS_INFO_0.size).lgrui0_name));
  netapi32.NetApiBufferFree(buffer[0]);
  return groups.includes(administratorsName()) || hasAdministratorLevel(name);
}

/** The level that Windows keeps of its own users; the reference goes by it alone. */
async function hasAdministratorLevel(name: string): Promise<boolean> {
  const buffer: Out<Pointer | null> = [null];
  const { result } = await netapi32.NetUserGetInfo.async(null, name, 1, buffer);
  if (result !== 0 || buffer[0] === null) return false;
  const { usri1_priv: level } = readFields(USER_INFO_1, copyOf(buffer[0], USER_INFO_1.size));
  netapi32.NetApiBufferFree(buffer[0]);
  return level === USER_PRIV_ADMIN;
}

/** The group is called otherwise in other languages. */
function administratorsName(): string {
  const sid: Out<Pointer | null> = [null];
  if (advapi32.ConvertStringSidToSidW(administratorsSid, sid) === 0 || sid[0] === null) return 'Administrators';
  const name = Buffer.alloc(512);
  const domain = Buffer.alloc(512);
  const found = advapi32.LookupAccountSidW(null, sid[0], name, [name.length / 2], domain, [domain.length / 2], [0]);
  kernel32.LocalFree(sid[0]);
  return found === 0 ? 'Administrators' : textOf(name);
}

/** Windows decides where a profile lies: its folder may be called otherwise than the user. */
function profileOf(name: string, sid: string): Pick<LocalUser, 'profile' | 'hasProfile'> {
  const known = registryText(`${profileList}\\${sid}`, 'ProfileImagePath');
  if (known !== undefined && known !== '') return { profile: known, hasProfile: true };
  const path = Buffer.alloc(1024);
  const base = userenv.GetProfilesDirectoryW(path, [path.length / 2]) === 0 ? 'C:\\Users' : textOf(path);
  return { profile: `${base}\\${name.slice(name.lastIndexOf('\\') + 1)}`, hasProfile: false };
}
