import { constants } from './constants.ts';
import { systemError } from './errno.ts';
import type { KernelSocket } from './kernel-socket.ts';
import { PinnedMemory } from './pinned-memory.ts';
import { layouts } from './structs.ts';

const { sock_filter: filter, sock_fprog: program } = layouts;

/** Operations of classic BPF. Source: linux/bpf_common.h and linux/filter.h. */
const op = {
  loadByte: 0x30, // BPF_LD | BPF_B | BPF_ABS
  loadHalf: 0x28, // BPF_LD | BPF_H | BPF_ABS
  loadWord: 0x20, // BPF_LD | BPF_W | BPF_ABS
  loadHalfAtX: 0x48, // BPF_LD | BPF_H | BPF_IND
  loadHeaderLength: 0xb1, // BPF_LDX | BPF_B | BPF_MSH: X = four times the lower half of a byte
  shiftRight: 0x74, // BPF_ALU | BPF_RSH | BPF_K
  multiply: 0x24, // BPF_ALU | BPF_MUL | BPF_K
  modulo: 0x94, // BPF_ALU | BPF_MOD | BPF_K
  xorX: 0xac, // BPF_ALU | BPF_XOR | BPF_X
  toX: 0x07, // BPF_MISC | BPF_TAX
  jump: 0x05, // BPF_JMP | BPF_JA
  jumpIfEqual: 0x15, // BPF_JMP | BPF_JEQ | BPF_K
  returnA: 0x16, // BPF_RET | BPF_A
} as const;

type Instruction = readonly [code: number, k: number, jumpIfTrue?: number, jumpIfFalse?: number];

/** Offsets from the IP header. Source: linux/filter.h, SKF_NET_OFF. */
const inHeader = (offset: number): number => (-0x10_0000 + offset) >>> 0;
/** 2^32 divided by the golden ratio. */
const factor = 0x9e37_79b1;

const mixIn = (offset: number): readonly Instruction[] => [
  [op.multiply, factor],
  [op.toX, 0],
  [op.loadWord, inHeader(offset)],
  [op.xorX, 0],
];

/** RFC 791, section 3.1: the source address is at byte 12, and the header may have options. */
const ofIpv4: readonly Instruction[] = [
  [op.loadHeaderLength, inHeader(0)],
  [op.loadHalfAtX, inHeader(0)],
  ...mixIn(12),
];

/** RFC 8200, section 3. With extension headers the two bytes are not the port, but those of one client are mostly equal. */
const ofIpv6: readonly Instruction[] = [[op.loadHalf, inHeader(40)], ...[8, 12, 16, 20].flatMap(mixIn)];

/** Computes the index of the socket from the source address and port. */
function instructions(sockets: number): readonly Instruction[] {
  return [
    [op.loadByte, inHeader(0)],
    [op.shiftRight, 4],
    [op.jumpIfEqual, 6, ofIpv4.length + 1, 0],
    ...ofIpv4,
    [op.jump, ofIpv6.length],
    ...ofIpv6,
    [op.multiply, factor],
    [op.toX, 0],
    [op.shiftRight, 15],
    [op.xorX, 0],
    [op.modulo, sockets],
    [op.returnA, 0],
  ];
}

/**
 * Has the kernel pass the datagrams of each client to one of the `count` sockets that were first bound to the port of
 * `socket` (SO_REUSEPORT): always the same one, chosen by the client's address and port. A socket that anything else binds to
 * the port afterwards gets none.
 *
 * @returns false if the system has no such filter, such as QEMU's user emulation.
 * @throws the system's error.
 */
export function spreadClients(socket: KernelSocket, count: number): boolean {
  const code = instructions(count);
  const filters = new PinnedMemory(code.length * filter.size);
  for (const [index, [operation, k, jumpIfTrue = 0, jumpIfFalse = 0]] of code.entries()) {
    const at = index * filter.size;
    filters.view.setUint16(at + filter.offsets.code, operation, true);
    filters.view.setUint8(at + filter.offsets.jt, jumpIfTrue);
    filters.view.setUint8(at + filter.offsets.jf, jumpIfFalse);
    filters.view.setUint32(at + filter.offsets.k, k, true);
  }
  const whole = new PinnedMemory(program.size);
  whole.view.setUint16(program.offsets.len, code.length, true);
  whole.pointTo(program.offsets.filter, filters, 0);
  const status = socket.setStructOption(constants.SOL_SOCKET, constants.SO_ATTACH_REUSEPORT_CBPF, whole);
  if (status === 0) return true;
  const error = systemError('setsockopt', status);
  if (error.code === 'ENOPROTOOPT') return false;
  throw error;
}
