// A window over counters (spec B6, B7): each is taken once, those too old to be told are not.

const WORD = 32

export class Window {
  #size: number
  #bits: Uint32Array
  /** The highest that was marked; -1: none. */
  #top = -1

  /** @param size 64 up to 1024. */
  constructor(size = 64) {
    this.#size = size
    this.#bits = new Uint32Array(size / WORD)
  }

  get top(): number {
    return this.#top
  }

  /** Whether it could be taken. */
  peek(n: number): boolean {
    if (n > this.#top) return true
    if (n <= this.#top - this.#size) return false
    return ((this.#bits[this.#word(n)] as number) & bitOf(n)) === 0
  }

  /** Takes it. `false`: it is taken already, or too old. */
  mark(n: number): boolean {
    if (!this.peek(n)) return false
    if (n - this.#top >= this.#size) this.#bits.fill(0)
    else for (let i = this.#top + 1; i < n; i++) this.#clear(i)
    if (n > this.#top) this.#top = n
    const word = this.#word(n)
    this.#bits[word] = (this.#bits[word] as number) | bitOf(n)
    return true
  }

  #clear(n: number): void {
    const word = this.#word(n)
    this.#bits[word] = (this.#bits[word] as number) & ~bitOf(n)
  }

  #word(n: number): number {
    return (n % this.#size) >>> 5
  }
}

function bitOf(n: number): number {
  return 1 << (n % WORD)
}
