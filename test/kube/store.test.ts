import { expect } from 'chai';
import type { KubeObject, ObjectKey } from '../../src/kube/object.ts';
import type { PackedObject } from '../../src/kube/packed-object.ts';
import { Store } from '../../src/kube/store.ts';

function object(
  name: string,
  resourceVersion: string,
  more: { uid?: string; owner?: string; namespace?: string } = {},
): KubeObject {
  const { uid = name, owner, namespace = 'edge' } = more;
  const reference = { apiVersion: 'v1', kind: 'Owner', name: 'o', uid: owner ?? '', controller: true };
  const owners = owner === undefined ? {} : { ownerReferences: [reference] };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, uid, resourceVersion, ...owners },
  };
}

function ownerOf({ metadata: { ownerReferences = [] } }: KubeObject): ObjectKey | undefined {
  const [owner] = ownerReferences;
  return owner && `edge/${owner.uid}`;
}

describe('Store', () => {
  let store: Store<KubeObject>;
  let changes: string[];

  function packed(...of: Parameters<typeof object>): PackedObject<KubeObject> {
    return store.pack(object(...of));
  }

  beforeEach(() => {
    store = new Store(ownerOf);
    changes = [];
    store.subscribe(({ now, before }) => {
      changes.push([before, now].map((seen) => seen?.resourceVersion ?? '-').join('>'));
    });
  });

  it('notifies of objects created, changed and deleted, with the version before', () => {
    store.set(packed('a', '1'));
    store.set(packed('a', '2'));
    store.remove(packed('a', '3'));
    expect(changes).to.deep.equal(['->1', '1>2', '3>-']);
  });

  it('returns the objects of a group for as long as they belong to it', () => {
    store.set(packed('a', '1', { owner: 'x' }));
    store.set(packed('b', '1', { owner: 'x' }));
    store.set(packed('b', '2', { owner: 'y' }));
    expect(store.group('edge/x')).to.deep.equal([object('a', '1', { owner: 'x' })]);
    store.remove(packed('a', '3', { owner: 'x' }));
    expect(store.group('edge/x')).to.deep.equal([]);
  });

  it('returns what it was given, however many objects were read in between', () => {
    const names = Array.from({ length: 20 }, (_, index) => `object-${String(index)}`);
    for (const name of names) store.set(packed(name, '1', { owner: 'x' }));
    for (const name of [...names, ...names.toReversed()])
      expect(store.get(`edge/${name}`)).to.deep.equal(object(name, '1', { owner: 'x' }));
    expect(store.group('edge/x').map(({ metadata }) => metadata.name)).to.deep.equal(names);
  });

  it('parses an object once while it is being read, and again when it has changed', () => {
    store.set(packed('a', '1'));
    const first = store.get('edge/a');
    expect(store.get('edge/a')).to.equal(first);
    store.set(packed('a', '2'));
    expect(store.get('edge/a')?.metadata.resourceVersion).to.equal('2');
  });

  it('keeps the same packed object in a group while it does not change', () => {
    for (const name of ['a', 'b']) store.set(packed(name, '1', { owner: 'x' }));
    const [a, b] = store.packedGroup('edge/x');
    store.set(packed('b', '2', { owner: 'x' }));
    const after = store.packedGroup('edge/x');
    expect(after).to.have.lengthOf(2).and.to.include(a).and.not.to.include(b);
  });

  it('does not notify of our own writes, nor of their echo', () => {
    store.put(object('a', '9'));
    store.set(packed('a', '9'));
    expect(changes).to.deep.equal([]);
    expect(store.get('edge/a')?.metadata.resourceVersion).to.equal('9');
  });

  it('does not notify of an echo that comes before the answer', async () => {
    await store.writeThrough('edge/a', () => {
      store.set(packed('a', '9'));
      return Promise.resolve({ object: object('a', '9') });
    });
    expect(changes).to.deep.equal([]);
    store.set(packed('a', '10'));
    expect(changes, 'the write is over').to.deep.equal(['9>10']);
  });

  it('notifies of what others wrote during the write afterwards, and of other objects at once', async () => {
    await store.writeThrough('edge/a', () => {
      store.set(packed('a', '8'));
      store.set(packed('b', '1'));
      expect(changes).to.deep.equal(['->1']);
      expect(store.get('edge/a'), 'it is in the store at once').to.deep.equal(object('a', '8'));
      store.set(packed('a', '9'));
      return Promise.resolve({ object: object('a', '9') });
    });
    expect(changes).to.deep.equal(['->1', '->8']);
    expect(store.get('edge/a')).to.deep.equal(object('a', '9'));
  });

  it('notifies of changes that came while a write failed', async () => {
    const error = new Error('no');
    const failed = store.writeThrough('edge/a', () => {
      store.set(packed('a', '9'));
      return Promise.reject(error);
    });
    expect(await failed.catch((thrown: unknown) => thrown)).to.equal(error);
    expect(changes).to.deep.equal(['->9']);
  });

  it('never goes back to an earlier version: 9 is before 10', () => {
    store.put(object('a', '10'));
    store.set(packed('a', '9'));
    expect(store.get('edge/a')?.metadata.resourceVersion).to.equal('10');
    store.set(packed('a', '1', { uid: 'its successor' }));
    expect(store.get('edge/a')?.metadata.uid).to.equal('its successor');
  });

  it('does not bring back a deleted object when an answer comes late', () => {
    store.set(packed('a', '1'));
    store.remove(packed('a', '3'));
    store.put(object('a', '2'));
    expect(store.get('edge/a')).to.equal(undefined);
  });

  it('keeps the successor when the deletion of its predecessor comes late', () => {
    store.put(object('a', '5', { uid: 'new' }));
    store.remove(packed('a', '4', { uid: 'old' }));
    expect(store.get('edge/a')?.metadata.uid).to.equal('new');
  });

  it('removes what a list no longer has in its namespace, unless it is later than the list', () => {
    store.set(packed('a', '1'));
    store.set(packed('b', '1', { namespace: 'other' }));
    store.put(object('c', '30'));
    store.replace([packed('d', '2')], '20', 'edge');
    expect(
      [store.get('edge/a'), store.get('other/b'), store.get('edge/c'), store.get('edge/d')].map(
        (found) => found !== undefined,
      ),
    ).to.deep.equal([false, true, true, true]);
    expect(store.size).to.equal(3);
  });
});
