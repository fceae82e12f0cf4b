import type { EndpointSpec } from '../api/schema/endpoint.ts';
import type { RouteBackends } from './backends.ts';
import type { JudgedListener } from './listeners.ts';
import type { Route } from './types.ts';

/** A listener with the routes that are attached to it, in no particular order. */
export type ServedListener = { readonly listener: JudgedListener; readonly routes: readonly Route[] };

/** An endpoint, and the backends that share its clients, which no field of a RealmRelay sets. */
export type ServedEndpoint = { readonly spec: EndpointSpec } & Pick<RouteBackends, 'backends'>;
