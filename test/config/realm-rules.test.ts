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
  ]) {
    it(`rejects ${JSON.stringify(endpoint)}`, () => {
      expect(() => read(endpoint)).to.throw(problem);
    });
  }
});

describe('endpoints of the file, Multipath TCP', () => {
  it('is read for each direction, and off by default', () => {
    const network = { send_mptcp: true, accept_mptcp: false };
    expect(read({ network })).to.deep.nested.include({
      'network.sendMptcp': true,
      'network.acceptMptcp': false,
    });
    expect(read({})).to.deep.nested.include({ 'network.sendMptcp': false, 'network.acceptMptcp': false });
  });

  it('rejects a value that is neither true nor false', () => {
    expect(() => read({ network: { accept_mptcp: 'yes' } })).to.throw(
      'network.accept_mptcp: has the wrong type',
    );
  });
});
