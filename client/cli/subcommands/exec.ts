import { buffer } from 'node:stream/consumers';

import { ClientError } from '../../client-error.ts';
import { exec } from '../../exec.ts';
import { jsonText } from '../print-json.ts';
import type { RunSubcommand } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

/** As ssh(1) has it: the program's own status where it ran, 255 where it could not be asked. */
const notRun = 255;

export const run: RunSubcommand = async ({ client, words, flags, json, stdin, stdout, stderr }) => {
  const [path, ...rest] = words;
  if (path === undefined) throw new UsageError('say which program: concierge-ctl exec -- PROGRAM [ARGUMENT...]');
  const within = flags.get('within');
  if (within !== undefined && !/^\d+(\.\d+)?$/.test(within)) throw new UsageError(`--within takes a number of seconds, not '${within}'`);
  try {
    const result = await exec(client, path, {
      arguments: rest,
      ...(flags.has('stdin') ? { input: await buffer(stdin) } : {}),
      ...(within === undefined ? {} : { withinMs: Number(within) * 1000 }),
    });
    if (json) {
      stdout.write(`${jsonText(result)}\n`);
    } else {
      stdout.write(result.stdout);
      stderr.write(result.stderr);
      if (result.truncated) stderr.write('concierge-ctl: the output was longer than the agent keeps; the rest is lost\n');
    }
    return result.exitCode ?? 128 + (result.signal ?? 0);
  } catch (error) {
    if (!ClientError.is(error)) throw error;
    stderr.write(`concierge-ctl: ${error.message}\n`);
    return notRun;
  }
};
