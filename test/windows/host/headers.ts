// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { compileForWindows, runUnderWine } from './toolchain.ts';

/** Headers of what the bindings use; those first that others need before them. */
const included = [
  'winsock2.h', 'ws2tcpip.h', 'windows.h', 'initguid.h', 'iphlpapi.h', 'netioapi.h', 'lm.h', 'sddl.h', 'aclapi.h', 'powrprof.h', 'userenv.h',
  'setupapi.h', 'cfgmgr32.h', 'pdh.h', 'wtsapi32.h', 'winioctl.h', 'ntddscsi.h', 'objbase.h', 'oleauto.h', 'comadmin.h',
  'vss.h', 'vswriter.h', 'vsbackup.h', 'vsprov.h', 'vsadmin.h', 'vsserror.h', 'channel.h',
];

/**
 * How the compiler has the types of functions: `p4` is a pointer to four bytes (`p0` to nothing that has a size), `s4`
 * and `u4` are numbers, `e4` is an enumeration, `b16` a structure by value, `v` nothing.
 */
const templates = `
template <class T, class = void> struct Pointee { static constexpr size_t size = 0; };
template <class T> struct Pointee<T, decltype((void)sizeof(T))> { static constexpr size_t size = sizeof(T); };
template <> struct Pointee<void> { static constexpr size_t size = 0; };
template <> struct Pointee<const void> { static constexpr size_t size = 0; };
template <class T> static void type() {
    if constexpr (std::is_void_v<T>) printf(" v");
    else if constexpr (std::is_pointer_v<T> || std::is_reference_v<T>) {
        using To = std::remove_pointer_t<std::remove_reference_t<T>>;
        if constexpr (std::is_function_v<To>) printf(" p0"); else printf(" p%zu", Pointee<To>::size);
    }
    else if constexpr (std::is_enum_v<T>) printf(" e%zu", sizeof(T));
    else if constexpr (std::is_integral_v<T>) printf(" %c%zu", std::is_signed_v<T> ? 's' : 'u', sizeof(T));
    else printf(" b%zu", sizeof(T));
}
template <class F> struct Types;
template <class R, class... A> struct Types<R (*)(A...)> { static void print() { type<R>(); (type<A>(), ...); } };
template <class R, class... A> struct Types<R (*)(A..., ...)> { static void print() { type<R>(); (type<A>(), ...); } };
template <class R, class C, class... A> struct Types<R (C::*)(A...)> { static void print() { type<R>(); (type<A>(), ...); } };
template <class F> static void function(const char *name) { printf("%s", name); Types<F>::print(); printf("\\n"); }
// The Itanium ABI, which mingw uses: the pointer to a virtual method is its place in the table, in bytes, and one.
template <class M> static void method(const char *name, M at) {
    intptr_t place;
    memcpy(&place, &at, sizeof place);
    printf("%s %lld", name, (long long)(place - 1) / 8);
    Types<M>::print();
    printf("\\n");
}
template <class T> static void number(const char *name, T value) { printf("%s %llu\\n", name, (unsigned long long)value); }
static void guid(const char *name, const GUID &g) {
    printf("%s %08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x\\n", name, (unsigned long)g.Data1, g.Data2, g.Data3,
        g.Data4[0], g.Data4[1], g.Data4[2], g.Data4[3], g.Data4[4], g.Data4[5], g.Data4[6], g.Data4[7]);
}`;

/** A program that prints facts, one `NAME VALUES` a line. */
export function printFacts(headers: readonly string[], declarations: readonly string[], statements: readonly string[]): string {
  return [
    '#define _WIN32_WINNT 0x0A00',
    ...[...new Set([...included, ...headers])].map((header) => `#include <${header}>`),
    ...['cstdio', 'cstring', 'cstddef', 'cstdint', 'type_traits'].map((header) => `#include <${header}>`),
    ...declarations, templates, 'int main() {', ...statements, 'return 0; }', '',
  ].join('\n');
}

/** Compiles such a program, runs it and answers what it says, by name. */
export function factsOf(directory: string, program: string): ReadonlyMap<string, string> {
  const source = join(directory, 'facts.cpp');
  writeFileSync(source, program);
  const provider = fileURLToPath(new URL('../../../native/windows/vss-provider/', import.meta.url));
  const executable = compileForWindows(source, join(directory, 'facts.exe'), ['-std=c++17', '-O0', '-fpermissive', `-I${provider}`, '-Wno-invalid-offsetof', '-w', '-luuid']);
  const facts = new Map<string, string>();
  for (const line of runUnderWine(executable).split(/\r?\n/)) {
    const at = line.search(/ (?:[0-9a-f]|[vpsueb]\d*( |$))/);
    if (at > 0) facts.set(line.slice(0, at), line.slice(at + 1));
  }
  return facts;
}

const scalars: Readonly<Record<string, string>> = {
  void: 'v', int: 's4', int32_t: 's4', uint32_t: 'u4', int64_t: 's8', uint64_t: 'u8', uint16_t: 'u2', uint8_t: 'u1', size_t: 'u8', GUID: 'b16',
};

const sizes: Readonly<Record<string, number>> = { 'void *': 8, int: 4, int32_t: 4, uint32_t: 4, uint64_t: 8, int64_t: 8, uint16_t: 2, uint8_t: 1 };

/** Whether types of the bindings are those of the compiler: as many, as wide, and signed alike. */
export const fits = (theirs: readonly string[], mine: readonly string[]): boolean =>
  theirs.length === mine.length && mine.every((type, index) => fit(theirs[index] ?? '', type));

function fit(theirs: string, mine: string): boolean {
  // Whatever it points to: a structure, a handle, a number as wide as a pointer.
  if (mine === 'void *') return /^(?:p\d+|[us]8)$/.test(theirs);
  if (mine === 'str16') return theirs === 'p2';
  if (mine === 'str') return theirs === 'p1';
  if (mine.startsWith('out ')) return theirs === `p${sizes[mine.slice(4)]}`;
  // LARGE_INTEGER by value is a register like any number of eight bytes.
  if (mine === 'int64_t' && theirs === 'b8') return true;
  // An enumeration has no sign that would matter: its values are small.
  return theirs === scalars[mine] || (theirs === 'e4' && (mine === 'int' || mine === 'uint32_t'));
}
