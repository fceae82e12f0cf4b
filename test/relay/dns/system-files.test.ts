import { expect } from 'chai';
import { hostServices } from '../../../src/relay/dns/nsswitch.ts';
import { parseResolvConf } from '../../../src/relay/dns/resolv-conf.ts';

describe('nsswitch.conf', () => {
  const standard = ['files', 'dns'];
  const cases = [
    { text: '', expected: standard, why: 'a missing file' },
    { text: 'passwd: files\n', expected: standard, why: 'no line for hosts' },
    { text: 'hosts:\n', expected: standard, why: 'an empty line' },
    {
      text: '#hosts: db\n  Hosts :\tDNS  files # nis\n',
      expected: ['dns', 'files'],
      why: 'capitals and comments',
    },
    { text: 'hosts: files [!UNAVAIL=return SUCCESS=continue]dns', expected: standard, why: 'actions' },
    { text: 'hosts: [NOTFOUND=return] files [', expected: ['files'], why: 'actions without a service' },
  ];
  for (const { text, expected, why } of cases) {
    it(`has the services ${expected.join(' ')}: ${why}`, () => {
      expect(hostServices(text).map(({ name }) => name)).to.deep.equal(expected);
    });
  }

  const actions = [
    { action: '', expected: ['success'] },
    { action: '[NOTFOUND=return]', expected: ['success', 'notfound'] },
    { action: '[!UNAVAIL=return]', expected: ['success', 'notfound', 'tryagain'] },
    { action: '[SUCCESS=continue TRYAGAIN=return]', expected: ['tryagain'] },
    { action: '[!NOTFOUND=continue]', expected: [] },
  ];
  for (const { action, expected } of actions) {
    it(`returns on ${expected.join(', ') || 'nothing'} with '${action}'`, () => {
      expect([...(hostServices(`hosts: files ${action} dns`)[0]?.returnsOn ?? [])]).to.have.members(expected);
    });
  }
});

describe('resolv.conf', () => {
  const defaults = {
    nameservers: ['127.0.0.1'],
    search: [],
    ndots: 1,
    timeoutMs: 2000,
    attempts: 3,
    rotate: false,
    isTcpOnly: false,
    isIpv4Only: false,
  };
  const cases = [
    { text: '', expected: {}, why: 'a missing file' },
    {
      text: 'nameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver no\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n',
      expected: { nameservers: ['192.0.2.1', 'fe80::1%eth0', '192.0.2.2'] },
      why: 'the first three servers',
    },
    { text: 'search a b\ndomain c.\n', expected: { search: ['c'] }, why: 'the last of search and domain' },
    { text: 'search . .a\n', expected: { search: ['a'] }, why: 'no search domain for the root' },
    {
      text: 'options ndots:5 timeout:1\noptions attempts:2 rotate edns0 use-vc no-aaaa\n',
      expected: { ndots: 5, timeoutMs: 1000, attempts: 2, rotate: true, isTcpOnly: true, isIpv4Only: true },
      why: 'options',
    },
    {
      text: 'options ndots:99 timeout:0 attempts:99\n',
      expected: { ndots: 15, timeoutMs: 1000, attempts: 5 },
      why: 'numbers within their limits',
    },
    { text: 'options ndots:x timeout: attempts:-1\n; options rotate\n', expected: {}, why: 'no others' },
  ];
  for (const { text, expected, why } of cases) {
    it(`has ${why}`, () => {
      expect(parseResolvConf(text)).to.deep.equal({ ...defaults, ...expected });
    });
  }

  it('is overridden by LOCALDOMAIN and RES_OPTIONS', () => {
    const environment = { LOCALDOMAIN: 'x y', RES_OPTIONS: 'ndots:3' };
    const conf = parseResolvConf('search a\noptions ndots:5 attempts:2\n', environment);
    expect(conf).to.deep.equal({ ...defaults, search: ['x', 'y'], ndots: 3, attempts: 2 });
  });
});
