/** Where the bytes of a log go, opened so that a reader or a disk that does not take them stops nothing else. */
import {
  close,
  closeSync,
  constants,
  fstatSync,
  open,
  openSync,
  readFileSync,
  stat,
  type Stats,
} from 'node:fs';
import { isatty } from 'node:tty';
import { promisify } from 'node:util';

/** An open descriptor that takes the bytes of a log. */
export type LogTarget = {
  readonly fd: number;
  /**
   * Whether a write that would wait fails with EAGAIN: pipes, sockets and terminals. A write to a file may wait for its
   * disk, and nothing prevents that, so it belongs in a thread.
   */
  readonly isNonBlocking: boolean;
  /** Names the file behind it: equal for two descriptors of one file. */
  readonly file: string;
  readonly close: () => void;
};

/** The names of the standard streams that a log can go to. */
export type StandardStream = 'stdout' | 'stderr';

const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_RDWR, O_WRONLY } = constants;

/**
 * A standard stream of this process.
 *
 * @param fd  its descriptor.
 */
export function standardTarget(stream: StandardStream, fd: number): LogTarget {
  const stats = fstatSync(fd);
  const inherited = { fd, file: fileOf(stats), close: () => undefined };
  if (!stats.isFIFO() && !stats.isSocket() && !isatty(fd)) return { ...inherited, isNonBlocking: false };
  const own = openedAgain(fd);
  if (own !== undefined)
    return {
      ...inherited,
      fd: own,
      isNonBlocking: true,
      close: () => {
        closeSync(own);
      },
    };
  // A socket cannot be opened again, nor can a pipe of another user. Node makes them non-blocking when it opens its stream,
  // and blocking again at its end.
  const opensNonBlocking = !isatty(fd) && (isNonBlocking(fd) || process[stream].writable);
  return { ...inherited, isNonBlocking: opensNonBlocking && isNonBlocking(fd) };
}

/**
 * Opens the file at `path`, which is created if it does not exist, and appended to.
 *
 * @throws the kernel's error.
 */
export async function fileTarget(path: string): Promise<LogTarget> {
  // A FIFO without a reader: opened for reading, too, it keeps what fits until one comes (fifo(7)).
  const isFifo = await promisify(stat)(path).then(
    (stats) => stats.isFIFO(),
    () => false,
  );
  const access = isFifo ? O_RDWR : O_WRONLY | O_CREAT | O_APPEND;
  const fd = await promisify(open)(path, access | O_NONBLOCK | O_NOCTTY, 0o666);
  const stats = fstatSync(fd);
  return {
    fd,
    isNonBlocking: stats.isFIFO() || stats.isCharacterDevice(),
    file: fileOf(stats),
    close: () => {
      close(fd, () => undefined); // a network file system may report an error that nobody can act on
    },
  };
}

/**
 * Opens what `fd` refers to again. Other programs share the descriptor's flags, and would not expect a non-blocking one;
 * the new one has flags of its own.
 */
function openedAgain(fd: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${String(fd)}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined;
  }
}

function isNonBlocking(fd: number): boolean {
  try {
    const [, flags = '0'] =
      /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${String(fd)}`, 'utf8')) ?? [];
    return (Number.parseInt(flags, 8) & O_NONBLOCK) !== 0;
  } catch {
    return false;
  }
}

function fileOf({ dev, ino }: Stats): string {
  return `${String(dev)}:${String(ino)}`;
}
