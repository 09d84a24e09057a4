import { DomainError } from '@kvorum/schema';

/** Images one host may read at once; its agent fetches one per image, and few images are new at the same time. */
const IMAGE_READS_PER_HOST_MAX = 8;

/** Which streams each host holds: one of reports, some of images. */
export class StreamRegistry {
  readonly #reports = new Map<string, (reason: DomainError) => void>();
  readonly #imageReads = new Map<string, number>();

  /**
   * Makes this the host's one stream of reports. An older one ends: its connection is dead and does not know it yet, or a
   * second agent runs with the same certificate; either way the newest is heard. Returns how to leave.
   */
  holdReports(hostId: string, end: (reason: DomainError) => void): () => void {
    this.#reports.get(hostId)?.(new DomainError('stale_generation', 'a newer stream of this host took over'));
    this.#reports.set(hostId, end);
    return () => {
      if (this.#reports.get(hostId) === end) this.#reports.delete(hostId);
    };
  }

  /** Throws `rate_limited` when the host reads too many images already. Returns how to leave. */
  holdImageRead(hostId: string): () => void {
    const count = this.#imageReads.get(hostId) ?? 0;
    if (count >= IMAGE_READS_PER_HOST_MAX) {
      throw new DomainError('rate_limited', `a host may read ${IMAGE_READS_PER_HOST_MAX} images at once`);
    }
    this.#imageReads.set(hostId, count + 1);
    return () => {
      const left = (this.#imageReads.get(hostId) ?? 1) - 1;
      if (left === 0) this.#imageReads.delete(hostId);
      else this.#imageReads.set(hostId, left);
    };
  }

  /** Ends all streams of reports: the server stops. */
  close(): void {
    for (const end of [...this.#reports.values()]) end(new DomainError('unavailable', 'the control plane stops'));
  }
}
