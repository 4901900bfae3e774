// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { comInterface, comObject, guidValue, slot } from '../../adapters/windows/com.ts';
import { replaceDlls } from '../../adapters/windows/dll.ts';
import { demandExport } from '../../adapters/windows/exports.ts';
import { guidBytes } from '../../adapters/windows/guid.ts';
import type { Out, Pointer } from '../../adapters/windows/koffi.ts';
import { callOnThread, type GuidValue } from '../../adapters/windows/own-thread.ts';
import { joinApartment } from '../../adapters/windows/vss/apartment.ts';
import { FreezeChannel } from '../../adapters/windows/vss/channel.ts';
import { waitFor } from '../../adapters/windows/wait.ts';
import { after, describe, it } from './runner.ts';
import { vssDlls } from './vss-double.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

replaceDlls(vssDlls);
joinApartment();

type Made = Out<Pointer | null>;

const IClassFactory = comInterface('IClassFactory', 'unknwn.h', { CreateInstance: slot<(outer: null, id: Buffer, made: Made) => number>(3, ['void *', 'void *', 'out void *']) });

const IVssSoftwareSnapshotProvider = comInterface('IVssSoftwareSnapshotProvider', 'vsprov.h', {
  BeginPrepareSnapshot: slot<(set: GuidValue, snapshot: GuidValue, volume: string, context: number) => number>(7, ['GUID', 'GUID', 'str16', 'int32_t']),
  IsVolumeSupported: slot<(volume: string, supported: Out<number>) => number>(8, ['str16', 'out int']),
});

const IVssProviderCreateSnapshotSet = comInterface('IVssProviderCreateSnapshotSet', 'vsprov.h', {
  CommitSnapshots: slot<(set: GuidValue) => number>(5, ['GUID']),
  AbortSnapshots: slot<(set: GuidValue) => number>(9, ['GUID']),
});

const ids = {
  providerClass: guidBytes('{63AD1F54-1700-4F3B-B9E3-2C47A3BF43BC}'),
  classFactory: guidBytes('{00000001-0000-0000-C000-000000000046}'),
  provider: guidBytes('{609E123E-2C5A-44D3-8F01-0B1D9A47D1FF}'),
  createSet: guidBytes('{5F894E5B-1E39-4778-8E23-9ABAD9F0E08C}'),
};
const set = guidValue(Buffer.alloc(16, 1));
const volume = '\\\\?\\Volume{00000000-0000-0000-0000-000000000043}\\';
/** A freeze of that volume. */
const ofVolume = (holdLimitMs: number) => ({ holdLimitMs, set: Buffer.alloc(16, 1), volumes: ['\\\\?\\Volume{00000000-0000-0000-0000-000000000042}\\', volume.toLowerCase()] });
const VETO = 0x8004_2306 | 0;

async function provider() {
  const factory: Made = [null];
  const getClass = demandExport('concierge-vss.dll', 'DllGetClassObject');
  assert.equal(await callOnThread(getClass, ['void *', 'void *', 'out void *'], [ids.providerClass, ids.classFactory, factory]), 0);
  const made: Made = [null];
  assert.equal(await comObject(IClassFactory, factory[0] ?? 0n).CreateInstance(null, ids.provider, made), 0);
  const whole = comObject(IVssSoftwareSnapshotProvider, made[0] ?? 0n);
  const found: Made = [null];
  assert.equal(await whole.QueryInterface(ids.createSet, found), 0);
  return { whole, sets: comObject(IVssProviderCreateSnapshotSet, found[0] ?? 0n) };
}

describe('the VSS provider', () => {
  it('supports volumes for a freeze of the agent, and for nobody else', async () => {
    const { whole } = await provider();
    const [before, during, other, part]: Out<number>[] = [[9], [9], [9], [9]] as const satisfies Out<number>[];

    await whole.IsVolumeSupported(volume, before);
    const channel = await FreezeChannel.open(ofVolume(5_000));
    await whole.IsVolumeSupported(volume, during);
    await whole.IsVolumeSupported(volume.replace('43}', '44}'), other);
    await whole.IsVolumeSupported(volume.slice(0, -1), part);
    const stranger = await whole.BeginPrepareSnapshot(guidValue(Buffer.alloc(16, 2)), set, volume, 0);
    channel.close();
    whole.release();

    assert.deepEqual([before, during, other, part], [[0], [1], [0], [0]]);
    assert.equal(stranger, VETO);
  });

  it('holds until the agent thaws', async () => {
    const { whole, sets } = await provider();
    const channel = await FreezeChannel.open(ofVolume(60_000));

    const held = sets.CommitSnapshots(set);
    const frozen = await waitFor(channel.frozen).signalled;
    channel.letGo();
    const result = await held;
    channel.close();
    sets.release();
    whole.release();

    assert.equal(frozen, true);
    assert.equal(result, 0);
  });

  it('a set that VSS gives up is held no longer, and the next one is again', async () => {
    const { whole, sets } = await provider();
    const channel = await FreezeChannel.open(ofVolume(60_000));

    const held = sets.CommitSnapshots(set);
    await waitFor(channel.frozen).signalled;
    await sets.AbortSnapshots(set);
    const aborted = await held;
    channel.close();
    const second = await FreezeChannel.open(ofVolume(60_000));
    await whole.BeginPrepareSnapshot(set, set, volume, 0);
    const again = sets.CommitSnapshots(set);
    await waitFor(second.frozen).signalled;
    second.letGo();
    const completed = await again;
    second.close();
    sets.release();
    whole.release();

    assert.equal(aborted, VETO);
    assert.equal(completed, 0);
  });

  it('lets go by itself at the limit, and refuses to hold for nobody', async () => {
    const { whole, sets } = await provider();
    const channel = await FreezeChannel.open(ofVolume(100));

    const limited = await sets.CommitSnapshots(set);
    channel.close();
    const nobody = await sets.CommitSnapshots(set);
    sets.release();
    whole.release();

    assert.equal(limited, 0);
    assert.equal(nobody, VETO);
  });
});
