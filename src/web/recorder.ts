// The latest of what went over the connection, as text: it is read only when somebody looks at it.

import type { Wire } from './client.ts'

const ITEMS = 500
const LETTERS = 4_000_000

export class Recorder {
  items: Wire[] = []
  /** Ever. */
  seen = 0
  #letters = 0

  take(wire: Wire): void {
    this.seen++
    this.items.push(wire)
    this.#letters += wire.text.length
    if (this.items.length <= ITEMS * 1.2 && this.#letters <= LETTERS) return
    while (this.items.length > ITEMS || this.#letters > LETTERS) {
      this.#letters -= (this.items.shift() as Wire).text.length
    }
  }

  clear(): void {
    this.items = []
    this.#letters = 0
  }
}
