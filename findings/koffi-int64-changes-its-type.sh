#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# koffi 3.3.4 (npm, 2026-11-30): the type of an int64 that a C function returns depends on its value: up to 2^53 it is a number, from
# there on a bigint. A sum, a comparison with ===, JSON.stringify that were tested with small values throw or lie with large ones.
# An argument that is too wide for its parameter is cut without a word.
#
# Seen:
#   llabs(-5):                                           number 5
#   llabs(-(2 ** 53)):                                   number 9007199254740992
#   llabs(-(2 ** 53) - 1):                               bigint 9007199254740993
#   abs(2 ** 32 + 5), an int:                            number 5
source "$(dirname "$0")/lib.sh"
npm_packages koffi@3.3.4
cat >"$work/call.cjs" <<'END'
const koffi = require('koffi');
const c = koffi.load('libc.so.6');
const llabs = c.func('int64_t llabs(int64_t)');
const told = (value) => console.log(typeof value, String(value));
told(llabs(-5));
told(llabs(-(2n ** 53n)));
told(llabs(-(2n ** 53n) - 1n));
told(c.func('int abs(int)')(2 ** 32 + 5));
END
mapfile -t line < <(node "$work/call.cjs")

expect 'llabs(-5)' "${line[0]}" 'number 5'
expect 'llabs(-(2 ** 53))' "${line[1]}" 'number 9007199254740992'
expect 'llabs(-(2 ** 53) - 1)' "${line[2]}" 'bigint 9007199254740993'
expect 'abs(2 ** 32 + 5), an int' "${line[3]}" 'number 5'
