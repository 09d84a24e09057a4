import type { Fleet } from '../fleet/fleet.js';
import type { PlacedVm } from '../request/placement-request.js';

/** Changes of a fleet that are taken back: what-if questions and plans are asked of the fleet itself, not of a copy. */
export class Trial {
  readonly fleet: Fleet;
  readonly #undo: (() => void)[] = [];

  constructor(fleet: Fleet) {
    this.fleet = fleet;
  }

  occupy(vm: PlacedVm): void {
    this.fleet.occupy(vm);
    this.#undo.push(() => this.fleet.vacate(vm.vmId));
  }

  vacate(vmId: string): PlacedVm | undefined {
    const vm = this.fleet.vacate(vmId);
    if (vm !== undefined) this.#undo.push(() => this.fleet.occupy(vm));
    return vm;
  }

  /** How many changes there are; to go back to. */
  get mark(): number {
    return this.#undo.length;
  }

  rollback(mark = 0): void {
    while (this.#undo.length > mark) this.#undo.pop()?.();
  }
}

/** Takes back whatever `use` has changed, also when it throws. */
export function tried<Result>(fleet: Fleet, use: (trial: Trial) => Result): Result {
  const trial = new Trial(fleet);
  try {
    return use(trial);
  } finally {
    trial.rollback();
  }
}
