import type { Finding } from '../../../core/ports/index.ts';

/** Something that is as it should be. */
export const good = (subject: string, detail: string): Finding => ({ subject, verdict: 'good', detail });

/** Something that is not. */
export const unwell = (verdict: 'warning' | 'bad', subject: string, detail: string, remedy: string): Finding => ({ subject, verdict, detail, remedy });
