// SPDX-License-Identifier: Apache-2.0
/** Takes the socket that was handed over and answers lines on it until standard input ends; prints what became of it. */
import { closeSync } from 'node:fs';
import { activatedSocket, activatedTransport } from '../../../adapters/channels/index.ts';
import { silentLog } from '../../unit/transport/silent-log.ts';
import { serve } from './service.ts';

if (process.env['LISTEN_PID'] === 'mine') process.env['LISTEN_PID'] = String(process.pid);
if (process.argv.includes('--without-fd')) closeSync(3);
try {
  const activated = activatedSocket(process.env);
  const leftOver = Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'));
  if (activated === undefined) {
    console.log(JSON.stringify({ activated: false, leftOver }));
  } else {
    const transport = await activatedTransport(activated, silentLog());
    await serve(transport);
    console.log(JSON.stringify({ method: activated.method, description: transport.description, leftOver }));
    process.stdin.resume().on('end', () => void transport.close());
  }
} catch (error) {
  console.log(JSON.stringify({ error: (error as Error).message }));
}
