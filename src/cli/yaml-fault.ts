import type { Diagnosis } from '../lib/problem.ts';

/** Why a text, or a document of it, is not YAML. */
export class YamlFault extends Error {
  /** In the text. */
  readonly offset: number;
  readonly diagnosis: Diagnosis;

  constructor(offset: number, diagnosis: Diagnosis) {
    super(diagnosis.what);
    this.offset = offset;
    this.diagnosis = diagnosis;
  }
}
