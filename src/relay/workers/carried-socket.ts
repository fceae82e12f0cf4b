import { peerLayout, PeerMap, type DatagramPeer, type PeerWords } from '../kernel/datagram-peer.ts';
import { anySegmentBytes, type DatagramOutlet } from '../kernel/datagram-sender.ts';
import type { Descriptor } from '../kernel/descriptor.ts';
import type { Watcher } from '../kernel/poller.ts';
import type { DatagramSink } from '../kernel/received-datagrams.ts';
import { udpMemory } from '../net/udp-memory.ts';

/** Datagrams for the main thread, and the words of the peer of each; in memory that is used again afterwards. */
export type Forwarded = { readonly peers: PeerWords[]; readonly datagrams: Uint8Array[] };

/** A flow of a client of the socket. */
export type ClientFlow = DatagramPeer &
  DatagramSink & {
    /** A datagram of the client comes, which `take` gets. @returns false if the main thread is to have it. */
    readonly begin: (nowMs: number) => boolean;
  };

/** A listening socket of the main thread that a worker receives from. Answers of flows leave by it, too. */
export class CarriedSocket implements Watcher, DatagramOutlet, DatagramSink {
  readonly descriptor: Descriptor;
  maxSegmentBytes = anySegmentBytes;
  readonly flows = new PeerMap<ClientFlow>();
  readonly #nowMs: () => number;
  readonly #onForwarded: (forwarded: Forwarded) => void;
  #forwarded: Forwarded = { peers: [], datagrams: [] };
  /** The words of the client whose datagrams are forwarded. */
  #client: PeerWords = new Int32Array(0);

  constructor(descriptor: Descriptor, nowMs: () => number, onForwarded: (forwarded: Forwarded) => void) {
    this.descriptor = descriptor;
    this.#nowMs = nowMs;
    this.#onForwarded = onForwarded;
  }

  /** Receives nothing any more. */
  stop(): void {
    udpMemory().poller.change(this.descriptor, 0);
  }

  onEvents(): void {
    const { received, sender } = udpMemory();
    const count = received.receiveWithPeers(this.descriptor); // an error concerns no client: the next turn goes on
    const nowMs = this.#nowMs();
    sender.hold();
    for (let index = 0; index < count; index += 1) {
      const at = received.wordsAt(index);
      const flow = this.flows.find(received.words, at);
      if (flow?.begin(nowMs) === true) received.deliver(index, flow);
      else {
        this.#client = received.words.slice(at, at + peerLayout.words);
        received.deliver(index, this);
      }
    }
    sender.release();
    this.#flush();
  }

  /** A datagram of a client without a flow. */
  take(datagram: Uint8Array): void {
    this.#forwarded.peers.push(this.#client);
    this.#forwarded.datagrams.push(datagram);
  }

  /** Passes datagrams that a flow has kept to the main thread. */
  forward({ words }: DatagramPeer, datagrams: readonly Uint8Array[]): void {
    this.#client = words;
    for (const datagram of datagrams) this.take(datagram);
    this.#flush();
  }

  /** What is sent to a client is lost if that is not possible: its flow has an error only of its remote. */
  onSendError(): void {
    // nothing to do
  }

  #flush(): void {
    if (this.#forwarded.datagrams.length === 0) return;
    const forwarded = this.#forwarded;
    this.#forwarded = { peers: [], datagrams: [] };
    this.#onForwarded(forwarded);
  }
}
