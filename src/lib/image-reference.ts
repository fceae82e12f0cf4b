// Source: the grammar of distribution/reference, which container runtimes and registries share.
const pathComponent = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const domainComponent = '[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?';
const domain = `(?:${domainComponent}(?:[.]${domainComponent})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?`;
const name = new RegExp(`^(?:${domain}/)?${pathComponent}(?:/${pathComponent})*$`);
const tag = /^\w[\w.-]{0,127}$/;
const digest = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const maxNameLength = 255;

/**
 * The pull policy that Kubernetes gives a container without one when it is created. A later change of the image alone would leave
 * it as it is.
 *
 * @returns `Always` for the tag `latest`, which is also that of an image with neither tag nor digest.
 */
export function defaultPullPolicy(image: string): 'Always' | 'IfNotPresent' {
  const hasTag = image.lastIndexOf(':') > image.lastIndexOf('/');
  const isLatest = hasTag ? image.endsWith(':latest') : isImageReference(image);
  return isLatest && !image.includes('@') ? 'Always' : 'IfNotPresent';
}

/** Whether `text` names a container image: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`. */
export function isImageReference(text: string): boolean {
  const [tagged = '', ...digests] = text.split('@');
  if (digests.length > 1 || !digests.every((each) => digest.test(each))) return false;
  const colon = tagged.lastIndexOf(':');
  // A colon before a slash belongs to the port.
  const hasTag = colon > tagged.lastIndexOf('/');
  const repository = hasTag ? tagged.slice(0, colon) : tagged;
  if (hasTag && !tag.test(tagged.slice(colon + 1))) return false;
  return repository.length <= maxNameLength && name.test(repository);
}
