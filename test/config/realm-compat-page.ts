import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The root of the repository. */
export const root = join(import.meta.dirname, '..', '..');

const page = readFileSync(join(root, 'docs', 'realm-compat.md'), 'utf8');

/** The cells of every row of docs/realm-compat.md's table below `## heading`. */
export function rows(heading: string): string[][] {
  const section = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The text in a code span. */
export function code(cell = ''): string {
  return /`([^`]+)`/.exec(cell)?.[1] ?? '';
}

/** The endpoint of the documents that `documentWith` returns. */
export const endpoint = { listen: '[::]:80', remote: 'a.example:80' };

/** A document with `value` at `key`, for example at `network.no_tcp`. */
export function documentWith(key: string, value: unknown): unknown {
  const [table = '', field = ''] = key.split('.');
  if (key === 'endpoints[].range_of') {
    return {
      endpoints: [
        { ...endpoint, name: value },
        { ...endpoint, listen: '[::]:81', range_of: value },
      ],
    };
  }
  if (key === 'endpoints[].fixed_remote_ports')
    return { endpoints: [{ ...endpoint, listen_end_port: 81, [field]: value }] };
  if (table === 'endpoints[]') return { endpoints: [{ ...endpoint, [field]: value }] };
  if (field === '') return { [table]: value, endpoints: [endpoint] };
  return { [table]: { [field]: value }, endpoints: [endpoint] };
}
