// SPDX-License-Identifier: Apache-2.0
import type { FreezeMarkerData } from '../../core/ports/index.ts';

/** One line of JSON: people and other programs may have to read it when something went wrong. */
export const formatMarker = ({ bootId, targets, deadlineAt, recoveryData }: FreezeMarkerData): string =>
  `${JSON.stringify({ format: 1, bootId, deadlineAt: String(deadlineAt), targets, recoveryData })}\n`;

/** `undefined` for a text that says nothing: empty, as qemu-ga leaves it, or damaged. */
export function parseMarker(text: string): FreezeMarkerData | undefined {
  try {
    const marker: unknown = JSON.parse(text);
    if (!isRecord(marker)) return undefined;
    const { bootId, deadlineAt, targets, recoveryData } = marker;
    if (typeof bootId !== 'string' || typeof deadlineAt !== 'string' || !/^\d{1,20}$/.test(deadlineAt)) return undefined;
    if (!Array.isArray(targets) || !targets.every(isTarget) || !isTextRecord(recoveryData)) return undefined;
    return { bootId, deadlineAt: BigInt(deadlineAt), targets: targets.map(({ id, mountPoint }) => ({ id, mountPoint })), recoveryData };
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** No path has a zero byte, nor more than PATH_MAX; a volume's name on Windows is shorter still. */
const isPath = (value: unknown): boolean => typeof value === 'string' && value.length <= 4096 && !value.includes('\0');

const isTarget = (value: unknown): value is FreezeMarkerData['targets'][number] =>
  isRecord(value) && isPath(value['id']) && isPath(value['mountPoint']);

const isTextRecord = (value: unknown): value is Readonly<Record<string, string>> =>
  isRecord(value) && Object.values(value).every((one) => typeof one === 'string');
