import { dump } from 'js-yaml';
import { desiredObjects } from '../desired/desired-objects.ts';
import { defaultOperatorNamespace } from '../desired/platform.ts';
import { defaultRelayImage } from '../desired/relay-image.ts';
import { UsageError } from '../lib/usage-error.ts';
import type { Command } from './command.ts';
import {
  defaultDenied,
  deniedDestinations,
  namespaceName,
  relayDefaults,
  relayEngine,
  relayImage,
} from './flag-values.ts';
import { findingText, readManifests } from './manifests.ts';
import { parseOptions } from './options.ts';

export const usage = `Usage: realm-operator render -f PATH… [options]

Prints the objects that the operator would apply for RealmRelay manifests, as YAML.

  -f, --filename PATH      a file, a folder (its .yaml, .yml and .json files) or - for standard input; may be repeated
      --relay-image IMAGE  image for relays that do not set one (default ${defaultRelayImage})
      --operator-namespace NAME
                           where the operator runs, which a NetworkPolicy admits (default ${defaultOperatorNamespace})
      --relay-engine NAME, --relay-defaults YAML, --omit-user-ids, --denied-destinations LIST
                           as of the operator, whose defaults are the same

Exit code: 0 success, 1 a manifest is not valid (nothing is printed), 2 wrong usage.
`;

/** `realm-operator render`: prints what the operator would apply. */
export const render: Command = async (argv, { stdin, stdout, stderr }) => {
  const { values: options } = parseOptions(argv, {
    filename: { type: 'string', short: 'f', multiple: true, default: [] },
    'relay-image': { type: 'string', default: defaultRelayImage },
    'relay-engine': { type: 'string', default: 'auto' },
    'relay-defaults': { type: 'string', default: '{}' },
    'omit-user-ids': { type: 'boolean', default: false },
    'denied-destinations': { type: 'string', default: defaultDenied },
    'operator-namespace': { type: 'string', default: defaultOperatorNamespace },
  });
  if (options.filename.length === 0) throw new UsageError('give the manifests with -f PATH');
  const platform = {
    relayImage: relayImage(options['relay-image']),
    relayEngine: relayEngine(options['relay-engine']),
    operatorNamespace: namespaceName('--operator-namespace', options['operator-namespace']),
    deniedDestinations: deniedDestinations(options['denied-destinations']),
    relayDefaults: relayDefaults(options['relay-defaults']),
    omitUserIds: options['omit-user-ids'],
  };
  const { relays, findings } = await readManifests(options.filename, stdin);
  for (const finding of findings) stderr.write(`${findingText(finding)}\n`);
  if (findings.some(({ severity }) => severity === 'error')) return 1;
  const objects = relays.flatMap((relay) => desiredObjects(relay, platform));
  stdout.write(objects.map((object) => dump(object, { noRefs: true, lineWidth: -1 })).join('---\n'));
  return 0;
};
