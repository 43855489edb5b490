// Lines on their way to Grbl, by character counting (A3): it has room for 128 bytes, and says one `ok` or `error` for every
// line. Real-time bytes don't come by here: nothing stands before them.

/** Bytes that may be in flight: one less than its buffer. */
export const ROOM = 127
/** Commands that wait. */
const LIMIT = 32

export interface Sent {
  text: string
  /** `undefined`: ok; a number: the error; `lost`: it will not be answered any more. */
  answered(error: number | 'lost' | undefined): void
  /** It writes the controller's memory: nothing else is in flight with it. */
  isAlone?: boolean
}

export class Sender {
  #write: (text: string) => void
  #waiting: Sent[] = []
  #flying: Sent[] = []
  #bytes = 0
  #source: () => Sent | undefined = () => undefined
  /** Taken from the source, and not sent yet. */
  #fromSource: Sent | undefined
  /** The most bytes that were in flight. */
  peak = 0

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  get isIdle(): boolean {
    return this.#flying.length === 0 && this.#waiting.length === 0
  }

  /** Where the lines of a job come from, from now on; nothing more of another job is sent. */
  follow(source: () => Sent | undefined): void {
    this.#source = source
    this.#fromSource = undefined
    this.pump()
  }

  /** Sends it before the next line of a job. `false`: too much waits. */
  send(sent: Sent): boolean {
    if (this.#waiting.length >= LIMIT) return false
    this.#waiting.push(sent)
    this.pump()
    return true
  }

  /** Sends what there is room for. */
  pump(): void {
    for (;;) {
      const next = this.#waiting[0] ?? this.#fromSource ?? this.#source()
      if (!next) return
      const isFromSource = next !== this.#waiting[0]
      if (isFromSource) this.#fromSource = next
      if (!this.#fits(next)) return
      if (isFromSource) this.#fromSource = undefined
      else this.#waiting.shift()
      this.#flying.push(next)
      this.#bytes += next.text.length + 1
      this.peak = Math.max(this.peak, this.#bytes)
      this.#write(`${next.text}\n`)
    }
  }

  /** An answer has come: it is for the line that waits longest. `false`: for none of ours. */
  take(error: number | undefined): boolean {
    const sent = this.#flying.shift()
    if (!sent) return false
    this.#bytes -= sent.text.length + 1
    sent.answered(error)
    this.pump()
    return true
  }

  /** The controller has forgotten everything. */
  reset(): void {
    const lost = [...this.#flying.splice(0), ...this.#waiting.splice(0)]
    this.#bytes = 0
    this.#source = () => undefined
    this.#fromSource = undefined
    for (const sent of lost) sent.answered('lost')
  }

  #fits({ text, isAlone }: Sent): boolean {
    if (this.#flying.length === 0) return true
    if (isAlone || this.#flying.some((sent) => sent.isAlone)) return false
    return this.#bytes + text.length + 1 <= ROOM
  }
}
