/** A reference from an object to its owner. */
export type OwnerReference = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
};

/** The metadata of an object, as far as it is read here. */
export type ObjectMeta = {
  readonly name: string;
  readonly namespace?: string;
  /** Set by the API server, as are `resourceVersion`, `generation` and `deletionTimestamp`. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
};

/** Anything that carries the metadata of an object. */
export type WithMetadata = { readonly metadata: ObjectMeta };

/** Any Kubernetes object: the fields that all kinds have. Other fields are read through a type of the kind. */
export type KubeObject = WithMetadata & {
  readonly apiVersion: string;
  readonly kind: string;
};

/** `namespace/name`: what identifies an object of one kind. */
export type ObjectKey = `${string}/${string}`;

/** The key of `object`; the namespace is empty if it has none. */
export function objectKey({ metadata }: WithMetadata): ObjectKey {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** `kind/namespace/name`: what identifies an object among those of several kinds. */
export function kindAndKey(object: KubeObject): string {
  return `${object.kind}/${objectKey(object)}`;
}

/** The controller of `object`: the owner reference with `controller: true`, if there is one. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

/**
 * Whether resource version `a` is later than `b`.
 *
 * Resource versions of one kind are decimal numbers that grow (Kubernetes KEP-5504); they do not fit a
 * JavaScript number, so they are compared as text. An absent one is earlier than any other.
 */
export function isLater(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined) return false;
  if (b === undefined) return true;
  return a.length === b.length ? a > b : a.length > b.length;
}
