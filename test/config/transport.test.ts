import { expect } from 'chai';
import { listenTransport, remoteTransport, transportText } from '../../src/config/transport.ts';
import type { Findings } from '../../src/lib/document-rules.ts';
import { problemText } from '../../src/lib/problem.ts';

type Read = { readonly value: unknown; readonly problems: string[]; readonly warnings: string[] };

function read(side: 'listen' | 'remote', written: string): Read {
  const findings: Findings = { problems: [], warnings: [] };
  const rule = side === 'listen' ? listenTransport : remoteTransport;
  const value = rule(written, [side], findings);
  const [problems, warnings] = [findings.problems, findings.warnings].map((each) => each.map(problemText));
  return { value, problems: problems ?? [], warnings: warnings ?? [] };
}

const ws = { host: 'a.example:80', path: '/x=y', pings: { intervalMs: 0 } };
const wsRemote = { ...ws, pings: { intervalMs: 30_000 } };
const wsWords = 'ws;host=a.example:80;path=/x=y';

describe('transport', () => {
  const good = [
    { side: 'listen', written: '', value: undefined },
    { side: 'listen', written: ' ws ; path=/x=y;host=a.example:80; ', value: { webSocket: ws } },
    {
      side: 'listen',
      written: 'tls;cert=/a.crt;key=/a.key',
      value: { tls: { certificate: { cert: '/a.crt', key: '/a.key' } } },
    },
    {
      side: 'listen',
      written: 'cert=/a.crt;key=/a.key;servername=x;tls;ocsp=/o;clientca=/ca',
      value: { tls: { certificate: { cert: '/a.crt', key: '/a.key' }, ocsp: '/o', clientCa: '/ca' } },
    },
    {
      side: 'listen',
      written: 'tls;servername=x;alpn=h2, http/1.1',
      value: { tls: { certificate: { servername: 'x' }, alpn: ['h2', 'http/1.1'] } },
    },
    {
      side: 'listen',
      written: 'tls;cert=/a.crt;key=/a.key;optional',
      value: { tls: { certificate: { cert: '/a.crt', key: '/a.key' }, isOptional: true } },
    },
    { side: 'listen', written: 'tls;servername=x', value: { tls: { certificate: { servername: 'x' } } } },
    { side: 'remote', written: 'tls;sni=x', value: { tls: { sni: 'x', alpn: [], insecure: false } } },
    {
      side: 'remote',
      written: 'tls;ws;host=a.example:80;path=/x=y;sni=x;alpn=h2, http/1.1;insecure',
      value: { tls: { sni: 'x', alpn: ['h2', 'http/1.1'], insecure: true }, webSocket: wsRemote },
    },
    {
      side: 'listen',
      written: `${wsWords};pinginterval=20;pingtimeout=5`,
      value: { webSocket: { ...ws, pings: { intervalMs: 20_000, timeoutMs: 5000 } } },
    },
    { side: 'remote', written: `${wsWords};pinginterval=0`, value: { webSocket: ws } },
    {
      side: 'remote',
      written: `${wsWords};pingtimeout=0`,
      value: { webSocket: { ...ws, pings: { intervalMs: 30_000, timeoutMs: 0 } } },
    },
    {
      side: 'remote',
      written: 'tls;sni=x;ca=/ca;cert=/c;key=/k',
      value: { tls: { sni: 'x', alpn: [], insecure: false, ca: '/ca', client: { cert: '/c', key: '/k' } } },
    },
  ] as const;
  for (const { side, written, value } of good) {
    it(`${side}: reads "${written}"`, () => {
      expect(read(side, written)).to.deep.equal({ value, problems: [], warnings: [] });
    });
  }

  const bad = [
    {
      side: 'listen',
      written: `${wsWords};pinginterval=30s`,
      problem: /has "pinginterval" without a number of seconds, .*: write pinginterval=SECONDS, 0 to 86400/,
    },
    {
      side: 'remote',
      written: `${wsWords};pingtimeout=86401`,
      problem: /has "pingtimeout" without a number of seconds/,
    },
    {
      side: 'listen',
      written: `${wsWords};pingtimeout=5`,
      problem: /has "pingtimeout" without pings, .*: add pinginterval=SECONDS/,
    },
    {
      side: 'remote',
      written: `${wsWords};pinginterval=0;pingtimeout=5`,
      problem: /has "pingtimeout" without pings/,
    },
    {
      side: 'listen',
      written: 'tls;servername=x;pinginterval=5',
      problem: /has "pinginterval" without "ws"/,
    },
    {
      side: 'listen',
      written: 'wss;host=a;path=/',
      problem: /has an unknown word "wss", got .*: write "ws;tls"/,
    },
    {
      side: 'listen',
      written: 'tlss;cert=a;key=b',
      problem: /has an unknown word "tlss", .*did you mean "tls"\?/,
    },
    { side: 'listen', written: 'host=a;path=/', problem: /names neither ws nor tls, .*: add "ws" or "tls"/ },
    {
      side: 'listen',
      written: 'ws;host=a',
      problem: /has ws without host and path, .*: add host=HOST;path/,
    },
    { side: 'listen', written: 'ws;host=a;path=/ b', problem: /has a host or path that no request can have/ },
    {
      side: 'listen',
      written: 'tls',
      problem: /has tls without a certificate, .*: add cert=FILE;key=FILE/,
    },
    { side: 'listen', written: 'tls;cert=a', problem: /has tls without a certificate/ },
    {
      side: 'listen',
      written: 'tls;cert=;key=b',
      problem: /has "cert" without a value, .*: write cert=VALUE/,
    },
    { side: 'listen', written: 'tls=yes;servername=x', problem: /gives "tls" a value, .*: write tls alone/ },
    {
      side: 'listen',
      written: 'ws;host=a;path=/;servername=x',
      problem: /has "servername" without "tls", .*: add "tls", or remove "servername"/,
    },
    { side: 'remote', written: 'tls;host=a', problem: /has "host" without "ws"/ },
    { side: 'remote', written: 'tls', problem: /has tls without sni, .*: add sni=NAME/ },
    {
      side: 'remote',
      written: 'tls;sni=a;insecure;ca=b',
      problem: /has both insecure and ca, .*remove insecure/,
    },
    { side: 'remote', written: 'tls;sni=a;cert=b', problem: /has only one of cert and key/ },
  ] as const;
  for (const { side, written, problem } of bad) {
    it(`${side}: rejects "${written}"`, () => {
      const { value, problems } = read(side, written);
      expect(value).to.equal(undefined);
      expect(problems).to.have.length(1);
      expect(problems[0]).to.match(problem);
    });
  }

  const warned = [
    {
      side: 'remote',
      written: 'tls;sni=a;0rtt',
      warning: /has "0rtt", which has no effect here.*: remove it/,
    },
    {
      side: 'remote',
      written: 'tls;sni=a;servername=b',
      warning: /has "servername", which has no effect here/,
    },
    { side: 'remote', written: 'tls;sni=a;sni=b', warning: /has "sni" twice; the first one applies/ },
  ] as const;
  for (const { side, written, warning } of warned) {
    it(`${side}: warns of "${written}"`, () => {
      const { value, warnings } = read(side, written);
      expect(value).to.deep.equal({ tls: { sni: 'a', alpn: [], insecure: false } });
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.match(warning);
    });
  }

  it("is written in Realm's notation", () => {
    const tls = { certificate: { servername: 'x' } };
    expect(transportText({ tls, webSocket: ws }, undefined)).to.equal('[ws][tls][plain]||[plain]');
    expect(transportText(undefined, { webSocket: ws })).to.equal('[plain]||[ws][plain]');
    expect(transportText(undefined, undefined)).to.equal('');
  });
});
