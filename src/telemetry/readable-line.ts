/** Fields that have their own place in the line. */
const placed = new Set(['level', 'time', 'msg', 'err']);

/**
 * A JSON line of the log in readable form for a terminal: local time, level, message, fields, error.
 *
 * @returns the line unchanged if it is not a JSON object.
 */
export function readableLine(line: string): string {
  const fields = parsed(line);
  if (fields === undefined) return line;
  const { time, level, msg, err } = fields;
  const others = Object.entries(fields).filter(([name]) => !placed.has(name));
  const words = [
    localTime(time),
    textOf(level).toUpperCase().padEnd(5),
    textOf(msg),
    ...others.map(([name, value]) => `${name}=${textOf(value)}`),
    ...(err === undefined ? [] : [`error=${textOf(messageOf(err))}`]),
  ];
  return `${words.join(' ')}\n`;
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function localTime(time: unknown): string {
  const date = new Date(textOf(time));
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${date.toTimeString().slice(0, 8)}.${ms}`;
}

function messageOf(err: unknown): unknown {
  return typeof err === 'object' && err !== null && 'message' in err ? err.message : err;
}

/** Unquoted if that is unambiguous. Control characters are always escaped, since a terminal would interpret them. */
function textOf(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^[^"\u0000-\u001f\u007f-\u009f]*$/.test(value) ? value : JSON.stringify(value);
}
