import { expect } from 'chai';
import { specStructure, type StructuralSchema } from '../../src/api/crd.ts';
import type { EndpointSpec } from '../../src/api/schema/endpoint.ts';
import { sourceDocument } from '../../src/config/config-text.ts';
import { healthCheckKeys } from '../../src/config/health-check-keys.ts';
import { importedRelay } from '../../src/config/import/imported-relay.ts';
import { networkKeys } from '../../src/config/network-keys.ts';
import type { RealmEndpoint } from '../../src/config/realm-document.ts';
import { healthCheckFields, networkFields } from '../../src/config/spec-fields.ts';
import { configText, realmDocument } from '../../src/desired/config-map.ts';
import { endpoint, relay } from '../support/realm-relays.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A field of the schema, with its path below the tested part, e.g. `acceptProxy.timeoutSeconds`. */
type Field = { readonly path: readonly string[]; readonly schema: StructuralSchema };

/** Tables with the same form in both programs, which have no default. */
const sameForm = ['udp'];

function fieldsOf({ properties = {} }: StructuralSchema, above: readonly string[] = []): Field[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = [...above, name];
    if (schema.properties !== undefined && sameForm.includes(name)) return [];
    return schema.properties === undefined ? { path, schema } : fieldsOf(schema, path);
  });
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((part, name) => (part as Fields | undefined)?.[name], value);
}

/** An object with `value` at `path`, in a group that is enabled. */
function objectWith([name = '', ...below]: readonly string[], value: unknown): Fields {
  return { [name]: below.length === 0 ? value : { enabled: true, ...objectWith(below, value) } };
}

/** A value of a field that differs from `usual`. */
function other({ type, minimum, maximum }: StructuralSchema, usual: unknown): unknown {
  if (type === 'boolean') return usual !== true;
  if (type === 'integer') return maximum === usual ? minimum : maximum;
  return ['192.0.2.0/24'];
}

const endpointSchema = specStructure().properties?.['endpoints']?.items?.properties ?? {};
const networkDefaults = relay().endpoints[0]?.network;
const checkDefaults = relay([endpoint({ healthCheck: {} })]).endpoints[0]?.healthCheck;

/** The parts of a RealmRelay that have a table of fields, with the counterpart of each in the relay's file. */
const parts = {
  network: {
    schema: endpointSchema['network'],
    table: networkFields,
    keys: networkKeys,
    defaults: networkDefaults,
    written: (fields: Fields) => rendered({ network: { udp: true, ...fields } }).network,
    imported: (fields: Fields) => imported({ network: { udp: true, ...fields } }).network,
  },
  healthCheck: {
    schema: endpointSchema['healthCheck'],
    table: healthCheckFields,
    keys: healthCheckKeys,
    defaults: checkDefaults,
    written: (healthCheck: Fields) => rendered({ healthCheck }).health_check,
    imported: (healthCheck: Fields) => imported({ healthCheck }).healthCheck,
  },
};

/** A user's endpoint as an endpoint in the relay's file. */
function rendered(fields: Partial<EndpointSpec>): RealmEndpoint {
  const [only] = realmDocument(relay([endpoint(fields)])).endpoints;
  if (only === undefined) throw new Error('no endpoint is rendered');
  return only;
}

/** The result of `import` for that file. */
function imported(fields: Partial<EndpointSpec>): Partial<EndpointSpec> {
  const text = configText(relay([endpoint(fields)]));
  const [only] = importedRelay([sourceDocument({ source: 'config.json', text })]).spec.endpoints;
  return only ?? {};
}

for (const [part, { schema = {}, table, keys, defaults, written, imported: back }] of Object.entries(parts)) {
  describe(`${part}, each field of the schema`, () => {
    for (const { path, schema: field } of fieldsOf(schema)) {
      const name = `${part}.${path.join('.')}`;
      const usual = at(defaults, path);
      const word = String(at(table, path));
      const key = word.replace(/^!/, '');
      const inFile = (given: unknown): unknown => (word === key ? given : given !== true);
      const value = other(field, usual);

      it(`${name} has a default, which its description states`, () => {
        expect(usual).to.not.equal(undefined);
        if (!Array.isArray(usual)) expect(field.description).to.contain(`Default: ${String(usual)}.`);
      });

      it(`${name} is a key of the relay's file, with the same default`, () => {
        expect(at(keys, [key, 'default'])).to.deep.equal(inFile(usual));
      });

      it(`${name} is rendered`, () => {
        expect(at(written(objectWith(path, value)), [key])).to.deep.equal(inFile(value));
      });

      it(`${name} is restored by import`, () => {
        expect(at(back(objectWith(path, value)), path)).to.deep.equal(value);
      });
    }
  });
}

describe('healthCheck.udp', () => {
  for (const udp of [{ send: 'x' }, { send: '\\x00', expect: 'y' }]) {
    it(`is rendered, and restored by import: ${JSON.stringify(udp)}`, () => {
      const fields = { healthCheck: { udp }, network: { udp: true } };
      expect(rendered(fields).health_check?.udp).to.deep.equal(udp);
      expect(imported(fields).healthCheck).to.deep.equal({ udp });
    });
  }
});
