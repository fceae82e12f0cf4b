/** Remedies for texts: templates, characters that nobody sees, and addresses with something around them. */

import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { invisibleCharacter } from '../lib/plain-text.ts';
import type { Problem } from '../lib/problem.ts';

/** For a value that a program was to fill in. */
export function templateRemedy({ value }: Problem): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (value.includes('{{') && value.includes('}}'))
    return 'it is a template: pipe what Helm makes of it, helm template CHART | realm-operator validate -';
  if (/\$\{[^}]*\}|^\$\w+$/.test(value))
    return 'it is a variable: pipe the text with its value, envsubst <FILE | realm-operator validate -';
  return undefined;
}

/** For typographic quotes, and for characters that look like others or like nothing. */
export function characterRemedy({ value }: Problem): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (/[\u2018-\u201F]/.test(value)) return 'use plain quotes, " or \'';
  const invisible = invisibleCharacter(value);
  return invisible === undefined ? undefined : `remove the invisible character ${invisible}`;
}

/** For an address, or a host name, with something around it or written in other letters. */
export function addressIn(value: string): string | undefined {
  const [text = ''] = value.trim().split(/[%/]/);
  const host = text.replace(/(?<=[0-9])\.$/, '');
  if (isIP(host) === 6 && value.includes('%'))
    return 'zones are not supported: use an address that is not link-local';
  if (isIP(host) !== 0) return host.toLowerCase() === value ? undefined : `write "${host.toLowerCase()}"`;
  if (value.includes('/') && host.includes('.')) return `write ${host} without the path`;
  return inAscii(value);
}

function inAscii(name: string): string | undefined {
  const ascii = /[^\0-\x7F]/.test(name) ? domainToASCII(name) : '';
  return ascii === '' ? undefined : `write ${ascii}, which is that name in ASCII`;
}
