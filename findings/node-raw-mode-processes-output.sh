#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Node 24.21.0 (npm's package `node`, 2026-11-30), util-linux 2.38.1: `process.stdin.setRawMode(true)` is not the raw mode of cfmakeraw(3) and
# `stty raw`: output processing stays on (OPOST with ONLCR), so that a line feed goes to the left as well. A front end that passes a remote
# terminal's bytes on shows CR CR LF for each CR LF, and full-screen programs, which mean "down" by a line feed alone, at the wrong
# column. `setRawMode(false)` brings back all that was there before, also what another program has changed meanwhile.
#
# Seen:
#   by stty raw:                                         -opost -icanon
#   by setRawMode(true):                                 opost onlcr -icanon
#   a line feed written then arrives as:                 0d0a
#   after stty -opost and setRawMode(false):             opost onlcr icanon
source "$(dirname "$0")/lib.sh"
(cd "$work" && npm install --silent --no-audit --no-fund --prefix "$work" node@24.21.0 >/dev/null)

cat >"$work/raw.cjs" <<'END'
const { spawnSync } = require('node:child_process');
const { writeFileSync, writeSync } = require('node:fs');
const stty = (...words) => spawnSync('stty', words, { stdio: [0, 'pipe', 'inherit'] }).stdout.toString();
const modes = () => { const all = stty('-a').split(/[\s;]+/); return ['opost', 'onlcr', 'icanon'].flatMap((one) => all.includes(`-${one}`) ? [`-${one}`] : [one]).filter((one, _, list) => one !== 'onlcr' || !list.includes('-opost')).join(' '); };
const seen = [];
const before = stty('-g').trim();
stty('raw');
seen.push(modes());
stty(before);
process.stdin.setRawMode(true);
seen.push(modes());
writeSync(1, '<\n>');
stty('-opost');
process.stdin.setRawMode(false);
seen.push(modes());
writeFileSync(process.argv[2], seen.join('\n'));
process.stdin.destroy();
END
shown=$(SHELL=/bin/sh script -qec "'$work/node_modules/node/bin/node' '$work/raw.cjs' '$work/seen'" /dev/null </dev/null | od -An -tx1 | tr -d ' \n')
mapfile -t seen <"$work/seen"
expect 'by stty raw' "${seen[0]}" '-opost -icanon'
expect 'by setRawMode(true)' "${seen[1]}" 'opost onlcr -icanon'
expect 'a line feed written then arrives as' "$(sed -E 's/.*3c((0d|0a)+)3e.*/\1/' <<<"$shown")" 0d0a
expect 'after stty -opost and setRawMode(false)' "${seen[2]}" 'opost onlcr icanon'
