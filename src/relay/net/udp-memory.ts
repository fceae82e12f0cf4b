import { DatagramSender } from '../kernel/datagram-sender.ts';
import type { Poller } from '../kernel/poller.ts';
import { ReceivedDatagrams } from '../kernel/received-datagrams.ts';
import { sharedPoller } from './shared-poller.ts';

/** What all UDP sockets of a thread share. */
export type UdpMemory = {
  readonly poller: Poller;
  readonly received: ReceivedDatagrams;
  readonly sender: DatagramSender;
};

let memory: UdpMemory | undefined;

/** The memory of this thread, made when it is first needed, since it is large. */
export function udpMemory(): UdpMemory {
  if (memory === undefined) {
    const received = new ReceivedDatagrams();
    memory = { poller: sharedPoller(), received, sender: new DatagramSender(received.data) };
  }
  return memory;
}

/** Datagrams that this thread could not send since their sockets had no room. */
export function unsentDatagrams(): number {
  return memory?.sender.lost ?? 0;
}
