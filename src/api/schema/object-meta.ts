import { z } from 'zod';
import { nameSchema } from './realm-relay.ts';

const timestamp = z
  .string()
  .regex(
    /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}([.]\d+)?(Z|[-+]\d{2}:\d{2})$/,
    'use a time such as 2026-01-31T12:00:00Z',
  );

const namespacePattern = /^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$/;
const prefixPattern = /^[a-z0-9][-a-z0-9.]{0,252}$/;

const ownerReference = z.object({
  apiVersion: z.string().min(1),
  kind: z.string().min(1),
  name: z.string().min(1),
  uid: z.string().min(1),
  controller: z.boolean().optional(),
  blockOwnerDeletion: z.boolean().optional(),
});

const managedFieldsEntry = z.object({
  manager: z.string().optional(),
  operation: z.string().optional(),
  apiVersion: z.string().optional(),
  time: timestamp.optional(),
  fieldsType: z.string().optional(),
  fieldsV1: z.record(z.string(), z.unknown()).optional(),
  subresource: z.string().optional(),
});

/**
 * The metadata of a manifest: every field that Kubernetes has, and no other.
 *
 * Source: k8s.io/apimachinery/pkg/apis/meta/v1, ObjectMeta.
 */
export const objectMeta = z.object({
  name: nameSchema,
  namespace: z
    .string()
    .regex(namespacePattern, 'use lower-case letters, digits and "-" inside, at most 63 characters')
    .optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z.array(ownerReference).optional(),
  generateName: z.string().regex(prefixPattern, 'use lower-case letters, digits, "-" and "."').optional(),
  creationTimestamp: timestamp.optional(),
  deletionTimestamp: timestamp.optional(),
  deletionGracePeriodSeconds: z.int().optional(),
  generation: z.int().optional(),
  managedFields: z.array(managedFieldsEntry).optional(),
  resourceVersion: z.string().optional(),
  selfLink: z.string().optional(),
  uid: z.string().optional(),
});
