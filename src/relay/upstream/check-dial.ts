import { present } from '../../lib/record.ts';
import type { Dial, DialTarget } from './dial.ts';
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
  const { promise, resolve } = Promise.withResolvers<undefined>();
  dial.connect(inOrder([target], 1), (dialled) => {
    if (dialled !== undefined && !(dialled instanceof Error)) dialled.channel.close();
    resolve(undefined); // a failure is reported by `fail`
  });
  await promise;
}
