import { plainText } from '../../lib/plain-text.ts';
import type { EndpointStatus, RelayStatus } from './status.ts';

/** Characters of a message: with 64 endpoints the summary stays below what the operator reads. */
const maxMessageLength = 1_000;

/** What the operator polls. Unlike the status it stays small, however many remotes the relay has. */
export type RelaySummary = {
  /** SHA-256 of the configuration that runs. */
  readonly configHash: string;
  /** Why the newest configuration does not run; '' if it does. */
  readonly configProblem: string;
  /** The endpoints that are not ready, those aside that lack nothing but certificate files that are `optional`. */
  readonly unready: readonly {
    readonly name: string;
    /** Why, for programs, e.g. `AddressInUse`: each once, sorted. */
    readonly reasons: readonly string[];
    /** Why, and what to do. */
    readonly message: string;
  }[];
  /** The newest certificate files, of those that are `optional`, that are missing or not valid. */
  readonly certificates: readonly {
    /** Their endpoints, which may be hundreds. */
    readonly names: readonly string[];
    /** Why, and what to do. */
    readonly message: string;
    /** Whether clients are served with the certificate before that. */
    readonly served: boolean;
  }[];
};

/** The summary of `status`. */
export function relaySummary({ configHash, configProblem, endpoints }: RelayStatus): RelaySummary {
  return {
    configHash,
    configProblem: plainText(configProblem, maxMessageLength),
    unready: endpoints
      .filter(({ ready, required }) => !ready && required)
      .map((endpoint) => ({
        name: endpoint.name,
        reasons: reasons(endpoint),
        message: plainText(endpoint.message, maxMessageLength),
      })),
    certificates: certificateFaults(endpoints),
  };
}

function certificateFaults(endpoints: readonly EndpointStatus[]): RelaySummary['certificates'] {
  const faulty = endpoints.filter(({ required, transportProblem }) => !required && transportProblem !== '');
  const alike = Map.groupBy(faulty, ({ ready, transportProblem }) => `${String(ready)} ${transportProblem}`);
  return [...alike.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const message = plainText(first.transportProblem, maxMessageLength);
    return [{ names: group.map(({ name }) => name), message, served: first.ready }];
  });
}

function reasons({ sockets }: EndpointStatus): string[] {
  const all = sockets.map(({ reason }) => reason).filter((reason) => reason !== '');
  return [...new Set(all)].toSorted();
}
