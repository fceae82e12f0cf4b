import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, as files. */
export type PairFiles = { readonly cert: string; readonly key: string };

/** An authority and the certificates that it signs, as files below `folder`. */
export class TestPki {
  readonly folder = mkdtempSync(join(tmpdir(), 'realm-pki-'));
  /** The authority's certificate. */
  readonly ca: string;
  readonly #caKey: string;
  #made = 0;

  constructor(name = 'test-ca') {
    this.ca = join(this.folder, 'ca.crt');
    this.#caKey = join(this.folder, 'ca.key');
    const subject = ['-subj', `/CN=${name}`, '-days', '2'];
    openssl(['req', '-x509', ...newKey(this.#caKey), '-out', this.ca, ...subject]);
  }

  /** A certificate for `name`, a DNS name, and 127.0.0.1. */
  pair(name: string): PairFiles {
    this.#made += 1;
    const base = join(this.folder, `${name}-${String(this.#made)}`);
    const files = { cert: `${base}.crt`, key: `${base}.key` };
    const extensions = `${base}.ext`;
    writeFileSync(extensions, `subjectAltName=DNS:${name},IP:127.0.0.1\n`);
    openssl(['req', ...newKey(files.key), '-out', `${base}.csr`, '-subj', `/CN=${name}`]);
    const signer = ['-CA', this.ca, '-CAkey', this.#caKey, '-days', '2', '-extfile', extensions];
    openssl(['x509', '-req', '-in', `${base}.csr`, '-out', files.cert, ...signer]);
    return files;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** Runs openssl(1). */
export function openssl(args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file];
}
