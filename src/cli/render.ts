import { dump } from 'js-yaml';
import { desiredObjects } from '../desired/desired-objects.ts';
import { defaultRelayImage } from '../desired/relay-image.ts';
import { parseOptions, type Command } from './command.ts';
import { UsageError } from '../lib/usage-error.ts';
import { findingText, readManifests } from './manifests.ts';

export const usage = `Usage: realm-operator render -f PATH… [--relay-image IMAGE]

Prints the objects that the operator would apply for RealmRelay manifests, as YAML.

  -f, --filename PATH      a file, a folder (its .yaml, .yml and .json files) or - for standard input; may be repeated
      --relay-image IMAGE  image of relays that name none (default ${defaultRelayImage})

Exits with 0 where all is well, 1 where a manifest is not valid (nothing is printed then), 2 for wrong usage.
`;

/** `realm-operator render`: what would be applied. */
export const render: Command = async (argv, { stdin, stdout, stderr }) => {
  const options = parseOptions(argv, {
    filename: { type: 'string', short: 'f', multiple: true, default: [] },
    'relay-image': { type: 'string', default: defaultRelayImage },
  });
  if (options.filename.length === 0) throw new UsageError('name the manifests: -f PATH');
  const { relays, findings } = await readManifests(options.filename, stdin);
  for (const finding of findings) stderr.write(`${findingText(finding)}\n`);
  if (findings.some(({ severity }) => severity === 'error')) return 1;
  const objects = relays.flatMap((relay) => desiredObjects(relay, { relayImage: options['relay-image'] }));
  stdout.write(objects.map((object) => dump(object, { noRefs: true, lineWidth: -1 })).join('---\n'));
  return 0;
};
