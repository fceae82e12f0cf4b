import { z } from 'zod';
import { gatewayParametersSchema, parametersKind } from '../api/schema/gateway-parameters.ts';
import { objectMeta } from '../api/schema/object-meta.ts';
import { apiVersion as ownVersion } from '../api/schema/realm-relay.ts';
import { policyKind, trafficPolicySchema } from '../api/schema/traffic-policy.ts';
import { dnsLabelPattern, dnsSubdomainPattern } from '../lib/dns-name.ts';
import { serverNamePattern, serverNameRemedy } from '../lib/server-name.ts';
import { gatewayGroup } from './types.ts';

// Every key that the CRDs of Gateway API 1.6 have, and the bounds of what is read here; a test compares the keys.

const text = (maxLength: number): z.ZodString => z.string().min(1).max(maxLength);
const lowerCase = 'use lower-case letters, digits, "-" and "."';
const sectionName = text(253).regex(dnsSubdomainPattern, lowerCase);
const namespace = text(63).regex(dnsLabelPattern, 'use lower-case letters, digits and "-"');
const port = z.int().min(1).max(65_535);
const strings = z.record(z.string(), z.string());

/** A reference to an object; what may be left out differs. */
const named = { group: z.string().max(253), kind: text(63), name: text(253) };
const reference = z.object({
  ...named,
  group: named.group.optional(),
  kind: named.kind.optional(),
  namespace: namespace.optional(),
});

const selector = z.object({
  matchLabels: strings.optional(),
  matchExpressions: z
    .array(z.object({ key: text(317), operator: text(63), values: z.array(z.string()).optional() }))
    .optional(),
});

function namespaces(...from: string[]) {
  return z.object({ from: z.enum(from).optional(), selector: selector.optional() });
}

const frontendTls = z.object({
  validation: z
    .object({
      caCertificateRefs: z
        .array(z.object({ ...named, namespace: namespace.optional() }))
        .min(1)
        .max(16),
      mode: z.enum(['AllowValidOnly', 'AllowInsecureFallback']).optional(),
    })
    .optional(),
});

const listener = z.object({
  name: sectionName,
  port,
  protocol: text(255),
  hostname: text(253).optional(),
  tls: z
    .object({
      mode: z.enum(['Terminate', 'Passthrough']).optional(),
      certificateRefs: z.array(reference).max(64).optional(),
      options: strings.optional(),
    })
    .optional(),
  allowedRoutes: z
    .object({
      namespaces: namespaces('All', 'Selector', 'Same').optional(),
      kinds: z
        .array(z.object({ group: named.group.optional(), kind: named.kind }))
        .max(8)
        .optional(),
    })
    .optional(),
});

const gateway = z.object({
  gatewayClassName: text(253),
  listeners: z
    .array(listener)
    .min(1)
    .max(64)
    .superRefine((listeners, context) => {
      for (const [index, { name }] of listeners.entries()) {
        const path = [index, 'name'];
        if (listeners.findIndex((other) => other.name === name) < index)
          context.addIssue({ code: 'custom', path, message: 'give each listener a name of its own' });
      }
    }),
  addresses: z
    .array(z.object({ type: text(253).optional(), value: z.string().max(253).optional() }))
    .max(16)
    .optional(),
  infrastructure: z
    .object({
      labels: strings.optional(),
      annotations: strings.optional(),
      parametersRef: z.object(named).optional(),
    })
    .optional(),
  allowedListeners: z
    .object({ namespaces: namespaces('All', 'Selector', 'Same', 'None').optional() })
    .optional(),
  tls: z
    .object({
      backend: z.object({ clientCertificateRef: reference.optional() }).optional(),
      frontend: z
        .object({
          default: frontendTls,
          perPort: z
            .array(z.object({ port, tls: frontendTls }))
            .max(64)
            .optional(),
        })
        .optional(),
    })
    .optional(),
});

const gatewayClass = z.object({
  controllerName: text(253),
  description: z.string().max(64).optional(),
  parametersRef: z.object({ ...named, namespace: namespace.optional() }).optional(),
});

const route = z.object({
  parentRefs: z
    .array(reference.extend({ sectionName: sectionName.optional(), port: port.optional() }))
    .max(32)
    .optional(),
  rules: z
    .array(
      z.object({
        name: sectionName.optional(),
        backendRefs: z
          .array(
            reference.extend({ port: port.optional(), weight: z.int().min(0).max(1_000_000).optional() }),
          )
          .min(1)
          .max(16),
      }),
    )
    .min(1)
    .max(1),
});

const hostnames = z.array(text(253).regex(serverNamePattern, serverNameRemedy)).min(1).max(16);
const tlsRoute = route.extend({ hostnames });

const referenceGrant = z.object({
  from: z
    .array(z.object({ group: named.group, kind: named.kind, namespace }))
    .min(1)
    .max(16),
  to: z
    .array(z.object({ ...named, name: named.name.optional() }))
    .min(1)
    .max(16),
});

// Of the kinds of Kubernetes, only what is read; the API server knows the other keys.

const service = z.looseObject({
  type: z.string().optional(),
  ipFamilies: z.array(z.string()).optional(),
  clusterIPs: z.array(z.string()).optional(),
  selector: strings.optional(),
  ports: z
    .array(z.looseObject({ name: z.string().optional(), port, protocol: z.string().optional() }))
    .optional(),
});

const endpointSlice = {
  addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
  ports: z
    .array(
      z.looseObject({
        name: z.string().optional(),
        port: port.optional(),
        protocol: z.string().optional(),
      }),
    )
    .optional(),
  endpoints: z
    .array(
      z.looseObject({
        addresses: z.array(z.string()).min(1).max(100),
        conditions: z
          .looseObject({
            ready: z.boolean().optional(),
            serving: z.boolean().optional(),
            terminating: z.boolean().optional(),
          })
          .optional(),
        targetRef: z.looseObject({ uid: z.string().optional() }).optional(),
      }),
    )
    .optional(),
};

const metadata = objectMeta.extend({ name: text(253).regex(dnsSubdomainPattern, lowerCase) });

function ofSpec<S extends z.ZodType>(version: string, kind: string, spec: S) {
  return z.object({ apiVersion: z.literal(version), kind: z.literal(kind), metadata, spec });
}

const v1 = `${gatewayGroup}/v1`;

/** The schema of the manifest of each kind that goes with Gateways, without its status, by `APIVERSION KIND`. */
const schemas: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  [`${v1} GatewayClass`, ofSpec(v1, 'GatewayClass', gatewayClass)],
  [`${v1} Gateway`, ofSpec(v1, 'Gateway', gateway)],
  ...['TCPRoute', 'UDPRoute'].flatMap((kind) =>
    [v1, `${gatewayGroup}/v1alpha2`].map(
      (version) => [`${version} ${kind}`, ofSpec(version, kind, route)] as const,
    ),
  ),
  ...[v1, `${gatewayGroup}/v1alpha3`].map(
    (version) => [`${version} TLSRoute`, ofSpec(version, 'TLSRoute', tlsRoute)] as const,
  ),
  [
    `${gatewayGroup}/v1alpha2 TLSRoute`,
    ofSpec(`${gatewayGroup}/v1alpha2`, 'TLSRoute', route.extend({ hostnames: hostnames.optional() })),
  ],
  ...[v1, `${gatewayGroup}/v1beta1`].map(
    (version) => [`${version} ReferenceGrant`, ofSpec(version, 'ReferenceGrant', referenceGrant)] as const,
  ),
  [`${ownVersion} ${parametersKind}`, ofSpec(ownVersion, parametersKind, gatewayParametersSchema)],
  [`${ownVersion} ${policyKind}`, ofSpec(ownVersion, policyKind, trafficPolicySchema)],
]);

/** The same of the kinds that Gateways depend on. */
const surroundings: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  ['v1 Service', z.looseObject({ metadata, spec: service.optional() })],
  ['v1 Namespace', z.looseObject({ metadata })],
  ['discovery.k8s.io/v1 EndpointSlice', z.looseObject({ metadata, ...endpointSlice })],
]);

/** The schema of a kind that goes with Gateways; undefined if it is another kind, or a version that is not read. */
export function manifestSchema(apiVersion: string, kind: string): z.ZodType | undefined {
  return schemas.get(`${apiVersion} ${kind}`);
}

/** The same of Services, EndpointSlices and Namespaces, of which other keys are not looked at. */
export function surroundingSchema(apiVersion: string, kind: string): z.ZodType | undefined {
  return surroundings.get(`${apiVersion} ${kind}`);
}

/** The versions of `kind`, a kind that goes with Gateways, that are read. */
export function versionsOf(kind: string): readonly string[] {
  return [...schemas.keys()].flatMap((key) => {
    const [version = '', name] = key.split(' ');
    return name === kind ? [version] : [];
  });
}
