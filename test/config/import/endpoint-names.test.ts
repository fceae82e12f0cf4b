import { expect } from 'chai';
import fc from 'fast-check';
import { isFault, parseSocketAddress } from '../../../src/config/address.ts';
import { endpointNames, type Unnamed } from '../../../src/config/import/endpoint-names.ts';

function unnamed(listen: string, choice: Partial<Unnamed['network']> & { name?: string } = {}): Unnamed {
  const address = parseSocketAddress(listen);
  if (isFault(address)) throw new Error(listen);
  const { name, ...network } = choice;
  return {
    listen: address,
    network: { tcp: true, udp: false, ipv6Only: false, ...network },
    ...(name !== undefined && { name }),
  };
}

describe('endpointNames', () => {
  const cases: { endpoints: Unnamed[]; names: string[]; why: string }[] = [
    {
      endpoints: [
        unnamed('[::]:443'),
        unnamed('[::]:53', { tcp: false, udp: true }),
        unnamed('[::]:5', { udp: true }),
      ],
      names: ['tcp-443', 'udp-53', 'both-5'],
      why: 'protocol and port',
    },
    {
      endpoints: [unnamed('[::]:443', { ipv6Only: true }), unnamed('0.0.0.0:443')],
      names: ['tcp-443-v6', 'tcp-443-v4'],
      why: 'the family if there is only one',
    },
    {
      endpoints: [unnamed('[::]:443'), unnamed('[::]:443'), unnamed('[::]:443')],
      names: ['tcp-443', 'tcp-443-2', 'tcp-443-3'],
      why: 'a number if the name is used already',
    },
    {
      endpoints: [unnamed('[::]:443'), unnamed('[::]:80', { name: 'tcp-443' })],
      names: ['tcp-443-2', 'tcp-443'],
      why: 'an endpoint with a name keeps it',
    },
    {
      endpoints: [unnamed('[::]:1', { name: 'web' }), unnamed('[::]:3', { name: 'web' })],
      names: ['web', 'web-2'],
      why: 'a range in two runs',
    },
    {
      endpoints: ['The 1st: Web/Site (long)', '--', 'a--b'].map((name) => unnamed('[::]:9', { name })),
      names: ['the-1st-web-sit', 'tcp-9', 'a--b'],
      why: 'only what a DNS label allows',
    },
  ];
  for (const { endpoints, names, why } of cases) {
    it(`${names.join(', ')}: ${why}`, () => {
      expect(endpointNames(endpoints)).to.deep.equal(names);
    });
  }

  it('gives an address the same name whatever the other endpoints are', () => {
    const alone = endpointNames([unnamed('192.0.2.1:65535', { udp: true })]);
    const beside = endpointNames([
      unnamed('192.0.2.2:65535', { udp: true }),
      unnamed('192.0.2.1:65535', { udp: true }),
    ]);
    expect(beside[1]).to.equal(alone[0]);
    expect(beside[0]).not.to.equal(alone[0]);
  });

  it('gives unique labels of at most 15 characters', () => {
    const names = fc.option(fc.oneof(fc.string(), fc.constantFrom('a', 'A', 'a-2', 'tcp-1', 'x'.repeat(15))));
    fc.assert(
      fc.property(fc.array(names), (wanted) => {
        const given = endpointNames(wanted.map((name) => unnamed('[::]:1', name === null ? {} : { name })));
        expect(new Set(given).size).to.equal(wanted.length);
        for (const name of given) expect(name).to.match(/^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/);
      }),
    );
  });
});
