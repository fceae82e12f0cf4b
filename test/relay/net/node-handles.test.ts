import { expect } from 'chai';
import { findHandles } from '../../../src/relay/net/node-handles.ts';
import { socketStack } from '../../../src/relay/net/socket-stack.ts';
import { tcpStack } from '../../../src/relay/net/tcp-stack.ts';
import { keptLog } from '../loopback.ts';

type Bindings = NonNullable<Parameters<typeof findHandles>[1]>;

const methods =
  'useUserBuffer readStart readStop setNoDelay setKeepAlive getpeername getsockname bind bind6 close reset writeBuffer shutdown connect connect6';

/** Bindings with every name that the relay uses, except `missing`. */
function bindings(missing?: string): Bindings {
  const names = methods.split(' ').filter((name) => name !== missing);
  const tcp = {
    TCP: constructorWith(names),
    TCPConnectWrap: constructorWith([]),
    constants: { SOCKET: 0 },
  };
  const stream = {
    ShutdownWrap: constructorWith([]),
    streamBaseState: new Int32Array(5),
    kReadBytesOrError: 0,
    kLastWriteErr: 4,
  };
  for (const binding of [tcp, stream]) if (missing !== undefined) Reflect.deleteProperty(binding, missing);
  return { tcp, stream } as unknown as Bindings;
}

function constructorWith(names: readonly string[]): unknown {
  const made = function (): number {
    return 0;
  };
  return Object.assign(made, { prototype: Object.fromEntries(names.map((name) => [name, made])) });
}

describe('TCP handles of Node.js', () => {
  it('are available in the Node.js that the relay ships with', () => {
    expect(findHandles()).to.not.equal(undefined);
  });

  it('are used if every private name exists', () => {
    expect(findHandles('26.99.0', bindings())).to.not.equal(undefined);
  });

  for (const version of ['24.10.0', '27.0.0', '260.0.0']) {
    it(`are not used in Node.js ${version}, which they were not tested on`, () => {
      expect(findHandles(version, bindings())).to.equal(undefined);
    });
  }

  for (const name of [
    'writeBuffer',
    'reset',
    'TCP',
    'TCPConnectWrap',
    'ShutdownWrap',
    'kLastWriteErr',
    'constants',
  ]) {
    it(`are not used if ${name} is missing`, () => {
      expect(findHandles('26.0.0', bindings(name))).to.equal(undefined);
    });
  }

  it('give way to sockets with a warning if they are not available', () => {
    const { log, lines } = keptLog();
    expect(tcpStack(log)).to.not.equal(socketStack);
    expect(lines).to.have.length(0);
    expect(tcpStack(log, () => undefined)).to.equal(socketStack);
    expect(lines).to.have.length(1);
  });
});
