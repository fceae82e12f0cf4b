import type { Relay } from '../api/relay.ts';
import { group as relayGroup, kind as relayKind } from '../api/schema/realm-relay.ts';
import { gatewayGroup } from '../gateway/types.ts';
import { ownValue } from '../lib/record.ts';
import { controllerOf, type KubeObject, type ObjectKey } from '../kube/object.ts';

/** The kinds that own what the operator writes, each with its API group. */
const ownerGroups: Readonly<Record<string, string>> = { [relayKind]: relayGroup, Gateway: gatewayGroup };

/** What identifies an object that owns others; without a uid, it owns nothing. */
export type OwnerId = {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | undefined;
};

/** `object` as the owner of others. */
export function asOwner({ kind, metadata: { namespace = '', name, uid } }: KubeObject): OwnerId {
  return { kind, namespace, name, uid };
}

/** The owner of the objects of `relay`. */
export function ownerOf({ metadata: { name, namespace }, owner }: Relay): OwnerId {
  return owner === undefined
    ? { kind: relayKind, namespace, name, uid: undefined }
    : { kind: owner.kind, namespace, name: owner.name, uid: owner.uid };
}

/** The key by which `owner` is queued: `NAMESPACE/NAME` of a RealmRelay, `gateway/NAMESPACE/NAME` of a Gateway. */
export function ownerKey({ kind, namespace, name }: Omit<OwnerId, 'uid'>): ObjectKey {
  const key: ObjectKey = `${namespace}/${name}`;
  return kind === relayKind ? key : `gateway/${key}`;
}

/** The key of the RealmRelay or Gateway that owns `object`; by name, so that it also finds one that was recreated. */
export function keyOfOwner(object: KubeObject): ObjectKey | undefined {
  const owner = controllerOf(object);
  if (owner === undefined || ownValue(ownerGroups, owner.kind) !== owner.apiVersion.split('/', 1)[0])
    return undefined;
  return ownerKey({ kind: owner.kind, namespace: object.metadata.namespace ?? '', name: owner.name });
}
