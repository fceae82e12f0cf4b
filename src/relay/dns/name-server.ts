import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { literalAddress } from '../../lib/literal-address.ts';
import { messageId, queryMessage, readReply, type DnsQuestion, type Reply } from './message.ts';

/** Where a name server listens. `host` is an IP address, with its zone if it has one. */
export type ServerAddress = { readonly host: string; readonly port: number };

/** What becomes of a query: at most one of the two is called, once, later. */
export type QueryEvents = {
  readonly onReply: (reply: Exclude<Reply, { kind: 'truncated' }>) => void;
  /** The server cannot be reached. */
  readonly onError: (error: Error) => void;
};

type Protocol = 'tcp' | 'udp';

/** Sockets to one server. Each query has one of its own, and so a random port, until there are that many. */
const maxSockets: Readonly<Record<Protocol, number>> = { udp: 4, tcp: 2 };

/** One name server. Its sockets are open while queries wait for it. */
export class NameServer {
  readonly #address: ServerAddress;
  readonly #first: Protocol;
  readonly #sockets: Readonly<Record<Protocol, Set<QuerySocket>>> = { tcp: new Set(), udp: new Set() };
  /** Until when it is tried after the others, because it was silent. */
  avoidedUntilMs = 0;

  /** @param isTcpOnly  never ask over UDP; otherwise TCP is for truncated answers. */
  constructor(address: ServerAddress, isTcpOnly: boolean) {
    this.#address = address;
    this.#first = isTcpOnly ? 'tcp' : 'udp';
  }

  /** Sends a query, once. @returns stops to wait for the reply. */
  ask(question: DnsQuestion, events: QueryEvents): () => void {
    let stop = this.#ask(this.#first, question, {
      onError: events.onError,
      onReply: (reply) => {
        if (reply.kind !== 'truncated') events.onReply(reply);
        else stop = this.#askByTcp(question, events); // RFC 7766, section 5
      },
    });
    return () => {
      stop();
    };
  }

  #askByTcp(question: DnsQuestion, { onReply, onError }: QueryEvents): () => void {
    return this.#ask('tcp', question, {
      onError,
      onReply: (reply) => {
        onReply(reply.kind === 'truncated' ? { kind: 'failure', reason: 'truncated over TCP' } : reply);
      },
    });
  }

  #ask(protocol: Protocol, question: DnsQuestion, waiting: Waiting): () => void {
    return this.#socket(protocol).ask(question, waiting);
  }

  #socket(protocol: Protocol): QuerySocket {
    const open = this.#sockets[protocol];
    const shared = open.size < maxSockets[protocol] ? undefined : [...open][randomInt(open.size)];
    if (shared !== undefined) return shared;
    const transport = protocol === 'udp' ? udpTransport : tcpTransport;
    const socket: QuerySocket = new QuerySocket(this.#address, transport, () => open.delete(socket));
    open.add(socket);
    return socket;
  }
}

type Waiting = {
  readonly onReply: (reply: Reply) => void;
  readonly onError: (error: Error) => void;
};

/** Carries messages to a server and back. */
type Transport = { readonly send: (message: Buffer) => void; readonly close: () => void };

type TransportEvents = {
  readonly onMessage: (message: Buffer) => void;
  readonly onError: (error: Error) => void;
};

type OpenTransport = (server: ServerAddress, events: TransportEvents) => Transport;

/** A socket to a name server, open while a query waits for its reply. */
class QuerySocket {
  readonly #transport: Transport;
  readonly #waiting = new Map<number, Waiting & { readonly question: DnsQuestion }>();
  readonly #onClosed: () => void;

  constructor(server: ServerAddress, open: OpenTransport, onClosed: () => void) {
    this.#onClosed = onClosed;
    this.#transport = open(server, {
      onMessage: (message) => {
        this.#receive(message);
      },
      onError: (error) => {
        const waiting = [...this.#waiting.values()];
        this.#waiting.clear();
        this.#close();
        for (const { onError } of waiting) onError(error);
      },
    });
  }

  ask(question: DnsQuestion, waiting: Waiting): () => void {
    const id = this.#freeId();
    this.#waiting.set(id, { ...waiting, question });
    this.#transport.send(queryMessage(id, question));
    return () => {
      this.#forget(id);
    };
  }

  /** Random, so that a stranger cannot forge the reply: RFC 5452, section 9.2. */
  #freeId(): number {
    let id = randomInt(0x10000);
    while (this.#waiting.has(id)) id = randomInt(0x10000);
    return id;
  }

  #receive(message: Buffer): void {
    const id = messageId(message);
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (id === undefined || waiting === undefined) return;
    const reply = readReply(message, waiting.question);
    if (reply === undefined) return;
    this.#forget(id);
    waiting.onReply(reply);
  }

  #forget(id: number): void {
    if (this.#waiting.delete(id) && this.#waiting.size === 0) this.#close();
  }

  #close(): void {
    this.#onClosed();
    this.#transport.close();
  }
}

/** A connected socket, so that the kernel drops what others send and reports a server that refuses. */
function udpTransport({ host, port }: ServerAddress, { onMessage, onError }: TransportEvents): Transport {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', lookup: literalAddress }).unref();
  let unsent: Buffer[] | undefined = [];
  let isClosed = false;
  const fail = (error: Error): void => {
    if (!isClosed) onError(error);
  };
  const send = (message: Buffer): void => {
    socket.send(message, (error) => {
      if (error !== null) fail(error);
    });
  };
  socket.on('error', fail).on('message', onMessage);
  // On failure Node passes the error to the callback, although its types have no parameter there.
  socket.connect(port, host, ((error?: Error) => {
    if (error !== undefined) fail(error);
    else if (!isClosed) for (const message of unsent ?? []) send(message);
    unsent = undefined;
  }) as () => void);
  return {
    send: (message) => {
      if (unsent === undefined) send(message);
      else unsent.push(message);
    },
    close: () => {
      isClosed = true;
      socket.close();
    },
  };
}

/** RFC 1035, section 4.2.2: two bytes before each message are its length. */
function tcpTransport({ host, port }: ServerAddress, { onMessage, onError }: TransportEvents): Transport {
  const socket = connect({ host, port, noDelay: true }).unref();
  let received = Buffer.alloc(0);
  let isClosed = false;
  const fail = (error: Error): void => {
    if (!isClosed) onError(error);
  };
  socket.on('error', fail).on('close', () => {
    fail(new Error('the name server closed the connection'));
  });
  socket.on('data', (part: Buffer) => {
    received = Buffer.concat([received, part]);
    while (!isClosed && received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const message = received.subarray(2, end);
      received = received.subarray(end);
      onMessage(message);
    }
  });
  return {
    send: (message) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      socket.write(Buffer.concat([length, message]));
    },
    close: () => {
      isClosed = true;
      socket.destroy();
    },
  };
}
