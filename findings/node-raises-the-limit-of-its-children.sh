#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Node 24.21.0 (npm's package `node`, 2026-11-30): Node raises its own soft limit of open files to the hard one when it starts, and its
# children inherit that. A program started by a Node service has not the 1024 descriptors that its author counted with, but as many
# as root may have; what uses select(2), or closes every descriptor up to the limit, breaks or takes long.
#
# Seen:
#   soft limit set, in a shell:                          512
#   in a child of Node started by that shell:            4096
source "$(dirname "$0")/lib.sh"
(cd "$work" && npm install --silent --no-audit --no-fund --prefix "$work" node@24.21.0 >/dev/null)

ulimit -Sn 512
ulimit -Hn 4096
expect 'soft limit set, in a shell' "$(sh -c 'ulimit -Sn')" 512
expect 'in a child of Node started by that shell' "$("$work/node_modules/node/bin/node" -e "require('node:child_process').spawn('sh', ['-c', 'ulimit -Sn'], { stdio: 'inherit' })")" 4096
