import { expect } from 'chai';
import { readRequest } from '../../../src/relay/transport/web-socket-request.ts';
import { requestHead } from './frames.ts';

const target = { host: 'relay.example', path: '/tunnel' };

function read(fields: Readonly<Record<string, string>>, { host }: { readonly host: string } = target) {
  return readRequest(requestHead(fields).slice(0, -'\r\n\r\n'.length), { ...target, host });
}

describe('WebSocket request', () => {
  const hosts = [
    { configured: 'relay.example', requested: 'relay.example', isTaken: true, why: 'it is the same' },
    { configured: 'relay.example', requested: 'Relay.EXAMPLE', isTaken: true, why: 'hosts have no case' },
    { configured: 'Relay.Example', requested: 'relay.example', isTaken: true, why: 'hosts have no case' },
    {
      configured: 'relay.example',
      requested: 'relay.example:8443',
      isTaken: true,
      why: 'clients add a port',
    },
    {
      configured: 'relay.example:80',
      requested: 'relay.example:80',
      isTaken: true,
      why: 'the port is wanted',
    },
    {
      configured: 'relay.example:80',
      requested: 'relay.example',
      isTaken: false,
      why: 'the port is missing',
    },
    {
      configured: 'relay.example:80',
      requested: 'relay.example:81',
      isTaken: false,
      why: 'the port differs',
    },
    { configured: 'relay.example', requested: 'relay.example.evil', isTaken: false, why: 'it is longer' },
    {
      configured: 'relay.example',
      requested: 'relay.example:80:80',
      isTaken: false,
      why: 'it has two ports',
    },
    { configured: 'relay.example', requested: 'relay.example:', isTaken: true, why: 'a port may be empty' },
    { configured: '[::1]', requested: '[::1]:8080', isTaken: true, why: 'an address may have a port, too' },
    { configured: 'relay.example', requested: '', isTaken: false, why: 'it is empty' },
    { configured: 'relay.example', requested: 'relay.example.', isTaken: true, why: 'the root has a dot' },
    { configured: 'relay.example', requested: 'RELAY.example.:80', isTaken: true, why: 'a port may follow' },
    { configured: 'relay.example.', requested: 'relay.example', isTaken: true, why: 'the dot is optional' },
    {
      configured: 'relay.example.:80',
      requested: 'relay.example:80',
      isTaken: true,
      why: 'a port may follow either',
    },
    {
      configured: 'relay.example',
      requested: 'relay.example..',
      isTaken: false,
      why: 'it has an empty label',
    },
    { configured: 'relay.example', requested: '.', isTaken: false, why: 'the root is another name' },
  ];
  for (const { configured, requested, isTaken, why } of hosts) {
    it(`host=${configured} ${isTaken ? 'accepts' : 'refuses'} Host: "${requested}", since ${why}`, () => {
      expect('headers' in read({ host: requested }, { host: configured })).to.equal(isTaken);
    });
  }

  const targets = [
    {
      target: 'http://relay.example/tunnel',
      host: 'other.example',
      isTaken: true,
      why: 'its own host counts',
    },
    {
      target: 'HTTPS://Relay.Example:8443/tunnel',
      host: 'relay.example',
      isTaken: true,
      why: 'it has no case',
    },
    { target: 'http://other.example/tunnel', host: 'relay.example', isTaken: false, why: 'its host differs' },
    { target: 'http://relay.example/', host: 'relay.example', isTaken: false, why: 'its path differs' },
    { target: 'http://relay.example', host: 'relay.example', isTaken: false, why: 'it has no path' },
    { target: 'http:///tunnel', host: 'relay.example', isTaken: false, why: 'it has no host' },
  ];
  for (const { target: requested, host, isTaken, why } of targets) {
    it(`${isTaken ? 'accepts' : 'refuses'} the target ${requested} with Host: ${host}, since ${why}`, () => {
      const head = requestHead({ host }).replace(' /tunnel ', ` ${requested} `).trimEnd();
      expect('headers' in readRequest(head, target)).to.equal(isTaken);
    });
  }

  const malformed = [
    { what: 'a bare line feed', value: 'x\ny: z' },
    { what: 'a bare carriage return', value: 'x\ry' },
    { what: 'a NUL byte', value: 'x\0' },
    { what: 'an escape character', value: '\x1b[2J' },
    { what: 'a line feed behind 8,000 spaces', value: `${' '.repeat(8000)}\nx` },
    { what: 'a NUL between 4,000 tabs on both sides', value: `${'\t'.repeat(4000)}\0${'\t'.repeat(4000)}` },
  ];
  for (const { what, value } of malformed) {
    it(`refuses a field with ${what}`, () => {
      expect(read({ cookie: value })).to.deep.equal({ fault: 'a header field is malformed or given twice' });
    });
  }

  it('takes spaces and tabs off both ends of a value, and keeps those within', () => {
    expect(read({ cookie: '\t  a \t b  \t' })).to.have.nested.property('headers.cookie', 'a \t b');
  });

  it('joins a field that is given several times', () => {
    expect(read({ via: 'a', Via: 'b' })).to.have.nested.property('headers.via', 'a, b');
  });

  it('takes a field called __proto__ for a field like any other', () => {
    const request = read({ ['__proto__']: 'x' });
    expect('headers' in request && Object.hasOwn(request.headers, '__proto__')).to.equal(true);
  });
});
