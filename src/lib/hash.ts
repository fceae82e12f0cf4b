/** 32-bit FNV-1a over the UTF-8 bytes of `text`. Source: Fowler, Noll, Vo; draft-eastlake-fnv, section 2. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** `value` mixed so that each bit of the result depends on all bits, in 0..2^32-1. Source: A. Appleby, MurmurHash3, fmix32. */
export function mixed(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
