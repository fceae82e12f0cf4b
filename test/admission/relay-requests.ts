import { expect } from 'chai';
import {
  apiVersion,
  plural,
  type RealmRelay,
  type RealmRelaySpec,
} from '../../src/api/schema/realm-relay.ts';
import type { ApiClient } from '../cluster/api-client.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { realmRelay } from '../support/realm-relays.ts';
import { image } from './requester-cases.ts';
import { applyPolicy, policyManifests } from './policies.ts';

/** The sender of a request: a user, or the administrator. */
export type Requester = Pick<ApiClient, 'request'>;

/** The answer of the API server; the message is empty if it accepted the request. */
export type Answer = { readonly status: number; readonly message: string };

/** Writes RealmRelays of one namespace. */
export class RelayRequests {
  readonly namespace: string;

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  /** The URL path of the RealmRelay `name`, or of all RealmRelays without a name. */
  path(name?: string): string {
    const all = `/apis/${apiVersion}/namespaces/${this.namespace}/${plural}`;
    return name === undefined ? all : `${all}/${name}`;
  }

  /** Sends `relay` as a new one in a dry run: all of admission runs. */
  async dryRun(user: Requester, relay: RealmRelay): Promise<Answer> {
    const body = { ...relay, metadata: { ...relay.metadata, namespace: this.namespace } };
    return answer(await user.request('POST', `${this.path()}?dryRun=All`, body));
  }

  /** Creates a RealmRelay. */
  async keep(user: Requester, name: string, spec: RealmRelaySpec): Promise<void> {
    const body = { ...realmRelay(), metadata: { name, namespace: this.namespace }, spec };
    const { status, text } = await user.request('POST', this.path(), body);
    expect(status, text).to.equal(201);
  }

  /** Sends a merge patch to `name`, which may end with a subresource or a query. */
  async patch(user: Requester, name: string, body: object): Promise<Answer> {
    return answer(await user.request('PATCH', this.path(name), body, 'application/merge-patch+json'));
  }

  /** Applies the policy of requesters to the namespace, and waits until it restricts `tenant`, who may not create Pods. */
  async applyPolicy(cluster: ControlPlane, tenant: Requester): Promise<void> {
    await applyPolicy(cluster, this.namespace, policyManifests('requester.yaml'), async () => {
      return (await this.dryRun(tenant, realmRelay(undefined, { image }))).status === 403;
    });
  }
}

function answer({ status, json }: { readonly status: number; readonly json: () => unknown }): Answer {
  return { status, message: (json() as { message?: string }).message ?? '' };
}
