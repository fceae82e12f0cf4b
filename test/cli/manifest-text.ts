/** A manifest, and whether `kubectl apply` takes it. */
export type ManifestCase = {
  readonly why: string;
  readonly manifest: string | Buffer;
  /** Whether the API server accepts it, its unknown fields being errors. */
  readonly isAccepted: boolean;
  /** Part of what we print. */
  readonly says?: string;
};

/** A manifest without mistakes. */
export const base = `apiVersion: realm-operator.dev/v1alpha1
kind: RealmRelay
metadata:
  name: web
spec:
  endpoints:
  - name: https
    listen:
      address: "::"
      port: 443
    remotes:
    - address: backend
      port: 8443
`;

const listenBlock = `listen:
      address: "::"
      port: 443`;

/** `base` with `after` in place of `before`. */
export function with_(before: string, after: string): string {
  if (!base.includes(before)) throw new Error(`the manifest has no ${before}`);
  return base.replace(before, () => after);
}

/** `base` with the port that is written like this. */
export const port = (value: string): string => with_('port: 443', `port: ${value}`);
/** The same for the address. */
export const address = (value: string): string => with_('address: "::"', `address: ${value}`);
/** The same for `listen`. */
export const listen = (value: string): string => with_(listenBlock, `listen: ${value}`);
/** The same for `remotes`. */
export const remotes = (value: string): string =>
  with_('remotes:\n    - address: backend\n      port: 8443', `remotes: ${value}`);
/** `base` with a line in its metadata. */
export const metadata = (line: string): string => with_('  name: web\n', `  name: web\n  ${line}\n`);
/** `base` with a line at the end of its spec. */
export const spec = (line: string): string => `${base}  ${line}\n`;
/** `base` with a line at its end. */
export const top = (line: string): string => `${base}${line}\n`;

/** A case that is accepted. */
export const accepts = (why: string, manifest: string | Buffer, says?: string): ManifestCase => ({
  ...{ why, manifest, isAccepted: true },
  ...(says !== undefined && { says }),
});
/** A case that is refused. */
export const refuses = (why: string, manifest: string | Buffer, says: string): ManifestCase => {
  return { why, manifest, isAccepted: false, says };
};
