// The past of one number: mean, least and most of every step in which it was heard, the oldest out when it is full.

const FIRST = 16

export interface Bucket {
  /** Which step since the start, counted from 0; negative: from before it. */
  at: number
  mean: number
  min: number
  max: number
}

export class Series {
  #most: number
  #at: Int32Array
  /** Mean, least and most, one after another. */
  #values: Float32Array
  #start = 0
  #length = 0
  /** How many numbers the newest bucket has. */
  #count = 0

  /** `most`: steps that are kept. It begins small: a value that seldom changes costs little. */
  constructor(most: number) {
    this.#most = most
    this.#at = new Int32Array(Math.min(FIRST, most))
    this.#values = new Float32Array(3 * this.#at.length)
  }

  add(at: number, value: number): void {
    const last = this.#length > 0 ? this.#place(this.#length - 1) : -1
    if (last >= 0 && this.#at[last] === at) {
      const values = this.#values.subarray(3 * last, 3 * last + 3) as unknown as [number, number, number]
      values[0] += (value - values[0]) / ++this.#count
      values[1] = Math.min(values[1], value)
      values[2] = Math.max(values[2], value)
      return
    }
    this.#count = 1
    this.append({ at, mean: value, min: value, max: value })
  }

  append({ at, mean, min, max }: Bucket): void {
    if (this.#length === this.#at.length && this.#length < this.#most) this.#grow()
    if (this.#length < this.#at.length) this.#length++
    else this.#start = (this.#start + 1) % this.#at.length
    const place = this.#place(this.#length - 1)
    this.#at[place] = at
    this.#values.set([mean, min, max], 3 * place)
  }

  /** From the step `from` on, and the one before it: a value holds until the next. */
  *read(from: number): Generator<Bucket> {
    let first = this.#length
    while (first > 0 && this.#atOf(first - 1) >= from) first--
    for (let index = Math.max(0, first - 1); index < this.#length; index++) {
      const place = this.#place(index)
      const [mean, min, max] = this.#values.subarray(3 * place) as unknown as [number, number, number]
      yield { at: this.#at[place] as number, mean, min, max }
    }
  }

  #atOf(index: number): number {
    return this.#at[this.#place(index)] as number
  }

  #place(index: number): number {
    return (this.#start + index) % this.#at.length
  }

  #grow(): void {
    const all = [...this.read(Number.NEGATIVE_INFINITY)]
    this.#at = new Int32Array(Math.min(2 * this.#at.length, this.#most))
    this.#values = new Float32Array(3 * this.#at.length)
    this.#start = 0
    this.#length = 0
    for (const bucket of all) this.append(bucket)
  }
}
