import { expect } from 'chai';
import type { ManagedFields, ManagedObject } from '../../src/kube/field-managers.ts';
import { Recreations } from '../../src/kube/recreations.ts';
import { FakeClock } from '../support/fake-clock.ts';

const wish = { service: false };

function service(uid: string, managers: readonly ManagedFields[] = []): ManagedObject {
  const ownerReferences = [
    {
      apiVersion: 'realm-operator.dev/v1alpha1',
      kind: 'RealmRelay',
      name: 'web',
      uid: 'u',
      controller: true,
    },
  ];
  const metadata = { name: 'web', namespace: 'edge', uid, ownerReferences, managedFields: managers };
  return { apiVersion: 'v1', kind: 'Service', metadata };
}

function manager(name: string, operation: string, subresource?: string): ManagedFields {
  const fieldsV1 = { 'f:spec': {} };
  return { manager: name, operation, fieldsV1, ...(subresource === undefined ? {} : { subresource }) };
}

describe('Recreations', () => {
  let clock: FakeClock;
  let managers: ManagedFields[];
  let recreations: Recreations;
  let created: number;

  beforeEach(() => {
    clock = new FakeClock();
    managers = [];
    created = 0;
    const read = (): Promise<ManagedObject> => Promise.resolve(service('live', managers));
    recreations = new Recreations({ clock, read, own: ['us'] });
  });

  /** Others create it, and we delete it as soon as we may. Returns how long that took, in seconds. */
  async function round(by = wish): Promise<number> {
    created += 1;
    const object = service(`uid-${String(created)}`);
    const waitMs = (await recreations.found(object, by))?.waitMs ?? 0;
    clock.advance(waitMs);
    expect((await recreations.found(object, by))?.waitMs ?? 0, 'it may be deleted then').to.equal(0);
    recreations.deleted(object, by);
    return waitMs / 1000;
  }

  async function rounds(count: number): Promise<number[]> {
    const waits: number[] = [];
    while (waits.length < count) waits.push(await round());
    return waits;
  }

  it('lets what exists again be deleted twice at once, then after 1, 2, 4 seconds', async () => {
    expect(await rounds(6)).to.deep.equal([0, 0, 0, 1, 2, 4]);
  });

  it('does not count an object that is still there', async () => {
    const object = service('a');
    for (const _look of [1, 2, 3, 4, 5]) {
      expect(await recreations.found(object, wish)).to.equal(undefined);
      recreations.deleted(object, wish);
    }
  });

  it('does not count what was wanted in between, or is not wanted for another reason', async () => {
    for (const _edit of [1, 2, 3, 4, 5]) {
      expect(await round()).to.equal(0);
      recreations.written(service('ours'), { service: true });
    }
    for (const by of [{ service: true }, wish, { service: true }, wish]) expect(await round(by)).to.equal(0);
  });

  it('counts on if what we create in its place, by the same wish, is not as wanted', async () => {
    await rounds(3);
    recreations.written(service('ours'), wish);
    expect(await round()).to.equal(1);
  });

  it('knows the rivalry until others have left it alone for half a minute, or something else is wanted', async () => {
    await rounds(4);
    const [rivalry] = recreations.settling('u', wish);
    expect(rivalry?.againMs).to.equal(30_000);
    expect(rivalry?.object.metadata.name).to.equal('web');
    expect(recreations.settling('another', wish), 'of another owner').to.deep.equal([]);
    clock.advance(29_999);
    expect(recreations.settling('u', wish)).to.have.lengthOf(1);
    clock.advance(1);
    expect(recreations.settling('u', wish)).to.deep.equal([]);
    await rounds(1);
    expect(recreations.settling('u', { service: true })).to.deep.equal([]);
  });

  const creators = [
    {
      of: [manager('restore', 'Update'), manager('cloud', 'Update', 'status')],
      named: ['"restore"'],
      why: 'names who created it, and nobody who only wrote its status',
    },
    {
      of: [manager('us', 'Apply'), manager('cloud', 'Update')],
      named: [],
      why: 'names nobody if we created it, since admission changes objects under our name',
    },
  ];
  for (const { of, named, why } of creators) {
    it(why, async () => {
      managers = of;
      await rounds(3);
      const rivalry = await recreations.found(service('next'), wish, ['spec.service.ipFamilies']);
      expect(rivalry).to.deep.include({ managers: named, fields: ['spec.service.ipFamilies'], isNews: true });
    });
  }

  it('remembers 4,096 objects, those that were deleted last', async () => {
    await rounds(3);
    for (let index = 0; index < 4_096; index += 1) {
      const { metadata, ...other } = service('x');
      recreations.deleted({ ...other, metadata: { ...metadata, name: String(index) } }, wish);
    }
    expect(await round()).to.equal(0);
  });
});
