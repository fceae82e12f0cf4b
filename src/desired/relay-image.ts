import { version } from '../lib/version.ts';

/** The relay image where the operator is told no other. */
export const defaultRelayImage = `ghcr.io/realm-operator/realm-operator:${version}`;
