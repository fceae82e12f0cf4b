import { asError, errorCode, RealmError } from '../../lib/errors.ts';
import type { AnswerMessage, CallMessage, CallName, Calls, Message, Note } from './messages.ts';

/** The other side of a channel is gone. */
export class LostError extends RealmError {
  readonly code = 'REALM_WORKER_LOST';
}

/** Sends one message to the other side. */
export type Send = (message: Message, handle?: object) => void;

type Pending = { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void };

/** The asking side of a channel: calls that are answered, in any order. */
export class RpcClient {
  readonly #send: Send;
  readonly #pending = new Map<number, Pending>();
  #seq = 0;
  #lost: LostError | undefined;

  constructor(send: Send) {
    this.#send = send;
  }

  /** @throws LostError; whatever the other side threw, by its message and `code`. */
  call<Name extends CallName>(
    call: Name,
    params: Calls[Name]['params'],
    handle?: object,
  ): Promise<Calls[Name]['result']> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const seq = (this.#seq += 1);
    const { promise, resolve, reject } = Promise.withResolvers<Calls[Name]['result']>();
    this.#pending.set(seq, { resolve: resolve as (result: unknown) => void, reject });
    this.#send({ seq, call, params }, handle);
    return promise;
  }

  receive(message: AnswerMessage): void {
    const pending = this.#pending.get(message.seq);
    this.#pending.delete(message.seq);
    if ('result' in message) pending?.resolve(message.result);
    else pending?.reject(Object.assign(new Error(message.error.message), { code: message.error.code }));
  }

  /** Nothing will be answered any more. */
  close(error: LostError): void {
    this.#lost = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

/** What handles each call. */
export type RpcHandlers = {
  readonly [Name in CallName]: (
    params: Calls[Name]['params'],
    handle?: object,
  ) => Promise<Calls[Name]['result']>;
};

/** Handles a call by `handlers`; an error that one throws is sent back. */
export async function handleCall(
  handlers: RpcHandlers,
  { seq, call, params }: CallMessage,
  handle?: object,
): Promise<AnswerMessage> {
  try {
    const handler = handlers[call] as (params: unknown, handle?: object) => Promise<unknown>;
    return { seq, result: await handler(params, handle) };
  } catch (error) {
    return { seq, error: { message: asError(error).message, code: errorCode(error) } };
  }
}

export function isNote(message: Message): message is Note {
  return 'note' in message;
}

export function isCall(message: Message): message is CallMessage {
  return 'call' in message;
}
