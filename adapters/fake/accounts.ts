// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import { posixError } from '../../core/errors/posix-errno.ts';
import type { Accounts, SshKeys, UserSession } from '../../core/ports/index.ts';
import type { FakeFiles } from './files.ts';
import type { FileTree, Location } from './file-tree.ts';
import { newDirectory, newFile, permits, type Credentials } from './inodes.ts';

export interface UserDescription {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** Names of the groups it is in; one of its own name where absent. */
  readonly groups?: readonly string[];
}

export interface SetPassword {
  readonly password: string;
  readonly crypted: boolean;
}

/** The people of the fake. */
export class FakeAccounts {
  readonly users: UserDescription[];
  readonly sessions: UserSession[];
  /** What was set last for each user. */
  readonly passwords = new Map<string, SetPassword>();
  readonly #files: FakeFiles;
  readonly #tree: FileTree;
  readonly #who: Credentials;

  constructor(users: readonly UserDescription[], sessions: readonly UserSession[], files: FakeFiles, tree: FileTree, who: Credentials) {
    this.users = [...users];
    this.sessions = [...sessions];
    this.#files = files;
    this.#tree = tree;
    this.#who = who;
  }

  port(): Required<Accounts> {
    return {
      sessions: { list: async () => [...this.sessions] },
      passwords: {
        set: async (user, password, crypted) => {
          if (this.#who.uid !== 0) throw AgentError.failed('only root may set passwords');
          if (!this.users.some(({ name }) => name === user)) throw AgentError.failed(`user '${user}' does not exist`);
          this.passwords.set(user, { password: Buffer.from(password).toString('utf8'), crypted });
        },
      },
      sshKeys: this.#sshKeys(),
      groups: {
        of: async (user) => {
          const { name, groups = [name] } = this.#user(user);
          return groups;
        },
      },
    };
  }

  #user(name: string): UserDescription {
    const user = this.users.find((one) => one.name === name);
    if (user === undefined) throw AgentError.failed(`failed to lookup user '${name}': no such user`);
    return user;
  }

  #sshKeys(): SshKeys {
    const at = (name: string) => {
      const user = this.#user(name);
      const directory = `${user.home}/.ssh`;
      const own: Credentials = { uid: user.uid, gid: user.gid, groups: [] };
      return { user, own, directory, path: `${directory}/authorized_keys` };
    };
    return {
      locate: async (name) => at(name).path,
      read: async (name) => {
        const { own, directory, path } = at(name);
        if (!this.#isThere(directory, own) || !this.#isThere(path, own)) return undefined;
        const { inode } = this.#tree.locate(path, { who: own, followLast: false, syscall: 'open' });
        if (inode.kind === 'symlink') throw posixError('ELOOP', { syscall: 'open', path });
        if (inode.kind !== 'file') throw posixError(inode.kind === 'directory' ? 'EISDIR' : 'EINVAL', { syscall: 'read', path });
        if (!permits(inode, own, 'read')) throw posixError('EACCES', { syscall: 'open', path });
        return Buffer.from(inode.content.toBytes()).toString('utf8');
      },
      write: async (name, text) => {
        const { user, own, directory, path } = at(name);
        const home = this.#directoryOf(user.home, own, `the home of '${name}' is not there`);
        if (!this.#isThere(directory, own)) {
          await home.mount.superblock.writable();
          if (!permits(home.inode, own, 'write')) throw AgentError.failed(`failed to create directory '${directory}': Permission denied`);
          home.inode.entries.set('.ssh', newDirectory(home.mount.superblock, home.inode, { mode: 0o700, uid: user.uid, gid: user.gid }));
        }
        const ssh = this.#directoryOf(directory, own, `failed to write to '${path}': '${directory}' is not a directory`);
        await ssh.mount.superblock.writable();
        if (ssh.mount.superblock.full) throw AgentError.failed(`failed to write to '${path}': No space left on device`);
        if (!permits(ssh.inode, own, 'write')) throw AgentError.failed(`failed to write to '${path}': Permission denied`);
        const file = newFile(ssh.mount.superblock, { mode: 0o600, uid: user.uid, gid: user.gid });
        file.content.write(0n, Buffer.from(text));
        this.#files.remove(path);
        ssh.inode.entries.set('authorized_keys', file);
      },
    };
  }

  #isThere(path: string, who: Credentials): boolean {
    const at = path.lastIndexOf('/');
    try {
      const { inode } = this.#tree.locate(path.slice(0, at), { who, followLast: false, syscall: 'open' });
      return inode.kind === 'directory' && inode.entries.has(path.slice(at + 1));
    } catch {
      return false;
    }
  }

  /** A directory that is one itself: a link could lead another user's rights astray. */
  #directoryOf(path: string, who: Credentials, otherwise: string): Location & { readonly inode: { readonly kind: 'directory' } } {
    let found: Location;
    try {
      found = this.#tree.locate(path, { who, followLast: false, syscall: 'open' });
    } catch (error) {
      throw AgentError.failed(otherwise, error);
    }
    const { inode, mount } = found;
    if (inode.kind !== 'directory') throw AgentError.failed(otherwise);
    return { inode, mount };
  }
}
