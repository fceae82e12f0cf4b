/** A number in [0, 1). */
export type Random = () => number;

/** The random numbers of a seed. Source: mulberry32, T. Ettinger, public domain. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An input may not grow beyond this. */
const maxBytes = 16_384;

/** What parsers trip over, whatever they parse. */
const commonTokens = [
  '\0',
  '\r\n',
  '%',
  '__proto__',
  'constructor',
  'toString',
  '4294967296',
  '-1',
  '1e309',
  '\u202e',
];

type Mutation = (input: Buffer, other: Buffer, random: Random, tokens: readonly string[]) => Buffer;

const mutations: readonly Mutation[] = [
  function flipBit(input, _other, random) {
    const copy = Buffer.from(input);
    const at = index(copy.length, random);
    copy[at] = (copy[at] ?? 0) ^ (1 << index(8, random));
    return copy;
  },
  function replaceByte(input, _other, random) {
    const copy = Buffer.from(input);
    copy[index(copy.length, random)] = index(256, random);
    return copy;
  },
  function remove(input, _other, random) {
    const [from, to] = span(input.length, random);
    return Buffer.concat([input.subarray(0, from), input.subarray(to)]);
  },
  function repeat(input, _other, random) {
    const [from, to] = span(input.length, random);
    const times = 1 + index(random() < 0.1 ? 1000 : 4, random);
    const part = Buffer.concat(Array.from({ length: times }, () => input.subarray(from, to)));
    return Buffer.concat([input.subarray(0, to), part, input.subarray(to)]);
  },
  function insertToken(input, _other, random, tokens) {
    const all = [...commonTokens, ...tokens];
    const at = index(input.length + 1, random);
    return Buffer.concat([
      input.subarray(0, at),
      Buffer.from(all[index(all.length, random)] ?? ''),
      input.subarray(at),
    ]);
  },
  function splice(input, other, random) {
    return Buffer.concat([
      input.subarray(0, index(input.length + 1, random)),
      other.subarray(index(other.length + 1, random)),
    ]);
  },
];

/** `input` after one to four random changes; `other` lends parts, `tokens` are words of its format. */
export function mutated(input: Buffer, other: Buffer, random: Random, tokens: readonly string[]): Buffer {
  let output = input;
  for (let left = 1 + index(4, random); left > 0; left -= 1) {
    const mutation = mutations[index(mutations.length, random)];
    output = mutation?.(output, other, random, tokens) ?? output;
  }
  return output.subarray(0, maxBytes);
}

function index(length: number, random: Random): number {
  return Math.floor(random() * length);
}

function span(length: number, random: Random): [number, number] {
  const from = index(length, random);
  return [from, from + index(Math.min(length - from, 64) + 1, random)];
}
