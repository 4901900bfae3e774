// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hostname } from 'node:os';

import { windowsBackend } from '../../adapters/windows/module.ts';
import { AgentError } from '../../kit/index.ts';
import { CallLog, doubledDlls, setVariable } from './doubles.ts';
import { after, afterEach, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const calls = new CallLog();
const late: string[] = [];
const backend = windowsBackend({ dlls: doubledDlls, onLateFailure: (sentence) => late.push(sentence) });

/** Makes a call of a double fail with a code for the rest of the test. */
const failing = (faults: string): void => setVariable('CONCIERGE_DOUBLES_FAIL', faults);

const messageOf = async (promise: Promise<unknown> | undefined): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    return AgentError.is(error) ? error.message : `no AgentError: ${String(error)}`;
  }
  return 'it succeeded';
};

describe('what Windows is told to do', () => {
  afterEach(() => {
    calls.clear();
    failing('');
  });

  it('setting the clock hands the time over in milliseconds', async () => {
    await backend.clock.setting?.set(1_700_000_000_123_456_789n);

    assert.deepEqual(calls.lines(), ['SetSystemTime 2023-11-14T22:13:20.123']);
  });

  it('a clock that may not be set says why', async () => {
    failing('SetSystemTime=1314');

    const message = await messageOf(backend.clock.setting?.set(1_700_000_000_000_000_000n));

    assert.match(message, /privilege/i);
  });

  for (const [mode, reboot] of [['powerdown', 0], ['halt', 0], ['reboot', 1]] as const) {
    it(`${mode} is ordered at once, forced, and as planned`, async () => {
      await backend.power?.shutdown?.shutdown(mode);

      assert.deepEqual(calls.lines(), [`InitiateSystemShutdownEx machine=- seconds=0 force=1 reboot=${reboot} reason=0x80050000`]);
    });
  }

  it('a shutdown that is refused gives the reason of the system', async () => {
    failing('InitiateSystemShutdownEx=1115');

    const message = await messageOf(backend.power?.shutdown?.shutdown('powerdown'));

    assert.match(message, /^guest-shutdown failed: ./);
  });

  for (const [mode, hibernate] of [['disk', 1], ['ram', 0]] as const) {
    it(`suspending to ${mode} is forced and disables wake events`, async () => {
      await backend.power?.suspend?.suspend(mode);

      while (calls.lines().length === 0) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(calls.lines(), [`SetSuspendState hibernate=${hibernate} force=1 noWake=1`]);
    });
  }

  it('a machine that cannot suspend says so before anything happens', async () => {
    failing('S3=1,S4=1');

    const messages = [await messageOf(backend.power?.suspend?.suspend('disk')), await messageOf(backend.power?.suspend?.suspend('ram'))];

    assert.deepEqual(messages, ['suspend-to-disk not supported by OS', 'suspend-to-ram not supported by OS']);
    assert.deepEqual(calls.lines(), []);
  });

  it('hibernation that is switched off is told before anything happens, with what to do', async () => {
    failing('HiberFile=1');

    const message = await messageOf(backend.power?.suspend?.suspend('disk'));

    assert.equal(message, 'suspend-to-disk not supported by OS: hibernation is switched off (powercfg /hibernate on)');
    assert.deepEqual(calls.lines(), []);
  });

  it('a suspension that fails after the order was taken is told to the log', async () => {
    failing('SetSuspendState=50');
    late.length = 0;

    await backend.power?.suspend?.suspend('ram');

    while (late.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.match(late[0] ?? '', /^failed to suspend guest: ./);
  });

  it('hybrid sleep is no mode of Windows', () => {
    assert.deepEqual([...(backend.power?.suspend?.modes ?? [])], ['disk', 'ram']);
  });
});

describe('passwords', () => {
  afterEach(() => calls.clear());

  it('a password goes to NetUserSetInfo, whatever its alphabet', async () => {
    await backend.accounts?.passwords?.set('Jörg', Buffer.from('pass wörd'), false);

    assert.deepEqual(calls.lines(), ['NetUserSetInfo server=- user=J\u00f6rg level=1003 password=pass w\u00f6rd']);
  });

  it('a hash is refused: Windows takes none', async () => {
    assert.equal(await messageOf(backend.accounts?.passwords?.set('Alice', Buffer.from('x'), true)), "'crypted' must be off on this host");
  });

  it('a password that is not UTF-8 is refused and not shown', async () => {
    const message = await messageOf(backend.accounts?.passwords?.set('Alice', Uint8Array.of(0x66, 0xff), false));

    assert.equal(message, "can't convert 'password' to UTF-16: it is not UTF-8");
    assert.deepEqual(calls.lines(), []);
  });

  for (const user of ['.\\Jörg', `${hostname()}\\Jörg`, `${hostname().toLowerCase()}\\Jörg`]) {
    it(`${user} is a user of this machine`, async () => {
      await backend.accounts?.passwords?.set(user, Buffer.from('x'), false);

      assert.deepEqual(calls.lines(), ['NetUserSetInfo server=- user=Jörg level=1003 password=x']);
    });
  }

  for (const [user, domain] of [['CORP\\bob', 'CORP'], ['bob@corp.example', 'corp.example'], ['\\bob', '']] as const) {
    it(`${user} is a user of another domain, and nothing is called for them`, async () => {
      const message = await messageOf(backend.accounts?.passwords?.set(user, Buffer.from('secret'), false));

      assert.equal(message, `failed to set password: '${user}' is a user of '${domain}', and this machine keeps the passwords of its own users only`);
      assert.deepEqual(calls.lines(), []);
    });
  }

  it('an unknown user is told by the sentence of the network functions', async () => {
    const message = await messageOf(backend.accounts?.passwords?.set('nobody at all', Buffer.from('secret'), false));

    assert.match(message, /^failed to set password: ./);
    assert.doesNotMatch(message, /secret/);
  });
});

describe('sessions and load', () => {
  it('everybody with a session is listed with domain and time, and an empty session is not', async () => {
    const sessions = await backend.accounts?.sessions?.list();

    assert.deepEqual(sessions, [
      { user: 'Alice', domain: 'HOST', loginTime: 1_700_000_000 },
      { user: 'Böb', domain: 'CORP', loginTime: 1_700_000_000.5 },
      { user: 'Alice', domain: 'HOST', loginTime: 1_695_526_400 },
    ]);
  });

  it('what the terminal service gave is given back', () => {
    assert.equal(calls.lines().filter((line) => line === 'WTSFreeMemory').length, 5);
    calls.clear();
  });

  it('the first question for the load answers zeros and begins to sample', async () => {
    const load = await backend.processors?.load?.average();

    assert.deepEqual(load, [0, 0, 0]);
    assert.deepEqual(calls.lines(), ['PdhAddEnglishCounter \\System\\Processor Queue Length']);
    calls.clear();
  });
});
