/** Fields that stand in front of the others, or are not shown. */
const placed = new Set(['level', 'time', 'msg', 'err']);

/**
 * A JSON line of the log as a person reads it on a terminal: local time, level, sentence, fields, error.
 *
 * @returns the line as it is where it is no JSON object.
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

/** Without quotes where that cannot be misread; never with a control character, which a terminal would obey. */
function textOf(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^[^"\u0000-\u001f\u007f-\u009f]*$/.test(value) ? value : JSON.stringify(value);
}
