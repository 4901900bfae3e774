// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import type { PathStep } from '../../../adapters/shared/trust/path-walk.ts';
import { whyDistrusted } from '../../../adapters/shared/trust/rule.ts';

const root = { uid: 0, gid: 0 };
const bob = { uid: 1000, gid: 1000 };

const step = (path: string, changes: Partial<PathStep> = {}): PathStep => ({ path, uid: 0, gid: 0, mode: 0o40755, names: 2, accessList: false, ...changes });
const file = (path: string, changes: Partial<PathStep> = {}): PathStep => step(path, { mode: 0o100644, names: 1, ...changes });
const link = (path: string, changes: Partial<PathStep> = {}): PathStep => step(path, { mode: 0o120777, names: 1, ...changes });
const tmp = step('/tmp', { mode: 0o41777 });

describe('a trusted place', () => {
  it.each([
    ['of root’s', root, [step('/'), step('/etc'), file('/etc/x')]],
    ['of the agent’s user below root’s directories', bob, [step('/'), step('/home'), step('/home/bob', { uid: 1000, mode: 0o40700 })]],
    ['in the group root', root, [step('/'), step('/etc', { mode: 0o40775 })]],
    ['in the user’s own group', bob, [step('/'), step('/home/bob', { uid: 1000, gid: 1000, mode: 0o40775 })]],
    ['behind a link of root’s, whose mode says nothing', root, [step('/'), link('/var/run'), step('/'), step('/run')]],
    ['of the agent’s below /tmp', bob, [step('/'), tmp, step('/tmp/x', { uid: 1000, mode: 0o40700 })]],
    ['of the agent’s in /tmp, with one name', bob, [step('/'), tmp, file('/tmp/x', { uid: 1000 })]],
  ])('is one %s', (_, agent, steps) => {
    expect(whyDistrusted(steps, agent)).toBeUndefined();
  });

  it.each<[string, typeof root, readonly PathStep[], string]>([
    ['of another user', root, [step('/'), step('/srv', { uid: 7 }), file('/srv/x')], '/srv belongs to user 7 and not to root: run chown root on it'],
    ['of another user, for an ordinary one', bob, [step('/'), step('/srv', { uid: 7 })], "/srv belongs to user 7, neither to root nor to the agent's user"],
    ['behind a link of another user', root, [step('/'), link('/a', { uid: 7 }), step('/etc')], '/a belongs to user 7 and not to root: run chown root on it'],
    ['that everybody may write to', root, [step('/'), file('/x', { mode: 0o100646 })], '/x can be written by everybody: run chmod o-w on it'],
    ['below one that everybody may write to', root, [step('/'), step('/srv', { mode: 0o40777 }), file('/srv/x')], '/srv can be written by everybody: run chmod o-w on it'],
    ['that is such a directory itself, sticky or not', root, [step('/'), tmp], '/tmp can be written by everybody: choose a directory in it'],
    ['that a group may write to', root, [step('/'), file('/x', { mode: 0o100664, gid: 4 })], '/x can be written by the group 4: run chmod g-w on it'],
    ['in a group of users', bob, [step('/'), step('/home/bob', { uid: 1000, gid: 100, mode: 0o40775 })], '/home/bob can be written by the group 100: run chmod g-w on it'],
    ['with an access list behind the bits of the group root', root, [step('/'), file('/x', { mode: 0o100664, accessList: true })], '/x can be written by others than its owner, by an access list: run setfacl -b on it'],
    ['of another user in /tmp', root, [step('/'), tmp, step('/tmp/x', { uid: 7 })], '/tmp/x belongs to user 7 and not to root: run chown root on it'],
    ['in /tmp, with a second name', root, [step('/'), tmp, file('/tmp/x', { names: 2 })], '/tmp/x has a second name (a hard link), and others may write to the directory that it is in'],
    ['behind a link in /tmp that has a second name', root, [step('/'), tmp, link('/tmp/x', { names: 2 }), step('/etc')], '/tmp/x has a second name (a hard link), and others may write to the directory that it is in'],
  ])('is none %s', (_, agent, steps, reason) => {
    expect(whyDistrusted(steps, agent)).toBe(reason);
  });

  it('may be about to be made in /tmp, but not in a directory where anybody could take it away', () => {
    expect(whyDistrusted([step('/'), tmp], root, { passed: true })).toBeUndefined();
    expect(whyDistrusted([step('/'), step('/srv', { mode: 0o40777 })], root, { passed: true })).toContain('/srv can be written by everybody');
  });

  it('may be asked not even to let the groups write that are its own', () => {
    expect(whyDistrusted([step('/'), step('/etc', { mode: 0o40775 })], root, { ownGroup: 'refused' })).toBe('/etc can be written by the group 0: run chmod g-w on it');
  });

  it('may be allowed to lie in a directory of a group of the system, where what is in it has one owner and one name', () => {
    const log = step('/var/log', { gid: 104, mode: 0o40775 });
    const lenient = { systemGroups: true };

    expect(whyDistrusted([step('/'), log, file('/var/log/a')], root, lenient)).toBeUndefined();
    expect(whyDistrusted([step('/'), log], root, { ...lenient, passed: true })).toBeUndefined();
    expect(whyDistrusted([step('/'), log, file('/var/log/a', { names: 2 })], root, lenient)).toContain('has a second name');
    expect(whyDistrusted([step('/'), log, file('/var/log/a', { uid: 104 })], root, lenient)).toContain('belongs to user 104');
    expect(whyDistrusted([step('/'), step('/srv', { gid: 1000, mode: 0o40775 }), file('/srv/a')], root, lenient)).toContain('by the group 1000');
    expect(whyDistrusted([step('/'), step('/srv', { gid: 104, mode: 0o40775, accessList: true }), file('/srv/a')], root, lenient)).toContain('by an access list');
  });
});
