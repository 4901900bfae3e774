import { messageOf } from '../../../core/errors/agent-error.ts';
import { jsonText } from '../print-json.ts';
import type { RunSubcommand } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

/** `raw NAME [ARGUMENTS]`, or one whole request as `virsh qemu-agent-command` takes it. */
export const run: RunSubcommand = async ({ client, words, print }) => {
  const [first, second, ...more] = words;
  if (first === undefined || more.length > 0) throw new UsageError("say which command: raw NAME ['{ARGUMENTS}'], or raw '{\"execute\": …}'");
  const { name, args } = first.trimStart().startsWith('{') ? wholeRequest(first) : { name: first, args: second ?? '{}' };
  if (!args.trimStart().startsWith('{')) throw new UsageError(`arguments are a JSON object, not ${args}`);
  print(`${jsonText(await client.executeRaw(name, oneLine(args)))}\n`);
  return 0;
};

/** A line feed ends a request in an agent's eyes, though not in JSON's. */
const oneLine = (json: string): string => json.replaceAll(/[\r\n]+/g, ' ');

/** The arguments keep their own text: large integers stay exact. */
function wholeRequest(text: string): { readonly name: string; readonly args: string } {
  let args = '{}';
  try {
    const request = JSON.parse(text, function keep(this: unknown, key: string, value: unknown, source?: { readonly source?: string }): unknown {
      return typeof value === 'number' && source?.source !== undefined && key !== '' ? { exact: source.source } : value;
    } as (key: string, value: unknown) => unknown) as { readonly execute?: unknown; readonly arguments?: unknown };
    if (typeof request.execute !== 'string') throw new UsageError("a request needs 'execute'");
    if (request.arguments !== undefined) args = exactText(request.arguments);
    return { name: request.execute, args };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`this is no JSON: ${messageOf(error)}`);
  }
}

function exactText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(exactText).join(',')}]`;
  if ('exact' in value && typeof value.exact === 'string' && Object.keys(value).length === 1) return value.exact;
  return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}:${exactText(one)}`).join(',')}}`;
}
