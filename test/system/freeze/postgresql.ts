// SPDX-License-Identifier: Apache-2.0
/** A PostgreSQL that commits rows all the time, its disk frozen with the ready-made hook and copied, and a server on the copy. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { AgentHandle } from './agent-handle.ts';
import { Lab } from './lab.ts';

const versions = '/usr/lib/postgresql';
const bin = join(versions, readdirSync(versions).toSorted((a, b) => Number(b) - Number(a))[0] ?? '', 'bin');
const uid = Number(execFileSync('id', ['-u', 'postgres']));

const asPostgres = (program: string, ...args: string[]): string =>
  execFileSync('runuser', ['-u', 'postgres', '--', program, ...args], { encoding: 'utf8', cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });

const start = (data: string, sockets: string): void => {
  mkdirSync(sockets);
  chownSync(sockets, uid, -1);
  asPostgres(join(bin, 'pg_ctl'), 'start', '--silent', '--wait', '--log', join(data, 'server.log'), '--pgdata', data,
    '--options', `-c listen_addresses='' -c unix_socket_directories='${sockets}'`);
};
const stop = (data: string): string => asPostgres(join(bin, 'pg_ctl'), 'stop', '--mode', 'fast', '--wait', '--pgdata', data);
const query = (sockets: string, sql: string): string =>
  asPostgres('psql', '-X', '-q', '-A', '-t', '-h', sockets, '-d', 'postgres', '-c', sql).trim();

using lab = new Lab();
// The server is an ordinary user, and has to reach its directory.
chmodSync('/media', 0o755);
const disk = lab.loop('ext4', 'pg', { megabytes: 512 });
const data = join(disk, 'data');
mkdirSync(data, { mode: 0o700 });
chownSync(data, uid, -1);
asPostgres(join(bin, 'initdb'), '--pgdata', data, '--auth', 'trust', '--no-sync');
const sockets = lab.path('sockets');
start(data, sockets);
query(sockets, 'CREATE TABLE rows (id serial PRIMARY KEY)');

const hooks = lab.path('hooks.d');
mkdirSync(hooks, { mode: 0o755 });
copyFileSync(join(import.meta.dirname, '../../../examples/hooks/50-postgresql'), join(hooks, '50-postgresql'));
chmodSync(join(hooks, '50-postgresql'), 0o755);
process.env['PGHOST'] = sockets;
const { agent } = await AgentHandle.start({ stateDirectory: lab.stateDirectory, hookDirectory: hooks });

/** Each row is a transaction of its own; psql prints its number once it is committed. */
const progress = { committed: 0 };
const load = spawn('runuser', ['-u', 'postgres', '--', 'sh', '-c', 'while echo "INSERT INTO rows DEFAULT VALUES RETURNING id;"; do :; done | psql -X -q -A -t -d postgres'], {
  cwd: '/', stdio: ['ignore', 'pipe', 'ignore'], detached: true,
});
load.stdout.on('data', (piece: Buffer) => {
  progress.committed = Number(piece.toString().trim().split('\n').at(-1));
});
while (progress.committed < 200) await once(load.stdout, 'data');

const checkpoint = () => query(sockets, "SELECT checkpoint_lsn FROM pg_control_checkpoint()");
const before = checkpoint();
const count = await agent.ask('freeze');
// What psql has printed is committed; it can't commit any more now, but the last lines may still be on their way.
await agent.ask('status');
const promised = progress.committed;
execFileSync('cp', ['--sparse=always', `${disk}.img`, `${disk}.copy`]);
const thawed = await agent.ask('thaw');
const report = (await agent.ask('report')) as { hooks: { name: string; phase: string; ok: boolean; error?: string }[] };
await agent.end();
const checkpointMoved = checkpoint() !== before;
process.kill(-(load.pid ?? 0), 'SIGKILL');
stop(data);

const copy = lab.mountImage(`${disk}.copy`, 'copy');
const ownedBy = statSync(join(copy, 'data')).uid === uid;
execFileSync('rm', ['-f', join(copy, 'data/postmaster.pid')]);
start(join(copy, 'data'), lab.path('sockets2'));
const rows = query(lab.path('sockets2'), 'SELECT count(*), max(id) FROM rows').split('|').map(Number);
stop(join(copy, 'data'));

process.stdout.write(JSON.stringify({
  count, thawed, ownedBy, checkpointMoved,
  hooks: report.hooks.map(({ phase, ok, error }) => ({ phase, ok, ...(error !== undefined && { error }) })),
  lost: Math.max(0, promised - (rows[1] ?? 0)),
  gaps: (rows[1] ?? 0) - (rows[0] ?? 0),
}));
