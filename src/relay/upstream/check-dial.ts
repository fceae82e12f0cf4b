import { present } from '../../lib/record.ts';
import type { Dial, Dialled, DialTarget } from './dial.ts';
import type { ConnectionAttempt } from './happy-eyeballs.ts';
import { inOrder } from './remote-order.ts';
import type { Remote } from './remote.ts';

const nothing = (): void => undefined;

/**
 * Dials `remote` for a check, which does not count as one of its connections, and closes the connection. Never rejects.
 *
 * @param outcome  gets what the dial comes to, unless it is cancelled.
 */
export async function dialForCheck(
  dial: Dial<ConnectionAttempt>,
  { host, port, ip, text }: Remote,
  outcome: Pick<DialTarget, 'succeed' | 'fail'>,
): Promise<void> {
  const address = { host, port, ...present('ip', ip), text };
  const target = { ...address, acquire: nothing, release: nothing, overtaken: nothing, ...outcome };
  const end = await new Promise<Dialled<ConnectionAttempt, DialTarget> | Error | undefined>((resolve) => {
    dial.connect(inOrder([target], 1), resolve);
  });
  if (end !== undefined && !(end instanceof Error)) end.channel.close(); // a failure is reported by `fail`
}
