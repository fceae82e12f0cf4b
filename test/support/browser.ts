import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { eventually } from './eventually.ts';

type Message = {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
};

/**
 * A suite that needs a browser. Where there is none its tests are pending, and its title states the reason; nothing is
 * downloaded.
 *
 * @param body  receives the browser, which runs while the suite does.
 */
export function describeWithChromium(title: string, body: (browser: () => Browser) => void): void {
  const command = chromium();
  if (command === undefined) {
    const reason = 'no Chromium on this machine: apt-get install chromium';
    describe.skip(`${title} (skipped: ${reason})`, () => {
      body(() => {
        throw new Error(reason);
      });
    });
    return;
  }
  describe(title, () => {
    let browser: Browser | undefined;
    before(async () => {
      browser = await Browser.start(command);
    });
    after(() => browser?.close());
    body(() => {
      if (browser === undefined) throw new Error('the browser runs only during tests');
      return browser;
    });
  });
}

/** The Chromium of this machine; undefined where there is none. */
function chromium(): string | undefined {
  return ['chromium', 'chromium-browser', 'google-chrome'].find(
    (name) => spawnSync(name, ['--version']).status === 0,
  );
}

/** A Chromium with one page, led through its DevTools protocol over pipes. */
export class Browser {
  /** What the page complained of: exceptions, refusals of its policy, console.error. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  readonly #waiting = new Map<number, (message: Message) => void>();
  #lastId = 0;
  #session: string | undefined;

  private constructor(command: string) {
    this.#child = spawn(
      command,
      [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--remote-debugging-pipe',
        `--user-data-dir=${this.#profile}`,
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    );
    this.#exited = once(this.#child, 'exit');
    let text = '';
    (this.#child.stdio[4] as Readable).setEncoding('utf8').on('data', (part: string) => {
      const messages = (text + part).split('\0');
      text = messages.pop() ?? '';
      for (const message of messages) this.#take(JSON.parse(message) as Message);
    });
    (this.#child.stdio[3] as Writable).on('error', () => undefined);
  }

  static async start(command: string): Promise<Browser> {
    const browser = new Browser(command);
    const { targetId } = await browser.send<{ targetId: string }>('Target.createTarget', {
      url: 'about:blank',
    });
    const attached = { targetId, flatten: true };
    const { sessionId } = await browser.send<{ sessionId: string }>('Target.attachToTarget', attached);
    browser.#session = sessionId;
    for (const part of ['Runtime', 'Log', 'Page']) await browser.send(`${part}.enable`);
    return browser;
  }

  /** Loads `url`. */
  async open(url: string): Promise<void> {
    await this.send('Page.navigate', { url });
  }

  /** What a person sees of a part of the page; '' if it is hidden. */
  text(selector: string): Promise<string> {
    const part = `document.querySelector(${JSON.stringify(selector)})`;
    return this.value(`(part => part?.checkVisibility() ? part.innerText : '')(${part})`);
  }

  /** Waits for words in a part of the page. @returns the text of the part. */
  shows(selector: string, words: string | RegExp): Promise<string> {
    return eventually(`${String(words)} in ${selector}`, async () => {
      const shown = await this.text(selector);
      const isThere = typeof words === 'string' ? shown.includes(words) : words.test(shown);
      return isThere ? shown : undefined;
    });
  }

  /** Shows the page as in a window of that width; below 768 as on a phone. */
  async resize(width: number): Promise<void> {
    const size = { width, height: 800, deviceScaleFactor: 1, mobile: width < 768 };
    await this.send('Emulation.setDeviceMetricsOverride', size);
  }

  /** What `expression` is in the page, or what it resolves to. */
  async value<T>(expression: string): Promise<T> {
    const { result } = await this.send<{ result: { value: T } }>('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    return result.value;
  }

  /** Calls a method of the protocol. */
  async send<T = unknown>(method: string, params: object = {}): Promise<T> {
    const id = (this.#lastId += 1);
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#waiting.set(id, resolve);
    const sessionId = this.#session === undefined ? {} : { sessionId: this.#session };
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...sessionId })}\0`);
    const { result, error } = await promise;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result as T;
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  #take({ id, method = '', params, ...answer }: Message): void {
    if (id !== undefined) this.#waiting.get(id)?.(answer);
    if (['Runtime.exceptionThrown', 'Runtime.consoleAPICalled', 'Log.entryAdded'].includes(method)) {
      this.complaints.push(JSON.stringify(params));
    }
  }
}
