/** Remedies for numbers, words and lists that are written in another way. */

import { isIPv4 } from 'node:net';
import { parseIpAddress, type IpAddress } from '../lib/ip-address.ts';
import { ownValue } from '../lib/record.ts';
import type { Problem } from '../lib/problem.ts';

/** For a number in quotes, in another notation, with a unit, or with something behind it. */
export function numberRemedy({ path, what, value, remedy }: Problem): string | undefined {
  if (what !== 'has the wrong type' || !remedy.startsWith('give a whole number')) return undefined;
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  if (items.length === 1 && typeof items[0] === 'number') return `write ${String(items[0])}`;
  if (typeof value !== 'string') return undefined;
  if (/^-?[0-9]{1,15}$/.test(value)) return `write ${value} without quotes`;
  const number = String(path.at(-1)).endsWith('Seconds') ? seconds(value) : plainNumber(value);
  return number === undefined ? undefined : `write ${String(number)}`;
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `5m` in seconds. */
function seconds(text: string): number | undefined {
  const [, number, unit = ''] = /^([0-9]{1,9}) ?([smhd])$/.exec(text) ?? [];
  const factor = ownValue(unitSeconds, unit);
  return number === undefined || factor === undefined ? plainNumber(text) : Number(number) * factor;
}

function plainNumber(text: string): number | undefined {
  const plain = text.normalize('NFKC').trim().replace(/[,;]$/, '');
  const [, digits, thousands] = /^([0-9]+)(?:\.0+)?([kK]?)$/.exec(plain) ?? [];
  const number = digits === undefined ? otherBase(plain) : Number(digits) * (thousands === '' ? 1 : 1000);
  return Number.isSafeInteger(number) ? number : undefined;
}

function otherBase(text: string): number {
  return /^0[xob][0-9a-f]+$/i.test(text) ? Number(text) : Number.NaN;
}

/** For a quantity with a unit in another notation, `256MB` or `100 m`. */
export function quantityRemedy({ value, remedy }: Problem): string | undefined {
  if (!remedy.startsWith('use a quantity') || typeof value !== 'string') return undefined;
  const [, number, unit = ''] = /^([0-9]+(?:\.[0-9]+)?) ?([kmgt]i?|)b?$/i.exec(value.trim()) ?? [];
  if (number === undefined) return undefined;
  if (unit === 'm' && !/b$/i.test(value)) return `write ${number}m`;
  return unit === '' ? `write ${number}` : `write ${number}${unit.charAt(0).toUpperCase()}i`;
}

/** For `"true"` and `1` in place of true. */
export function booleanRemedy({ what, value, remedy }: Problem): string | undefined {
  if (what !== 'has the wrong type' || !remedy.startsWith('give true or false')) return undefined;
  if (/^(?:true|yes|on|1)$/i.test(String(value))) return 'write true without quotes';
  if (/^(?:false|no|off|0)$/i.test(String(value))) return 'write false without quotes';
  return undefined;
}

/** For one item, or several with commas, in place of a list. */
export function listRemedy({ what, value, remedy }: Problem): string | undefined {
  if (what !== 'has the wrong type' || !remedy.startsWith('give a list')) return undefined;
  if (typeof value !== 'string') return undefined;
  return `write ${listText(value)}`;
}

function listText(text: string): string {
  const items = text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  return `[${items.map((item) => JSON.stringify(item)).join(', ')}]`;
}

const rangeWords = 'use an IP address or a range';

/** For a range of addresses in another notation. */
export function rangeRemedy({ value, remedy }: Problem): string | undefined {
  if (!remedy.startsWith(rangeWords) || typeof value !== 'string') return undefined;
  return isEveryone(value) ? 'remove the list, which serves everyone' : rangeIn(value);
}

function isEveryone(text: string): boolean {
  return /^(?:\*|any|all)$/i.test(text);
}

function rangeIn(value: string): string | undefined {
  if (value.includes(',')) return `write each range as an item of the list: ${listText(value)}`;
  const [address = '', length] = value.replaceAll(/[\s[\]]/g, '').split('/');
  const ip = parseIpAddress(address);
  if (ip === undefined || ip.zone !== '') return undefined;
  if (length === undefined) return `write "${ip.mapped ?? ip.text}"`;
  const bits = lengthOf(length);
  return bits === undefined ? undefined : withLength(ip, bits);
}

function withLength({ family, text, mapped }: IpAddress, bits: number): string | undefined {
  const [most, example] = family === 'IPv4' ? [32, '10.0.0.0/8'] : [128, '2001:db8::/32'];
  if (bits > most) return `use a length of at most ${String(most)}, as in ${example}`;
  if (mapped === undefined) return `write "${text}/${String(bits)}"`;
  return bits < 96 ? undefined : `write "${mapped}/${String(bits - 96)}"`;
}

/** How many bits a length in decimal, or a mask such as 255.255.0.0, stands for. */
function lengthOf(text: string): number | undefined {
  if (/^[0-9]{1,3}$/.test(text)) return Number(text);
  if (!isIPv4(text)) return undefined;
  const bits = text
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
  return /^1*0*$/.test(bits) ? bits.replaceAll('0', '').length : undefined;
}
