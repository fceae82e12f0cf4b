import { expect } from 'chai';
import { ConfigError } from '../../src/config/config-error.ts';
import { parseRelayConfig, type ParsedConfig } from '../../src/config/parsed-config.ts';
import { addressesText, portsOf } from '../../src/config/port-config.ts';
import { problemText } from '../../src/lib/problem.ts';

const endpoint = { listen: '[::]:80', remote: '192.0.2.1:8080' };

function parse(document: unknown): ParsedConfig {
  return parseRelayConfig([{ source: 'config.json', text: JSON.stringify(document) }]);
}

function problems(document: unknown): string {
  try {
    parse(document);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(problemText).join();
    throw error;
  }
  return '';
}

describe('relay config, listen_end_port', () => {
  it('makes an endpoint with listen_end_port a range: the ports of its remotes shift along, or stay', () => {
    const { config, warnings } = parse({
      endpoints: [
        {
          name: 'rtp',
          listen: '[::]:20000',
          listen_end_port: 29_999,
          remote: 'a.example:40000',
          extra_remotes: ['192.0.2.1:9'],
          fixed_remote_ports: [false, true],
        },
        { range_of: 'rtp', listen: '[::]:80', remote: 'a.example:1', extra_remotes: ['192.0.2.1:2'] },
      ],
    });
    expect(warnings).to.deep.equal([]);
    expect(config.endpoints).to.have.length(1);
    const ports = config.endpoints.flatMap(portsOf);
    const last = ports.find(({ listen }) => listen.port === 29_999);
    expect(addressesText(ports.map(({ listen }) => listen))).to.equal('[::]:80,20000-29999');
    expect(last?.remotes.map(({ port }) => port)).to.deep.equal([49_999, 9]);
    expect(ports.at(-1)?.remotes.map(({ port }) => port)).to.deep.equal([1, 2]);
  });

  it('takes a listen_end_port that equals the port of listen as one port', () => {
    const { config } = parse({ endpoints: [{ ...endpoint, listen_end_port: 80 }] });
    expect(config.endpoints.flatMap(portsOf)).to.have.length(1);
  });

  const wrongRanges = [
    {
      listen_end_port: 79,
      expected: 'listen_end_port: is below port 80 of listen, got 79: give the last port',
    },
    { listen: '[::]:0', listen_end_port: 79, expected: 'listen_end_port: cannot go with port 0, got 79' },
    {
      listen_end_port: 82,
      remote: 'a.example:65534',
      expected: 'listen_end_port: leads to port 65536 of a.example, and the last port is 65535, got 82',
    },
    {
      listen_end_port: 82,
      fixed_remote_ports: [true, false],
      expected: 'fixed_remote_ports: has 2 entries for 1 remote: give true or false for each remote',
    },
    { listen_end_port: 65_536, expected: 'listen_end_port: is out of range' },
    { listen_end_port: '82', expected: 'listen_end_port: has the wrong type' },
  ];
  for (const { expected, ...wrong } of wrongRanges) {
    it(`rejects a range: ${expected}`, () => {
      const document = { endpoints: [{ listen: '[::]:80', remote: 'a.example:80', ...wrong }] };
      expect(problems(document)).to.contain(`endpoints[0].${expected}`);
    });
  }

  it('rejects listen_end_port beside range_of, and warns of fixed_remote_ports of one port', () => {
    const web = { name: 'web', listen: '[::]:80', remote: 'a.example:80' };
    const more = { range_of: 'web', listen: '[::]:81', listen_end_port: 82, remote: 'a.example:81' };
    expect(problems({ endpoints: [web, more] })).to.contain(
      'endpoints[1].listen_end_port: cannot go with range_of, got 82: set it on endpoint "web"',
    );
    const { warnings } = parse({ endpoints: [{ ...web, fixed_remote_ports: [true] }] });
    expect(warnings.map(problemText)).to.deep.equal([
      'endpoints[0].fixed_remote_ports: has no effect: the endpoint has one port: remove it, or set listen_end_port',
    ]);
  });
});
