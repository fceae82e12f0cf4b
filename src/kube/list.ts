import { withoutManagedFields } from './managed-fields.ts';
import type { KubeObject } from './object.ts';
import type { Resource } from './resource.ts';
import type { KubeClient } from './client.ts';

const pageSize = 500;

type Page = {
  readonly items?: readonly KubeObject[] | null;
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
};

/** What to list. */
export type List = {
  readonly resource: Resource;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
};

/**
 * Every object of a collection, as of one resource version, read in pages of 500.
 *
 * @returns the objects as the server sent them, without `managedFields`; the caller knows their type.
 * @throws KubeError; with status 410 if reading took longer than the server keeps that resource version.
 */
export async function list(
  client: KubeClient,
  { resource, path, query, signal }: List,
): Promise<{ objects: KubeObject[]; resourceVersion: string }> {
  const { apiVersion, kind } = resource;
  const objects: KubeObject[] = [];
  let metadata: Page['metadata'] = {};
  let paging: Readonly<Record<string, string>> | undefined = { limit: String(pageSize) };
  while (paging !== undefined) {
    const page = (await client.request({
      method: 'GET',
      path,
      query: { ...query, ...paging },
      signal,
    })) as Page;
    // The items of a list lack apiVersion and kind.
    for (const item of page.items ?? []) objects.push(withoutManagedFields({ ...item, apiVersion, kind }));
    metadata = page.metadata ?? {};
    paging = nextPage(metadata);
  }
  return { objects, resourceVersion: metadata.resourceVersion ?? '' };
}

function nextPage({
  continue: token = '',
}: NonNullable<Page['metadata']>): Record<string, string> | undefined {
  return token === '' ? undefined : { limit: String(pageSize), continue: token };
}
