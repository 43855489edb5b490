// Shares the engine's time among its connections: whoever sends much at once is read in small pieces, in turn with the others,
// so that one who sends little never waits for long.

/** Bytes, or letters, that are read at once. */
const PIECE = 8192

/** Milliseconds for the first who sends much, while nobody else does: enough for most to be read without a break. */
const ALONE = 2

/** Milliseconds for all who send much, before everybody else has a turn. */
const SLICE = 0.5

/** One connection that is read: a stream of bytes, or messages. */
export interface Reading<T extends { length: number }> {
  take(piece: T): void
  /** Where it may be cut anywhere. */
  cut?(chunk: T, length: number): [first: T, rest: T]
  /** No more is wanted for now; may be said again. */
  pause(): void
  resume(): void
}

/** The end of a connection at which it is read. */
export interface Reader<T> {
  read(chunk: T): void
  /** Nothing more will come: what has come is read now. */
  leave(): void
}

/** What has come and is still to be read. */
interface Rest {
  readonly isEmpty: boolean
  isWaiting: boolean
  readPiece(): void
  resume(): void
}

export class Turns {
  #waiting: Rest[] = []
  #isScheduled = false
  /** When the time of this turn is over; 0: nobody has had any. */
  #end = 0

  join<T extends { length: number }>(reading: Reading<T>): Reader<T> {
    const chunks: T[] = []
    let unnoticed = 0
    const rest: Rest = {
      get isEmpty() {
        return chunks.length === 0
      },
      isWaiting: false,
      readPiece() {
        const chunk = chunks.shift()
        if (!chunk) return
        if (!reading.cut || chunk.length <= PIECE) return reading.take(chunk)
        const [first, more] = reading.cut(chunk, PIECE)
        chunks.unshift(more)
        reading.take(first)
      },
      resume: () => reading.resume(),
    }
    return {
      read: (chunk) => {
        unnoticed += chunk.length
        if (unnoticed <= PIECE && !rest.isWaiting) return reading.take(chunk)
        unnoticed = 0
        chunks.push(chunk)
        if (rest.isWaiting || !this.#read(rest)) reading.pause()
      },
      leave: () => {
        while (chunks.length > 0) rest.readPiece()
      },
    }
  }

  /** `false`: it takes too long, and has to wait for its turn. */
  #read(rest: Rest): boolean {
    this.#schedule()
    if (this.#end === 0) this.#end = performance.now() + ALONE
    while (!rest.isEmpty && performance.now() < this.#end) rest.readPiece()
    if (rest.isEmpty) return true
    rest.isWaiting = true
    this.#waiting.push(rest)
    return false
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#isScheduled = false
    this.#end = performance.now() + SLICE
    while (performance.now() < this.#end) {
      const rest = this.#waiting.shift()
      if (!rest) {
        this.#end = 0
        return
      }
      rest.readPiece()
      if (!rest.isEmpty) this.#waiting.push(rest)
      else {
        rest.isWaiting = false
        rest.resume()
      }
    }
    this.#schedule()
  }
}
