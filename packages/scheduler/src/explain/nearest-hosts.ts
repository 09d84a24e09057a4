/**
 * The few hosts with the smallest distance among any number offered. Hosts must be offered in the order of their index;
 * of equal ones the first stays in front, which makes the choice independent of anything but ids.
 */
export class NearestHosts {
  readonly #countMax: number;
  readonly #indexes: number[] = [];
  readonly #distances: number[] = [];

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  offer(index: number, distance: number): void {
    const isFull = this.#indexes.length >= this.#countMax;
    if (isFull && !(distance < (this.#distances.at(-1) ?? Number.NEGATIVE_INFINITY))) return;
    let at = this.#distances.length;
    while (at > 0 && distance < (this.#distances[at - 1] as number)) at -= 1;
    this.#indexes.splice(at, 0, index);
    this.#distances.splice(at, 0, distance);
    if (isFull) {
      this.#indexes.pop();
      this.#distances.pop();
    }
  }

  indexes(): readonly number[] {
    return this.#indexes;
  }
}
