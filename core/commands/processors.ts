// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../errors/agent-error.ts';
import {
  guestGetCpustats, guestGetLoad, guestGetVcpus, guestSetVcpus,
} from '../schema/processors.ts';
import { available, handler } from './command.ts';
import { present } from './present.ts';
import { Switched } from './switched.ts';

export const getVcpus = handler(guestGetVcpus, async ({ backend }) => {
  try {
    const processors = await available(backend.processors?.online, 'processors.online').list();
    return processors.map(({ logicalId, online, canOffline }) => ({ 'logical-id': logicalId, online, 'can-offline': canOffline }));
  } catch (error) {
    throw withContext('failed to list logical processors', error);
  }
});

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

export const getCpustats = handler(guestGetCpustats, async ({ backend }) => {
  try {
    const processors = await available(backend.processors?.statistics, 'processors.statistics').list();
    return processors.map(({ guestNice, ...counters }) => present({ type: 'linux', ...counters, guestnice: guestNice }));
  } catch (error) {
    throw withContext('failed to read processor statistics', error);
  }
});

export const getLoad = handler(guestGetLoad, async ({ backend }) => {
  try {
    const [load1m, load5m, load15m] = await available(backend.processors?.load, 'processors.load').average();
    return { load1m, load5m, load15m };
  } catch (error) {
    throw withContext('cannot query load average', error);
  }
});
