/** Blocks whose owner was collected without having been disposed of: they are freed late, and a process is warned once. */
export class Orphans {
  readonly #registry: FinalizationRegistry<number>;

  /** `free` says whether there was anything to free. */
  constructor(free: (address: number) => boolean) {
    this.#registry = new FinalizationRegistry((address) => {
      if (free(address)) warnOnce();
    });
  }

  watch(owner: object, address: number): void {
    this.#registry.register(owner, address, owner);
  }

  unwatch(owner: object): void {
    this.#registry.unregister(owner);
  }
}

let warned = false;

function warnOnce(): void {
  if (warned) return;
  warned = true;
  console.warn(
    'heed: a tensor, packed matrix or cache was collected without dispose(); its memory was freed late',
  );
}
