// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { messageOf } from '../../core/errors/agent-error.ts';
import { windowsClockWith } from '../../adapters/windows/clock.ts';
import { replaceDlls } from '../../adapters/windows/dll.ts';
import { textFrom } from '../../adapters/windows/program.ts';
import { windowsTrimming } from '../../adapters/windows/trimming.ts';
import { built, setVariable } from './doubles.ts';
import { machineDlls } from './machine.ts';
import { after, afterEach, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

replaceDlls(machineDlls);

const program = built('programs.exe');

/** What the program prints, and its exit code. Children get the environment of Node, not that of the DLLs. */
function reports(text: string | Buffer, code = 0): void {
  const path = join(tmpdir(), `report-${process.pid}.txt`);
  writeFileSync(path, text);
  process.env['CONCIERGE_REPORT'] = path;
  process.env['CONCIERGE_REPORT_CODE'] = `${code}`;
  setVariable('CONCIERGE_REPORT', path);
}

const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');

/** Latin letters of code page 437, which is that of consoles under Wine and in the United States. */
const cp437 = (text: string): Buffer => Buffer.from(text.replaceAll('ä', '\x84').replaceAll('ö', '\x94').replaceAll('ü', '\x81').replaceAll('é', '\x82').replaceAll('à', '\x85').replaceAll('ê', '\x88'), 'latin1');

// Reports as defrag writes them; the number alone is the same in all languages.
const refused = {
  english: 'Invoking retrim on (C:)...\r\n\r\n\r\nThe operation completed successfully.\r\n',
  englishError: 'The slab consolidation / trim operation cannot be performed because the volume is not supported by the hardware. (0x8900002A)',
  germanError: 'Der Vorgang "Erneut optimieren" kann nicht ausgeführt werden, da die Hardware ihn für das Volume nicht unterstützt. (0x8900002A)',
  frenchError: "L'opération n'a pas pu être exécutée : le matériel à l'origine du volume ne la prend pas en charge. (0x8900002A)",
  japaneseError: 'ボリュームを補助しているハードウェアでサポートされていないため、最適化を完了できません。 (0x8900002A)',
};

describe('trimming', () => {
  afterEach(() => {
    delete process.env['CONCIERGE_REPORT'];
    delete process.env['CONCIERGE_REPORT_CODE'];
    delete process.env['CONCIERGE_REPORT_ARGUMENTS'];
  });

  it('goes over fixed volumes that have a path, each once', async () => {
    reports(refused.english);

    assert.deepEqual(await windowsTrimming(program).trim(0n), [{ path: 'C:\\' }, { path: 'D:\\' }]);
  });

  for (const [language, bytes, sentence] of [
    ['English', cp437(`Microsoft Drive Optimizer\r\r\n\r\r\n\t${refused.englishError}\r\r\n`), refused.englishError],
    ['German, in the code page of consoles', cp437(`Microsoft-Laufwerksoptimierung\r\n${refused.germanError}\r\n`), refused.germanError],
    ['French, in the code page of consoles', cp437(refused.frenchError), refused.frenchError],
    ['German, in UTF-16', utf16(`\ufeffMicrosoft-Laufwerksoptimierung\r\n${refused.germanError}\r\n`), refused.germanError],
    ['Japanese, in UTF-16', utf16(`${refused.japaneseError}\r\n`), refused.japaneseError],
  ] as const) {
    it(`a refusal in ${language}, is that volume's error and ends nothing, although defrag ends with 0`, async () => {
      reports(bytes);

      assert.deepEqual(await windowsTrimming(program).trim(0n), [{ path: 'C:\\', error: sentence }, { path: 'D:\\', error: sentence }]);
    });
  }

  it('a failure without a code in the report is told by the exit code', async () => {
    reports('Zugriff verweigert.\r\n', 0x8007_0005);

    assert.deepEqual((await windowsTrimming(program).trim(0n))[0], { path: 'C:\\', error: 'failed to trim: defrag ended with 0x80070005: Zugriff verweigert.' });
  });

  it('defrag is called for one volume with the switch that trims', async () => {
    process.env['CONCIERGE_REPORT_ARGUMENTS'] = '1';
    reports('(0x1) ');

    assert.equal((await windowsTrimming(program).trim(0n))[0]?.error, '(0x1) [C:\\][/L]');
  });

  it('a system without defrag says so for each volume', async () => {
    const outcomes = await windowsTrimming('C:\\no\\defrag.exe').trim(0n);

    assert.match(outcomes[0]?.error ?? '', /^failed to run C:\\no\\defrag\.exe: ./);
    assert.equal(outcomes.length, 2);
  });
});

describe('the clock set by the time service', () => {
  const clock = windowsClockWith(() => program);
  const outcome = async (): Promise<string> => {
    try {
      await clock.setting?.setFromHardware();
    } catch (error) {
      return messageOf(error);
    }
    return 'set';
  };

  it('is set where w32tm says so', async () => {
    reports('Sending resync command to local computer\r\nThe command completed successfully.\r\n');

    assert.equal(await outcome(), 'set');
  });

  it('a time service that does not run is told by its name', async () => {
    reports('', 0x8007_0426);

    assert.equal(await outcome(), 'Windows Time service not running on the guest');
  });

  it('another failure has its number and what w32tm said, in the letters of its language', async () => {
    reports(cp437('Der Computer wurde nicht synchronisiert, da keine Zeitdaten verfügbar waren.\r\n'), 0x8007_1a90);

    assert.equal(await outcome(), 'w32tm failed with error (0x80071a90): Der Computer wurde nicht synchronisiert, da keine Zeitdaten verfügbar waren.');
  });
});

describe('what programs of the system print', () => {
  it('is read in UTF-16 where there is a zero byte, and else in the code page of consoles', () => {
    assert.equal(textFrom(utf16('für alle\r\n')), 'für alle\r\n');
    assert.equal(textFrom(cp437('für alle\r\n')), 'für alle\r\n');
    assert.equal(textFrom(utf16('終了\r\n')), '終了\r\n');
    assert.equal(textFrom(Buffer.alloc(0)), '');
  });
});
