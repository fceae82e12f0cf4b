import { expect } from 'chai';
import { messageId, queryMessage, readReply, type Reply } from '../../../src/relay/dns/message.ts';

const question = { name: 'a.example', type: 'A' } as const;
const query = queryMessage(0x1234, question);

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** A pointer to the name of the question. */
const self = 'c00c';

/** A record of class IN. */
function record(owner: string, type: number, ttl: string, data: string): string {
  const length = hex(data).length.toString(16).padStart(4, '0');
  return `${owner} ${type.toString(16).padStart(4, '0')} 0001 ${ttl} ${length} ${data}`;
}

const a = (data: string, ttl = '0000003c', owner = self): string => record(owner, 1, ttl, data);
const minute = '0000003c';

/** A reply to `query` with these records. */
function reply(
  answers: readonly string[],
  { flags = 0x8180, authorities = [] as readonly string[] } = {},
): Buffer {
  const head = Buffer.from(query);
  head.writeUInt16BE(flags, 2);
  head.writeUInt16BE(answers.length, 6);
  head.writeUInt16BE(authorities.length, 8);
  return Buffer.concat([head, ...[...answers, ...authorities].map(hex)]);
}

/** b.example, written out. */
const b = '0162 076578616d706c65 00';
const soa = (ttl: string, minimum: string): string =>
  record(self, 6, ttl, `00 00 00000001 00000001 00000001 00000001 ${minimum}`);

describe('messages of name servers', () => {
  it('asks a question with recursion desired', () => {
    expect(query.toString('hex')).to.equal(
      hex('1234 0100 0001 0000 0000 0000 0161 076578616d706c65 00 0001 0001').toString('hex'),
    );
    expect(messageId(query)).to.equal(0x1234);
    expect(messageId(query.subarray(0, 11))).to.equal(undefined);
  });

  const addresses = (list: string[], ttlMs = 60_000): Reply => ({
    kind: 'addresses',
    addresses: list,
    ttlMs,
  });
  const malformed = { kind: 'failure', reason: 'malformed' } as const;
  const cases: { why: string; message: Buffer; expected: Reply | undefined }[] = [
    {
      why: 'addresses',
      message: reply([a('c0000201'), a('c0000202')]),
      expected: addresses(['192.0.2.1', '192.0.2.2']),
    },
    {
      why: 'the shortest time to live',
      message: reply([a('c0000201'), a('c0000202', '00000005')]),
      expected: addresses(['192.0.2.1', '192.0.2.2'], 5000),
    },
    {
      why: 'a time to live with the highest bit, which is 0',
      message: reply([a('c0000201', '80000001')]),
      expected: addresses(['192.0.2.1'], 0),
    },
    {
      why: 'an alias',
      message: reply([record(self, 5, '0000000a', b), a('c0000201', minute, b)]),
      expected: addresses(['192.0.2.1'], 10_000),
    },
    {
      why: 'an alias after its address',
      message: reply([a('c0000201', minute, b), record(self, 5, minute, b)]),
      expected: addresses(['192.0.2.1']),
    },
    {
      why: 'an alias of itself',
      message: reply([record(self, 5, minute, self)]),
      expected: { kind: 'nothing', isName: true, ttlMs: undefined },
    },
    {
      why: 'an alias without its address',
      message: reply([record(self, 5, '0000000a', b)]),
      expected: { kind: 'alias', target: 'b.example', ttlMs: 10_000 },
    },
    {
      why: 'an alias of a name that has no address',
      message: reply([record(self, 5, minute, b)], { authorities: [soa(minute, '00000003')] }),
      expected: { kind: 'nothing', isName: true, ttlMs: 3000 },
    },
    {
      why: 'an alias of a name that does not exist',
      message: reply([record(self, 5, minute, b)], { flags: 0x8183 }),
      expected: { kind: 'nothing', isName: false, ttlMs: undefined },
    },
    {
      why: 'an alias of the root',
      message: reply([record(self, 5, minute, '00')]),
      expected: { kind: 'nothing', isName: true, ttlMs: undefined },
    },
    {
      why: 'an alias of a name that no query can state',
      message: reply([record(self, 5, minute, '022e62 00')]),
      expected: { kind: 'nothing', isName: true, ttlMs: undefined },
    },
    {
      why: 'the address of another name',
      message: reply([a('c0000201', minute, b)]),
      expected: { kind: 'nothing', isName: true, ttlMs: undefined },
    },
    {
      why: 'a record of another type',
      message: reply([record(self, 28, minute, '00'.repeat(16))]),
      expected: { kind: 'nothing', isName: true, ttlMs: undefined },
    },
    {
      why: 'a name that does not exist',
      message: reply([], { flags: 0x8183 }),
      expected: { kind: 'nothing', isName: false, ttlMs: undefined },
    },
    {
      why: 'how long it does not exist',
      message: reply([], { flags: 0x8183, authorities: [soa(minute, '00000003')] }),
      expected: { kind: 'nothing', isName: false, ttlMs: 3000 },
    },
    {
      why: 'a server that fails',
      message: reply([], { flags: 0x8182 }),
      expected: { kind: 'failure', reason: 'SERVFAIL' },
    },
    {
      why: 'an unknown code',
      message: reply([], { flags: 0x818b }),
      expected: { kind: 'failure', reason: 'RCODE 11' },
    },
    {
      why: 'a truncated answer',
      message: reply([a('c0000201')], { flags: 0x8380 }),
      expected: { kind: 'truncated' },
    },
    {
      why: 'the first 64 addresses',
      message: reply(Array.from({ length: 100 }, () => a('c0000201'))),
      expected: addresses(Array.from({ length: 64 }, () => '192.0.2.1')),
    },
    { why: 'an address that is too short', message: reply([a('c00002')]), expected: malformed },
    { why: 'a record that is cut off', message: reply([a('c0000201')]).subarray(0, -1), expected: malformed },
    {
      why: 'fewer records than it counts',
      message: reply([a('c0000201')]).subarray(0, query.length),
      expected: malformed,
    },
    { why: 'a pointer to itself', message: reply([a('c0000201', minute, 'c01b')]), expected: malformed },
    { why: 'a pointer forwards', message: reply([a('c0000201', minute, 'c0ff')]), expected: malformed },
    {
      why: 'a name that runs in a circle',
      message: reply([a('c0000201', minute, '0161 c01b')]),
      expected: malformed,
    },
    {
      why: 'a label of another kind',
      message: reply([a('c0000201', minute, '4161 00')]),
      expected: malformed,
    },
    { why: 'a query', message: query, expected: undefined },
    { why: 'another kind of query', message: reply([], { flags: 0xa000 }), expected: undefined },
    {
      why: 'no question but an error',
      message: hex('1234 8182 0000 0000 0000 0000'),
      expected: { kind: 'failure', reason: 'SERVFAIL' },
    },
    { why: 'no question', message: hex('1234 8180 0000 0000 0000 0000'), expected: undefined },
  ];
  for (const { why, message, expected } of cases) {
    it(`reads ${why}`, () => {
      expect(readReply(message, question)).to.deep.equal(expected);
    });
  }

  for (const other of [{ ...question, name: 'b.example' }, { ...question, type: 'AAAA' } as const]) {
    it(`takes no reply to ${question.type} ${question.name} for one to ${other.type} ${other.name}`, () => {
      expect(readReply(reply([a('c0000201')]), other)).to.equal(undefined);
    });
  }

  it('compares names without regard to case', () => {
    expect(readReply(reply([a('c0000201')]), { ...question, name: 'A.Example' })).to.deep.equal(
      addresses(['192.0.2.1']),
    );
  });

  it('reads IPv6 addresses', () => {
    const six = { name: 'a.example', type: 'AAAA' } as const;
    const head = queryMessage(1, six);
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(1, 6);
    const data = '20010db8 00000000 00000000 00000001';
    const message = Buffer.concat([head, hex(record(self, 28, minute, data))]);
    expect(readReply(message, six)).to.deep.equal(addresses(['2001:db8::1']));
  });
});
