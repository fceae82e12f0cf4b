import { expect } from 'chai';
import type { RealmEndpoint } from '../../src/config/realm-document.ts';
import { relayConfig } from '../../src/config/parsed-config.ts';

const base: RealmEndpoint = { listen: '[::]:80', remote: '192.0.2.1:80' };

/** The one endpoint of a file, read. @throws ConfigError */
function read(endpoint: object): object | undefined {
  return relayConfig({ endpoints: [{ ...base, ...endpoint }] }, 'test').config.endpoints[0];
}

describe('endpoints of the file, network interfaces', () => {
  it('are read, and none is named by an empty text', () => {
    expect(
      read({ interface: 'eth0', listen_interface: 'br-1.2', network: { use_udp: true } }),
    ).to.deep.include({
      dialDevice: 'eth0',
      listenDevice: 'br-1.2',
    });
    expect(read({ interface: '', listen_interface: '' })).to.not.have.any.keys('dialDevice', 'listenDevice');
  });

  for (const { endpoint, problem } of [
    { endpoint: { interface: 'a/b' }, problem: 'interface: is no name of a network interface, got "a/b"' },
    {
      endpoint: { listen_interface: 'sixteen-letters0' },
      problem: 'listen_interface: is no name of a network interface',
    },
    { endpoint: { interface: '..' }, problem: 'interface: is no name of a network interface' },
    {
      endpoint: { network: { send_mptcp: true } },
      problem: 'send_mptcp: requests MPTCP sockets, which Node.js cannot create',
    },
  ]) {
    it(`rejects ${JSON.stringify(endpoint)}`, () => {
      expect(() => read(endpoint)).to.throw(problem);
    });
  }
});
