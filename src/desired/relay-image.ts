import { version } from '../lib/version.ts';

/** The relay image, unless the operator is configured with another one. */
export const defaultRelayImage = `ghcr.io/realm-operator/realm-operator:${version}`;
