import type { Finding } from '../../../core/ports/diagnosis.ts';

export const good = (subject: string, detail: string): Finding => ({ subject, verdict: 'good', detail });

export const warning = (subject: string, detail: string, remedy?: string): Finding =>
  ({ subject, verdict: 'warning', detail, ...(remedy === undefined ? {} : { remedy }) });

export const bad = (subject: string, detail: string, remedy: string): Finding => ({ subject, verdict: 'bad', detail, remedy });
