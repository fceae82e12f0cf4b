import type { Relay } from '../api/relay.ts';
import type { SocketAddress } from '../config/address.ts';
import { configFindings, type ConfigFindings } from '../config/config-findings.ts';
import { relayConfig } from '../config/parsed-config.ts';
import { machineNames } from '../lib/own-addresses.ts';
import type { Io } from './command.ts';
import { counts, findingsText, skippedText, type FindingFormat } from './findings.ts';
import { hostDocument, hostSecrets, runsOnHost } from './host-relay.ts';
import type { ManifestReader } from './manifest-files.ts';
import { manifestsOf } from './manifests.ts';

/** How manifests for one machine are judged, and what is printed. */
export type HostManifestsOptions = {
  /** Where the admin server listens; undefined = there is none. */
  readonly admin: SocketAddress | undefined;
  /** How problems of manifests are printed. */
  readonly format: FindingFormat;
  /** Whether nothing is shown but problems. */
  readonly isQuiet: boolean;
};

/** The manifests that one machine runs, as they were read last. */
export class HostManifests {
  readonly #reader: ManifestReader;
  readonly #io: Io;
  readonly #options: HostManifestsOptions;
  #relays: readonly Relay[] | undefined;
  #last = '';

  constructor(reader: ManifestReader, io: Io, options: HostManifestsOptions) {
    this.#reader = reader;
    this.#io = io;
    this.#options = options;
  }

  /** The relays that the machine runs; undefined if the manifests are not valid. */
  get relays(): readonly Relay[] | undefined {
    return this.#relays;
  }

  /** A text that differs if something else was read. */
  get last(): string {
    return this.#last;
  }

  /**
   * Reads the manifests, and prints what is wrong with them unless that was printed before.
   *
   * @returns whether they are valid.
   */
  async read(): Promise<boolean> {
    const { format, isQuiet } = this.#options;
    const { placed: all, findings, skipped } = manifestsOf(await this.#reader.files(), { isHost: true });
    const placed = all.filter(({ relay }) => runsOnHost(relay));
    const relays = placed.map(({ relay }) => relay);
    const { problems, warnings } = this.#found(relays);
    const report = { findings: [...findings, ...hostSecrets(placed)], relays: all.length, skipped };
    const lines = [...problems, ...warnings];
    const read = JSON.stringify([relays, report, lines]);
    if (read !== this.#last) {
      if (report.findings.length > 0) this.#io.stderr.write(findingsText(report, format));
      this.#print(lines);
      if (skipped > 0 && !isQuiet && format === 'text') this.#print([skippedText(skipped)]);
    }
    const isValid = problems.length === 0 && counts(report).errors === 0;
    this.#last = read;
    this.#relays = isValid ? relays : undefined;
    return isValid;
  }

  /** What the endpoints of all `relays` cannot do beside each other: here they share a machine. */
  #found(relays: readonly Relay[]): ConfigFindings {
    const distinct = new Map(
      relays.map((each) => [`${each.metadata.namespace}/${each.metadata.name}`, each]),
    );
    const { config } = relayConfig(hostDocument([...distinct.values()]), 'the manifests');
    const surroundings = {
      own: machineNames(),
      admin: this.#options.admin,
      writtenAs: 'RealmRelay',
    } as const;
    return configFindings(config.endpoints, surroundings);
  }

  #print(lines: readonly string[]): void {
    for (const line of lines) this.#io.stderr.write(`${line}\n`);
  }
}
