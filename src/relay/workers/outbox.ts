import type { MessagePort } from 'node:worker_threads';

/** Sends messages to another thread, together once a turn of the event loop. */
export class Outbox<Message> {
  readonly #port: Pick<MessagePort, 'postMessage'>;
  #messages: Message[] = [];

  constructor(port: Pick<MessagePort, 'postMessage'>) {
    this.#port = port;
  }

  post(message: Message): void {
    if (this.#messages.push(message) === 1) setImmediate(this.flush);
  }

  /** Sends what is there at once. */
  readonly flush = (): void => {
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    this.#messages = [];
    this.#port.postMessage(messages);
  };
}
