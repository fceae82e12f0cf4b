import { asError, errorCode, RealmError } from '../../lib/errors.ts';
import type { AnswerMessage, CallMessage, CallName, Calls, Message, Note } from './messages.ts';

/** The other side of a channel is gone. */
export class LostError extends RealmError {
  readonly code = 'REALM_WORKER_LOST';
}

/** Sends one message to the other side. */
export type Send = (message: Message, handle?: object) => void;

type Pending = { readonly resolve: (answer: unknown) => void; readonly reject: (error: Error) => void };

/** The asking side of a channel: calls that are answered, in any order. */
export class Caller {
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
    asked: Calls[Name]['asked'],
    handle?: object,
  ): Promise<Calls[Name]['answer']> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const seq = (this.#seq += 1);
    const { promise, resolve, reject } = Promise.withResolvers<Calls[Name]['answer']>();
    this.#pending.set(seq, { resolve: resolve as (answer: unknown) => void, reject });
    this.#send({ seq, call, asked }, handle);
    return promise;
  }

  take(message: AnswerMessage): void {
    const pending = this.#pending.get(message.seq);
    this.#pending.delete(message.seq);
    if ('answer' in message) pending?.resolve(message.answer);
    else pending?.reject(Object.assign(new Error(message.error.message), { code: message.error.code }));
  }

  /** Nothing will be answered any more. */
  lose(error: LostError): void {
    this.#lost = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

/** What answers each call. */
export type Answers = {
  readonly [Name in CallName]: (
    asked: Calls[Name]['asked'],
    handle?: object,
  ) => Promise<Calls[Name]['answer']>;
};

/** Answers `message` by `answers`; what one throws is its answer, too. */
export async function answerCall(
  answers: Answers,
  { seq, call, asked }: CallMessage,
  handle?: object,
): Promise<AnswerMessage> {
  try {
    const answerTo = answers[call] as (asked: unknown, handle?: object) => Promise<unknown>;
    return { seq, answer: await answerTo(asked, handle) };
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
