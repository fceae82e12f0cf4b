import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { isImageReference } from '../../src/lib/image-reference.ts';
import { runCli } from './cli.ts';

/** An operator whose flags were accepted would end with exit code 1. */
const noCluster = '--kubeconfig=/no/such/file';

const name = 'use lower-case letters, digits and "-" inside, at most 63 characters';

describe('flags of realm-operator operator', () => {
  const refused: readonly {
    readonly why: string;
    readonly flags: readonly string[];
    readonly says: string;
  }[] = [
    {
      why: 'a namespace with a capital letter',
      flags: ['--namespace', 'Not_A_Name'],
      says: `--namespace: is not the name of a namespace, got "Not_A_Name": ${name}`,
    },
    {
      why: 'a list of namespaces with a bad one',
      flags: ['--namespace=a,-b'],
      says: `--namespace: is not the name of a namespace, got "-b": ${name}`,
    },
    { why: 'a list with an empty name', flags: ['--namespace=a,,b'], says: 'got "": use' },
    { why: 'an empty namespace', flags: ['--namespace='], says: 'leave the flag out for all namespaces' },
    { why: 'a pattern', flags: ['--namespace', '*'], says: 'got "*": use' },
    { why: 'a name of 64 letters', flags: [`--namespace=${'a'.repeat(64)}`], says: 'at most 63 characters' },
    {
      why: 'a lease namespace that is no name',
      flags: ['--leader-elect', '--lease-namespace=a.b'],
      says: `--lease-namespace: is not the name of a namespace, got "a.b": ${name}`,
    },
    {
      why: 'a lease namespace that is not used',
      flags: ['--lease-namespace=A'],
      says: '--lease-namespace: is not the name of a namespace, got "A"',
    },
    {
      why: 'a lease without a namespace',
      flags: ['--leader-elect'],
      says: '--leader-elect: outside a cluster, give a namespace with --lease-namespace',
    },
    ...['abc', '', '15s', '1e1', '0x10', '7.5', '+15', '99999999999'].map((value) => ({
      why: `"${value}" as a number`,
      flags: [`--lease-seconds=${value}`],
      says: `--lease-seconds: has the wrong type, got "${value}": give a whole number from 5 to 300`,
    })),
    ...['4', '301'].map((value) => ({
      why: `${value}, which is out of range`,
      flags: [`--lease-seconds=${value}`],
      says: `--lease-seconds: is out of range, got ${value}: give a whole number from 5 to 300`,
    })),
    {
      why: 'a number with a minus as a word of its own',
      flags: ['--lease-seconds', '-5'],
      says: '--lease-seconds: has no value: write --lease-seconds=VALUE',
    },
    ...[
      '',
      'https://registry.example/relay:1',
      'registry.example/Relay',
      'relay:',
      'relay@sha256:12',
      'a b',
    ].map((value) => ({
      why: `"${value}" as an image`,
      flags: [`--relay-image=${value}`],
      says: `--relay-image: is not the reference of an image, got "${value}": use a reference such as`,
    })),
    { why: 'an address without a port', flags: ['--admin=::1]'], says: '--admin: has no port, got "::1]"' },
    { why: 'a port above 65535', flags: ['--admin=127.0.0.1:65536'], says: '--admin: has no valid port' },
    { why: 'an empty address', flags: ['--admin='], says: '--admin: has no port, got "": write' },
    { why: 'a bare port', flags: ['--admin=:8080'], says: '--admin: has no host, got ":8080": write' },
    {
      why: 'a level that is nearly one',
      flags: ['--log-level=Debug'],
      says: '--log-level: is not one of the allowed words, got "Debug": did you mean "debug"?',
    },
    {
      why: 'an empty level',
      flags: ['--log-level='],
      says: '--log-level: is not one of the allowed words, got "": use one of off, error',
    },
    {
      why: 'defaults of relays with a misspelt field',
      flags: ['--relay-defaults={podTemplates: {}}'],
      says: '--relay-defaults: podTemplates: is an unknown key and has no effect: did you mean "podTemplate"?',
    },
    {
      why: 'defaults of relays that are no YAML',
      flags: ['--relay-defaults={'],
      says: '--relay-defaults: is not YAML',
    },
    {
      why: 'empty defaults of relays',
      flags: ['--relay-defaults='],
      says: '--relay-defaults: document: is missing: add it: a mapping of fields',
    },
    {
      why: 'an empty path',
      flags: ['--kubeconfig='],
      says: '--kubeconfig: is not the path of a file, got "": give a path',
    },
    {
      why: 'an unknown flag that is nearly a known one',
      flags: ['--namspace=a'],
      says: '--namspace=a: is an unknown flag: did you mean --namespace?',
    },
    {
      why: 'a flag with one dash',
      flags: ['-leader-elect'],
      says: '-leader-elect: is an unknown flag: did you mean --leader-elect?',
    },
    {
      why: 'an unknown flag',
      flags: ['--metrics-bind-address=:8080'],
      says: '--metrics-bind-address=:8080: is an unknown flag: see --help for the flags',
    },
    {
      why: 'a flag that every object has',
      flags: ['--constructor=a'],
      says: '--constructor=a: is an unknown flag',
    },
    {
      why: 'a flag given twice',
      flags: ['--log-level=info', '--log-level', 'debug'],
      says: '--log-level: is given twice: give it once',
    },
    {
      why: 'a switch given twice',
      flags: ['--leader-elect', '--leader-elect=false'],
      says: '--leader-elect: is given twice: give it once',
    },
    {
      why: 'a switch with another value',
      flags: ['--leader-elect=yes'],
      says: '--leader-elect: takes no such value, got "yes": use true or false, or no value',
    },
    {
      why: 'a flag in place of a value',
      flags: ['--namespace', '--leader-elect'],
      says: '--namespace: has no value: write --namespace=VALUE',
    },
    {
      why: 'a last flag without a value',
      flags: ['--relay-image'],
      says: '--relay-image: has no value: write --relay-image=VALUE',
    },
    {
      why: 'an argument that is no flag',
      flags: ['--leader-elect', 'false'],
      says: 'false: is an argument too many: remove it; a flag is written as --FLAG=VALUE',
    },
  ];
  for (const { why, flags, says } of refused) {
    it(`refuses with exit code 2 ${why}`, async () => {
      const hasKubeConfig = flags.some((flag) => flag.startsWith('--kubeconfig'));
      const { code, stderr } = await runCli(['operator', ...(hasKubeConfig ? [] : [noCluster]), ...flags]);
      expect(code).to.equal(2);
      const [line] = stderr.split('\n', 1);
      expect(line)
        .to.match(/^realm-operator operator: /)
        .and.contain(says);
    });
  }

  const accepted: readonly (readonly string[])[] = [
    ['--namespace', 'a', '--namespace', 'b'],
    ['--namespace=a,b', '--namespace=b'],
    [`--namespace=${'a'.repeat(63)}`],
    ['--leader-elect=true', '--lease-namespace=a', '--lease-seconds=5'],
    ['--leader-elect=false', '--lease-seconds', '300'],
    ['--relay-image=registry.example:5000/team/relay:1.2-rc_1@sha256:' + '0'.repeat(64)],
    ['--denied-destinations=', '--admin=off', '--log-level=off'],
    ['--admin', '[::1]:0'],
    ['--no-gateway-api'],
    ['--omit-user-ids', '--relay-defaults={"resources": {"requests": {"cpu": "10m"}}}'],
  ];
  for (const flags of accepted) {
    it(`accepts ${flags.join(' ')}`, async () => {
      const { code, stderr } = await runCli(['operator', noCluster, ...flags]);
      expect({ code, stderr }).to.deep.include({ code: 1 });
      expect(stderr).to.contain('the kubeconfig /no/such/file cannot be read');
    });
  }
});

describe('the operator whose admin address is taken', () => {
  it('ends with exit code 1 and names the address', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const kubeconfig = join(folder, 'kubeconfig');
    const cluster = { name: 'a', cluster: { server: 'http://127.0.0.1:9' } };
    const context = { name: 'a', context: { cluster: 'a', user: 'a' } };
    writeFileSync(
      kubeconfig,
      JSON.stringify({ clusters: [cluster], users: [], contexts: [context], 'current-context': 'a' }),
    );
    const address = `127.0.0.1:${String((taken.address() as AddressInfo).port)}`;
    try {
      const argv = ['operator', `--kubeconfig=${kubeconfig}`, `--admin=${address}`, '--log-level=off'];
      const { code, stderr } = await runCli(argv);
      expect({ code, stderr }).to.deep.include({ code: 1 });
      expect(stderr).to.contain(address);
    } finally {
      taken.close();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('isImageReference', () => {
  for (const text of ['relay', 'a/b', 'localhost:5000/a', '[::1]:5000/a:1', 'Registry.Example/a', 'a__b.c-d'])
    it(`accepts ${text}`, () => expect(isImageReference(text)).to.equal(true));
  for (const text of ['', ':1', 'a//b', '/a', 'a:b:c', 'a@b', 'a:-1', 'a/B', 'a'.repeat(256)])
    it(`rejects "${text}"`, () => expect(isImageReference(text)).to.equal(false));
});
