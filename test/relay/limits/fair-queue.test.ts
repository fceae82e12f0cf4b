import { expect } from 'chai';
import fc from 'fast-check';
import { FairQueue } from '../../../src/relay/limits/fair-queue.ts';

type Item = { readonly client: string; readonly number: number };

/** A plain and slow queue that is fair by client. */
class Model {
  /** The client whose turn is next comes first. */
  clients: { readonly name: string; items: Item[] }[] = [];

  push(item: Item): void {
    const line = this.clients.find(({ name }) => name === item.client);
    if (line === undefined) this.clients.push({ name: item.client, items: [item] });
    else line.items.push(item);
  }

  shift(): Item | undefined {
    const line = this.clients.shift();
    const item = line?.items.shift();
    if (line !== undefined && line.items.length > 0) this.clients.push(line);
    return item;
  }

  count(client: string): number {
    return this.clients.find(({ name }) => name === client)?.items.length ?? 0;
  }

  get longest(): number {
    return Math.max(0, ...this.clients.map(({ items }) => items.length));
  }

  remove(isOver: (item: Item) => boolean): void {
    for (const line of this.clients) line.items = line.items.filter((item) => !isOver(item));
    this.clients = this.clients.filter(({ items }) => items.length > 0);
  }
}

describe('fair queue', () => {
  const names = ['a', 'b', 'c', 'd'];
  const client = fc.constantFrom(...names);
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ act: fc.constant('push' as const), client }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('shift' as const), client }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('pop' as const), client }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('remove' as const), client }) },
  );

  it('serves clients in turns, each oldest first, and takes the newest of the client with the most', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const [queue, model] = [new FairQueue<Item>(), new Model()];
        const acts = {
          push: (name: string, number: number) => {
            queue.push(name, { client: name, number });
            model.push({ client: name, number });
          },
          shift: () => {
            expect(queue.shift()).to.deep.equal(model.shift());
          },
          pop: () => {
            const { longest } = model;
            const taken = queue.pop();
            expect(taken === undefined).to.equal(longest === 0);
            if (taken === undefined) return;
            const line = model.clients.find(({ name }) => name === taken.client);
            expect([line?.items.length, line?.items.at(-1)]).to.deep.equal([longest, taken]);
            model.remove(({ number }) => number === taken.number);
          },
          remove: (name: string, at: number) => {
            const isOver = (item: Item): boolean => item.client === name && (item.number + at) % 2 === 0;
            const removed = queue.removeIf(isOver);
            expect(removed.every(isOver)).to.equal(true);
            model.remove(isOver);
          },
        };
        for (const [at, { act, client: name }] of steps.entries()) {
          acts[act](name, at);
          expect([...queue]).to.deep.equal(model.clients.flatMap(({ items }) => items));
          expect(queue.size).to.equal([...queue].length);
          for (const each of names) {
            expect(queue.hasLongerThan(each)).to.equal(model.longest > model.count(each) + 1);
          }
        }
      }),
    );
  });
});
