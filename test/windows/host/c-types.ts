// SPDX-License-Identifier: Apache-2.0
/**
 * A prototype in koffi's words, `int __stdcall Name(_Out_ uint32_t *size, str16 path)`: its name, and its types, the
 * result first, those of parameters in the words of COM slots: `out uint32_t`, `str16`.
 */
export function declaration(definition: string): { readonly name: string; readonly types: readonly string[] } {
  const [, result = '', name = '', parameters = ''] = /^(.*?)\s*__stdcall\s+(\w+)\((.*)\)$/.exec(definition) ?? [];
  const types = parameters === '' ? [] : parameters.split(',').map((one) => typeOf(one.trim()));
  return { name, types: [typeOf(`${result} result`), ...types] };
}

/** `_Out_ void **found` is `out void *`; a plain `void *` is itself whoever writes there. */
function typeOf(parameter: string): string {
  const bare = parameter.replace(/^_\w+_\s+/, '').replace(/\w+$/, '').trim();
  if (bare === 'void *') return bare;
  return bare.endsWith('*') ? `out ${bare.slice(0, -1).trim()}` : bare;
}
