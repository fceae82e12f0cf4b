import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** How many sockets this process has open, as the kernel counts them. */
export function openSockets(): number {
  return readdirSync('/proc/self/fd').filter((fd) => target(fd).startsWith('socket:')).length;
}

/** How many sockets of this network namespace are connecting to `port` and have no answer yet. */
export function connecting(port: number): number {
  const hex = `:${port.toString(16).padStart(4, '0').toUpperCase()}`;
  const lines = ['tcp', 'tcp6'].flatMap((list) => readFileSync(`/proc/self/net/${list}`, 'utf8').split('\n'));
  return lines.filter((line) => {
    const [, , remote = '', state] = line.trim().split(/ +/);
    return remote.endsWith(hex) && state === '02'; // TCP_SYN_SENT
  }).length;
}

/** '' if it was closed meanwhile. */
function target(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}
