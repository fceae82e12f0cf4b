import { asError, errorCode, RealmError } from '../../lib/errors.ts';
import type { ResultMessage, CallMessage, CallName, Calls, Message, Note } from './messages.ts';

/** The worker ended before it sent a result. */
export class LostError extends RealmError {
  readonly code = 'REALM_WORKER_LOST';
}

/** Sends one message. */
export type Send = (message: Message, handle?: object) => void;

type Pending = { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void };

/** Makes calls; their results come in any order. */
export class RpcClient {
  readonly #send: Send;
  readonly #pending = new Map<number, Pending>();
  #seq = 0;
  #lost: LostError | undefined;

  constructor(send: Send) {
    this.#send = send;
  }

  /** @throws LostError, or an error with the message and `code` of what the worker threw. */
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

  receive(message: ResultMessage): void {
    const pending = this.#pending.get(message.seq);
    this.#pending.delete(message.seq);
    if ('result' in message) pending?.resolve(message.result);
    else pending?.reject(Object.assign(new Error(message.error.message), { code: message.error.code }));
  }

  /** Rejects every call, present and future. */
  close(error: LostError): void {
    this.#lost = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

/** A handler for each call. */
export type RpcHandlers = {
  readonly [Name in CallName]: (
    params: Calls[Name]['params'],
    handle?: object,
  ) => Promise<Calls[Name]['result']>;
};

/** Handles a call. @returns its result, or the error that its handler threw. */
export async function handleCall(
  handlers: RpcHandlers,
  { seq, call, params }: CallMessage,
  handle?: object,
): Promise<ResultMessage> {
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
