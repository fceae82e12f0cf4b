import { engineChoices } from '../config/engine.ts';
import { defaultDeniedDestinations } from '../desired/platform.ts';
import type { Options } from './usage.ts';

/** The default of `--denied-destinations`. */
const defaultDenied = defaultDeniedDestinations.join(',');

/** What the operator, and no RealmRelay, decides about rendering. */
export const platformOptions = {
  'relay-engine': {
    type: 'string',
    default: 'auto',
    value: 'NAME',
    words: engineChoices,
    help: 'what moves the bytes of relays: kernel, node or auto (default auto)',
  },
  'relay-defaults': {
    type: 'string',
    default: '{}',
    value: 'YAML',
    help: 'resources and podTemplate, as in the spec of a RealmRelay, for relays that leave them out',
  },
  'omit-user-ids': {
    type: 'boolean',
    default: false,
    help: "let the cluster assign user and group of relay Pods, as OpenShift's restricted-v2 does",
  },
  'no-gateway-api': {
    type: 'boolean',
    default: false,
    help: 'leave Gateways and their routes alone; else they are served once the Gateway API is installed',
  },
  'denied-destinations': {
    type: 'string',
    default: defaultDenied,
    value: 'LIST',
    help: `addresses and ranges, separated by commas, that no relay may dial; '' for none (default ${defaultDenied})`,
  },
} satisfies Options;
