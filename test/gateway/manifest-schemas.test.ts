import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import { z } from 'zod';
import { manifestSchema, versionsOf } from '../../src/gateway/manifest-schemas.ts';
import { gatewayCrds, hasGatewayCrds } from '../cluster/crds.ts';

type Schema = {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
};
type Crd = {
  readonly kind: string;
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly { name: string; served: boolean; schema: { openAPIV3Schema: Schema } }[];
  };
};

/** Every field below `schema`, those that are required with an asterisk. */
function fields({ properties = {}, required = [], items }: Schema, path = ''): string[] {
  return [
    ...Object.entries(properties).flatMap(([name, field]) => {
      const inside = `${path}.${name}`;
      return [`${inside}${required.includes(name) ? '*' : ''}`, ...fields(field, inside)];
    }),
    ...(items === undefined ? [] : fields(items, `${path}[]`)),
  ];
}

const crds = hasGatewayCrds
  ? readdirSync(gatewayCrds).flatMap(
      (file) => loadAll(readFileSync(join(gatewayCrds, file), 'utf8')) as (Crd | null)[],
    )
  : [];

describe('the schemas of manifests that go with Gateways', () => {
  const kinds = crds.flatMap((crd) => (crd?.kind === 'CustomResourceDefinition' ? [crd] : []));
  if (kinds.length === 0)
    it.skip('have the fields of the CRDs (skipped: `make cluster` could not fetch those)', () => undefined);
  for (const { spec } of kinds)
    for (const { name, schema } of spec.versions) {
      const version = `gateway.networking.k8s.io/${name}`;
      const own = manifestSchema(version, spec.names.kind);
      if (own === undefined) continue;
      it(`have the fields of the CRD: ${spec.names.kind} ${name}`, () => {
        const ours = z.toJSONSchema(own, { io: 'input' }) as Schema;
        const theirs = schema.openAPIV3Schema.properties?.['spec'] ?? {};
        expect(fields(ours.properties?.['spec'] ?? {}).toSorted()).to.deep.equal(fields(theirs).toSorted());
      });
    }

  it('know every version that is read', () => {
    expect(versionsOf('TCPRoute')).to.deep.equal([
      'gateway.networking.k8s.io/v1',
      'gateway.networking.k8s.io/v1alpha2',
    ]);
    expect(versionsOf('HTTPRoute')).to.deep.equal([]);
  });
});
