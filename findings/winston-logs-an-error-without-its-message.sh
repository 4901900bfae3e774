#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# winston 3.19.0 (npm, 2026-11-30), createLogger with its own default format: an Error alone is logged as {"level":"error"}, without
# its message, because that is no enumerable member. An Error beside a text is logged with both messages run together, and so is any
# other object with a member `message`: logger.info('saved', { message: 'hello' }) says "saved hello" and has no member of its own.
#
# Seen:
#   error(new Error('disk')):                            {"level":"error"}
#   error('why', new Error('disk')):                     why disk
#   info('saved', { message: 'hello', id: 1 }):          {"id":1,"level":"info","message":"saved hello"}
#   info('list', ['a', 'b']):                            {"0":"a","1":"b","level":"info","message":"list"}
source "$(dirname "$0")/lib.sh"
npm_packages winston@3.19.0
cat >"$work/log.cjs" <<'END'
const { Writable } = require('node:stream');
const winston = require('winston');
const stream = new Writable({ write: (line, _, done) => { process.stdout.write(line); done(); } });
const logger = winston.createLogger({ transports: [new winston.transports.Stream({ stream })] });
logger.error(new Error('disk'));
logger.error('why', new Error('disk'));
logger.info('saved', { message: 'hello', id: 1 });
logger.info('list', ['a', 'b']);
END
mapfile -t line < <(node "$work/log.cjs")

expect "error(new Error('disk'))" "${line[0]}" '{"level":"error"}'
expect "error('why', new Error('disk'))" "$(node -p 'JSON.parse(process.argv[1]).message' "${line[1]}")" 'why disk'
expect "info('saved', { message: 'hello', id: 1 })" "${line[2]}" '{"id":1,"level":"info","message":"saved hello"}'
expect "info('list', ['a', 'b'])" "${line[3]}" '{"0":"a","1":"b","level":"info","message":"list"}'
