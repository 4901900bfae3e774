// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../errors/agent-error.ts';
import {
  guestGetCpustats, guestGetLoad, guestGetVcpus, guestSetVcpus,
} from '../schema/processors.ts';
import { available, handler, told } from './command.ts';
import { present } from './present.ts';
import { Switched } from './switched.ts';

export const getVcpus = handler(guestGetVcpus, ({ backend }) => told(
  'failed to list logical processors',
  () => available(backend.processors?.online, 'processors.online').list(),
  (processors) => processors.map(({ logicalId, online, canOffline }) => ({ 'logical-id': logicalId, online, 'can-offline': canOffline })),
));

/** One after the other; an error is told only where nothing was done before it, else how far it went. */
export const setVcpus = handler(guestSetVcpus, async ({ backend, log }, { vcpus }) => {
  const switching = available(backend.processors?.online?.switching, 'processors.online.switching');
  const switched = new Switched();
  let done = 0;
  for (const { 'logical-id': id, online } of vcpus) {
    try {
      await switching.set(id, online);
    } catch (error) {
      const failure = withContext(`failed to switch logical processor #${id} ${online ? 'on' : 'off'}`, error);
      if (done === 0) throw failure;
      log.account(() => `guest-set-vcpus: logical processors ${switched.text()}`);
      log.warning(() => `guest-set-vcpus stopped after ${done} of ${vcpus.length}: ${failure.message}`);
      return done;
    }
    done += 1;
    switched.add(id, online, '');
  }
  log.account(() => `guest-set-vcpus: logical processors ${switched.text()}`);
  return done;
});

export const getCpustats = handler(guestGetCpustats, ({ backend }) => told(
  'failed to read processor statistics',
  () => available(backend.processors?.statistics, 'processors.statistics').list(),
  (processors) => processors.map(({ guestNice, ...counters }) => present({ type: 'linux', ...counters, guestnice: guestNice })),
));

export const getLoad = handler(guestGetLoad, ({ backend }) => told(
  'cannot query load average',
  () => available(backend.processors?.load, 'processors.load').average(),
  ([load1m, load5m, load15m]) => ({ load1m, load5m, load15m }),
));
