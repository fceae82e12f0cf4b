// How the API server merges what is applied. Source: "Merge strategy" in
// https://kubernetes.io/docs/reference/using-api/server-side-apply/, and the OpenAPI documents of the API server.

/** How a field is merged, if not as its shape suggests: mappings field by field, lists as a whole. */
export type FieldMerge =
  /** A mapping that is replaced as a whole. */
  | 'atomic'
  /** A list of which each entry is merged by its own value. */
  | 'set'
  /** A mapping of this type of the table. */
  | { readonly type: string }
  /** A list whose entries these fields identify, each with its default; and how an entry is merged. */
  | { readonly keys: Readonly<Record<string, string>>; readonly items?: FieldMerge };

/** How the fields of some kinds are merged. */
export type MergeTable = {
  /** Of the API server whose OpenAPI documents it was made from. */
  readonly kubernetesVersion: string;
  /** The type of each kind, by `apiVersion/kind`. */
  readonly kinds: Readonly<Record<string, string>>;
  /** The fields of each type that are not merged as their shapes suggest, or that have such fields. */
  readonly types: Readonly<Record<string, Readonly<Record<string, FieldMerge>>>>;
};
