// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

/** Prototypes as in pdh.h. */
export const pdh = dll('pdh.dll', {
  PdhAddEnglishCounterW: prototype<(query: Pointer, path: string, context: null, counter: Out<Pointer | null>) => number>(
    'int32_t __stdcall PdhAddEnglishCounterW(void *query, str16 path, void *context, _Out_ void **counter)'),
  PdhCloseQuery: prototype<(query: Pointer) => number>('int32_t __stdcall PdhCloseQuery(void *query)'),
  PdhCollectQueryData: prototype<(query: Pointer) => number>('int32_t __stdcall PdhCollectQueryData(void *query)'),
  PdhGetFormattedCounterValue: prototype<(counter: Pointer, format: number, type: null, value: Buffer) => number>(
    'int32_t __stdcall PdhGetFormattedCounterValue(void *counter, uint32_t format, void *type, _Out_ void *value)'),
  PdhOpenQueryW: prototype<(source: null, context: null, query: Out<Pointer | null>) => number>(
    'int32_t __stdcall PdhOpenQueryW(str16 source, void *context, _Out_ void **query)'),
});

export const PDH_FMT_COUNTERVALUE = layout('PDH_FMT_COUNTERVALUE', 'pdh.h', 16, { CStatus: [0, 'u32'], longValue: [8, 'i32'] });
