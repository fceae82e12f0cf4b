import { dump } from 'js-yaml';
import { desiredObjects } from '../desired/desired-objects.ts';
import type { Command } from './command.ts';
import { renderOptions } from './command-options.ts';
import { counts, findingsText, skippedText } from './findings.ts';
import { deniedDestinations, namespaceName, relayDefaults, relayEngine, relayImage } from './flag-values.ts';
import { anyNumber, findingFormat, manifestPaths } from './manifest-flags.ts';
import { readManifests } from './manifests.ts';
import { parseOptions } from './options.ts';

/** `realm-operator render`: prints what the operator would apply. */
export const render: Command = async (argv, { stdin, stdout, stderr }) => {
  const { values: options, positionals } = parseOptions(argv, renderOptions, anyNumber);
  const paths = manifestPaths(options, positionals);
  const format = findingFormat(options);
  const platform = {
    relayImage: relayImage(options['relay-image']),
    relayEngine: relayEngine(options['relay-engine']),
    operatorNamespace: namespaceName('--operator-namespace', options['operator-namespace']),
    deniedDestinations: deniedDestinations(options['denied-destinations']),
    relayDefaults: relayDefaults(options['relay-defaults']),
    omitUserIds: options['omit-user-ids'],
  };
  const { relays, findings, skipped } = await readManifests(paths, stdin, {
    areBackendsComplete: true,
  });
  const report = { findings, relays: relays.length, skipped };
  if (findings.length > 0) stderr.write(findingsText(report, format));
  if (skipped > 0 && !options.quiet && format === 'text') stderr.write(`${skippedText(skipped)}\n`);
  if (counts(report).errors > 0) return 1;
  const objects = relays.flatMap((relay) => desiredObjects(relay, platform));
  stdout.write(format === 'json' ? listText(objects) : yamlText(objects));
  return 0;
};

function yamlText(objects: readonly object[]): string {
  return objects.map((object) => dump(object, { noRefs: true, lineWidth: -1 })).join('---\n');
}

function listText(items: readonly object[]): string {
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, undefined, 2)}\n`;
}
