// Counters of what the engine did, dropped and refused. Read at `["engine", "counters"]`.

export class Meters {
  #counts = new Map<string, number>()

  /** Adds to a counter. Names are fixed words like `garbage` or `drop.report`: never made from input. */
  count(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by)
  }

  /** All counters so far. */
  read(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort())
  }
}
