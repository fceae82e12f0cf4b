import { expect } from 'chai';
import { gatewayParameters } from '../../src/gateway/parameters.ts';
import { desiredObjects } from '../../src/desired/desired-objects.ts';
import type { GatewayClass, ParametersRef } from '../../src/gateway/types.ts';
import { gatewayDecision } from '../../src/gateway/gateway-decision.ts';
import { gateway, gatewayClass, listener, lookupIn, type World } from './world.ts';

const group = 'realm-operator.dev';
const ref = (name: string, more: Partial<ParametersRef> = {}): ParametersRef => ({
  group,
  kind: 'RealmGatewayParameters',
  name,
  ...more,
});

function classWith(parametersRef?: ParametersRef): GatewayClass {
  return { ...gatewayClass, spec: { ...gatewayClass.spec, ...(parametersRef && { parametersRef }) } };
}

function decided(world: World, ofClass?: ParametersRef, ofGateway?: ParametersRef) {
  const infrastructure = ofGateway && { infrastructure: { parametersRef: ofGateway } };
  return gatewayDecision(
    gateway([listener('db', 5432)], infrastructure),
    classWith(ofClass),
    [],
    lookupIn(world),
  );
}

const world: World = {
  parameters: {
    'system/all': { replicas: 2, service: { type: 'ClusterIP', ipFamilies: ['IPv6', 'IPv4'] } },
    'edge/own': { replicas: 3, service: { type: 'NodePort' }, logLevel: 'debug' },
    'edge/label': { service: { labels: { team: 'not a label' } } },
    'edge/typo': { replicas: -1, servce: {} },
    'edge/image': { image: 'example.com/shell' },
  },
};

describe('parameters of a Gateway', () => {
  it('are none unless a class or a Gateway refers to some: then the Service is a LoadBalancer', () => {
    expect(decided(world).relay?.service.type).to.equal('LoadBalancer');
  });

  it('are those of its class, under its own, field by field', () => {
    const all = ref('all', { namespace: 'system' });
    const { relay } = decided(world, all);
    expect(relay).to.include({ replicas: 2, logLevel: 'info' });
    expect(relay?.service).to.deep.include({ type: 'ClusterIP', ipFamilies: ['IPv6', 'IPv4'] });
    const both = decided(world, all, ref('own')).relay;
    expect(both).to.include({ replicas: 3, logLevel: 'debug' });
    expect(both?.service).to.deep.include({ type: 'NodePort', ipFamilies: ['IPv6', 'IPv4'] });
  });

  it('reach Deployment and Service', () => {
    const { relay } = decided(world, ref('all', { namespace: 'system' }));
    const platform = {
      relayImage: 'x',
      relayEngine: 'auto',
      operatorNamespace: 'x',
      deniedDestinations: [],
    } as const;
    const objects = relay ? desiredObjects(relay, platform) : [];
    const of = (kind: string) => objects.find((object) => object.kind === kind);
    expect(of('Deployment')).to.have.nested.property('spec.replicas', 2);
    expect(of('Service')).to.have.nested.property('spec.type', 'ClusterIP');
  });

  const refused: { why: string; ofClass?: ParametersRef; ofGateway?: ParametersRef; message: string }[] = [
    {
      why: 'it does not exist',
      ofGateway: ref('none'),
      message: 'RealmGatewayParameters "edge/none" does not exist',
    },
    {
      why: 'it is in another namespace than its Gateway',
      ofGateway: ref('all', { namespace: 'system' }),
      message: 'RealmGatewayParameters "edge/all" does not exist',
    },
    { why: 'a class names no namespace', ofClass: ref('all'), message: 'has no namespace' },
    {
      why: 'it is of another kind',
      ofGateway: ref('x', { kind: 'ConfigMap', group: '' }),
      message: 'use a RealmGatewayParameters of realm-operator.dev',
    },
    { why: 'a value is out of bounds', ofGateway: ref('typo'), message: 'spec.replicas' },
    { why: 'a field is unknown', ofGateway: ref('typo'), message: 'spec.servce' },
    { why: 'a field is not for Gateways', ofGateway: ref('image'), message: 'spec.image' },
    { why: 'a label is none', ofGateway: ref('label'), message: 'spec.service.labels.team' },
  ];
  for (const { why, ofClass, ofGateway, message } of refused)
    it(`are refused, and what runs stays as it is: ${why}`, () => {
      const { accepted, isRefused, relay } = decided(world, ofClass, ofGateway);
      expect(accepted).to.include({ status: 'False', reason: 'InvalidParameters' });
      expect(accepted.message).to.include(message);
      expect(isRefused).to.be.true;
      expect(relay).to.equal(undefined);
    });

  it('of a class that are refused are refused for its Gateways, too', () => {
    const found = gatewayParameters(
      gateway([]),
      classWith(ref('none', { namespace: 'system' })),
      lookupIn(world),
    );
    expect(found).to.have.property(
      'problem',
      'parametersRef: RealmGatewayParameters "system/none" does not exist.',
    );
  });
});
