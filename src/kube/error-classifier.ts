import { ApplyFailedError, RefusedError } from './apply-errors.ts';
import { KubeError } from './kube-error.ts';
import type { KubeObject } from './object.ts';

/**
 * Decides what an error of an apply means for its object.
 *
 * 400 and 422 reject the object. 500 is what server-side apply answers to an unknown field or a wrong type, but it may also
 * be a passing failure, so only the second one in a row counts; the same holds for other 5xx, which are no fault of the
 * object. A timeout counts at once: it took long enough.
 */
export class ErrorClassifier {
  /** By path: the hash of an apply that failed with 5xx. */
  readonly #failed = new Map<string, string>();

  /** The object at `path` was applied. */
  clear(path: string): void {
    this.#failed.delete(path);
  }

  /**
   * @param path  of `object`.
   * @param hash  of what was applied.
   * @returns the error to throw in place of `error`: `error` itself if it is not about the object.
   */
  classify(error: unknown, object: KubeObject, path: string, hash: string): unknown {
    if (isTimeout(error)) return new ApplyFailedError(object, 'it did not answer in time', error);
    if (!(error instanceof KubeError)) return error;
    const { status, message } = error;
    if (isOtherObject(error)) return conflict(error);
    if (status === 400 || status === 422) return new RefusedError(object, error);
    if (status < 500 || !this.#failsAgain(path, hash)) return error;
    return status === 500 ? new RefusedError(object, error) : new ApplyFailedError(object, message, error);
  }

  #failsAgain(path: string, hash: string): boolean {
    const failedBefore = this.#failed.get(path) === hash;
    this.#failed.set(path, hash);
    return failedBefore;
  }
}

/** Whether the request timed out; see `KubeClient.request`. */
function isTimeout(error: unknown): error is DOMException {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

/** Whether the object was replaced since it was read: the server then calls the uid that we send "immutable". */
function isOtherObject({ status, causes }: KubeError): boolean {
  return status === 422 && causes.some(({ field }) => field === 'metadata.uid');
}

function conflict({ message, causes, retryAfterMs }: KubeError): KubeError {
  return new KubeError({ status: 409, reason: 'Conflict', message, causes, retryAfterMs });
}
