// The start of a frame whose end has not come yet: copied, so that it does not keep its whole chunk in memory, and bounded.

/** A buffer that a long frame has blown up is not kept for the next ones. */
const KEPT = 64 << 10
const SMALLEST = 256

export class Held {
  length = 0
  #limit: number
  #buffer = new Uint8Array(0)

  /** `limit`: bytes of a frame. One byte more is held, no more: enough to know that it is over. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get isOver(): boolean {
    return this.length > this.#limit
  }

  /** What is held. Not a copy: good until the next `add`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length)
  }

  add(bytes: Uint8Array): void {
    const total = this.length + bytes.length
    if (total > this.#buffer.length) {
      const size = Math.min(Math.max(total, 2 * this.#buffer.length, SMALLEST), this.#limit + 1)
      const bigger = new Uint8Array(size)
      bigger.set(this.bytes)
      this.#buffer = bigger
    }
    this.#buffer.set(bytes.subarray(0, this.#buffer.length - this.length), this.length)
    this.length = Math.min(total, this.#buffer.length)
  }

  /** Starts anew. */
  release(): void {
    this.length = 0
    if (this.#buffer.length > KEPT) this.#buffer = new Uint8Array(0)
  }

  /** Nothing more will be added. */
  drop(): void {
    this.length = 0
    this.#buffer = new Uint8Array(0)
  }
}
