import { dump } from 'js-yaml';
import { desiredObjects } from '../desired/desired-objects.ts';
import { defaultOperatorNamespace } from '../desired/platform.ts';
import { defaultRelayImage } from '../desired/relay-image.ts';
import { parseOptions, type Command } from './command.ts';
import { defaultDenied, deniedDestinations } from './denied-destinations.ts';
import { relayEngine } from './relay-engine.ts';
import { UsageError } from '../lib/usage-error.ts';
import { findingText, readManifests } from './manifests.ts';

export const usage = `Usage: realm-operator render -f PATH… [options]

Prints the objects that the operator would apply for RealmRelay manifests, as YAML.

  -f, --filename PATH      a file, a folder (its .yaml, .yml and .json files) or - for standard input; may be repeated
      --relay-image IMAGE  image for relays that do not set one (default ${defaultRelayImage})
      --operator-namespace NAME
                           where the operator runs, which a NetworkPolicy admits (default ${defaultOperatorNamespace})
      --relay-engine NAME  what moves the bytes of relays: kernel, node or auto (default auto)
      --denied-destinations LIST
                           as of the operator, whose default is the same

Exit code: 0 success, 1 a manifest is not valid (nothing is printed), 2 wrong usage.
`;

/** `realm-operator render`: prints what the operator would apply. */
export const render: Command = async (argv, { stdin, stdout, stderr }) => {
  const options = parseOptions(argv, {
    filename: { type: 'string', short: 'f', multiple: true, default: [] },
    'relay-image': { type: 'string', default: defaultRelayImage },
    'relay-engine': { type: 'string', default: 'auto' },
    'denied-destinations': { type: 'string', default: defaultDenied },
    'operator-namespace': { type: 'string', default: defaultOperatorNamespace },
  });
  if (options.filename.length === 0) throw new UsageError('give the manifests with -f PATH');
  const platform = {
    relayImage: options['relay-image'],
    operatorNamespace: options['operator-namespace'],
    relayEngine: relayEngine(options['relay-engine']),
    deniedDestinations: deniedDestinations(options['denied-destinations']),
  };
  const { relays, findings } = await readManifests(options.filename, stdin);
  for (const finding of findings) stderr.write(`${findingText(finding)}\n`);
  if (findings.some(({ severity }) => severity === 'error')) return 1;
  const objects = relays.flatMap((relay) => desiredObjects(relay, platform));
  stdout.write(objects.map((object) => dump(object, { noRefs: true, lineWidth: -1 })).join('---\n'));
  return 0;
};
