#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# koffi 3.3.4 (npm, 2026-11-30): an object that stands for a C structure may lack members and have others that the structure has not.
# Neither is said: a misspelt member is passed over, and the field that was meant is 0, for the function like one that was asked for. Too
# few arguments of a function are refused, but too many are passed over, too. So a structure is better built by a function of one's
# own, which the compiler checks, and handed over as bytes.
#
# Seen (size, flags, handle):
#   { size: 1, flags: 2, handle: 3 }:                    01000000 02000000 0300000000000000
#   { size: 1, flgas: 2, handle: 3 }:                    01000000 00000000 0300000000000000
#   { size: 1 }:                                         01000000 00000000 0000000000000000
#   abs(-5, 6, 7), of one parameter:                     5
#   abs():                                               Expected 1 arguments, got 0
source "$(dirname "$0")/lib.sh"
npm_packages koffi@3.3.4
cat >"$work/members.cjs" <<'END'
const koffi = require('koffi');
koffi.struct('Request', { size: 'uint32_t', flags: 'uint32_t', handle: 'uint64_t' });
const c = koffi.load('libc.so.6');
const copy = c.func('void *memcpy(_Out_ uint8_t *to, Request *from, size_t count)');
const abs = c.func('int abs(int)');
function told(request) {
  const bytes = Buffer.alloc(16);
  copy(bytes, request, bytes.length);
  const text = bytes.toString('hex');
  console.log(text.slice(0, 8), text.slice(8, 16), text.slice(16));
}
told({ size: 1, flags: 2, handle: 3 });
told({ size: 1, flgas: 2, handle: 3 });
told({ size: 1 });
console.log(String(abs(-5, 6, 7)));
try {
  abs();
} catch (error) {
  console.log(error.message);
}
END
mapfile -t line < <(node "$work/members.cjs")

expect '{ size: 1, flags: 2, handle: 3 }' "${line[0]}" '01000000 02000000 0300000000000000'
expect '{ size: 1, flgas: 2, handle: 3 }' "${line[1]}" '01000000 00000000 0300000000000000'
expect '{ size: 1 }' "${line[2]}" '01000000 00000000 0000000000000000'
expect 'abs(-5, 6, 7), of one parameter' "${line[3]}" '5'
expect 'abs()' "${line[4]}" 'Expected 1 arguments, got 0'
