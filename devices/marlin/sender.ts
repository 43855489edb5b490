// How lines get to the controller (facts A4): numbered, with a checksum, one at a time, again when it wants them again. What is
// urgent goes past all of them, without a number: it is heard even where a number would be refused.

import type { Cancel, Clock } from '#device'

/** Commands that wait. */
const LIMIT = 32
/** Milliseconds after a `Resend:` in which older firmware says an `ok` that answers nothing. */
const EXTRA = 100
/** How often a line is sent again at once, and milliseconds between the tries after that: noise may be over then. */
const QUICK = 3
const SLOW = 500
/** Milliseconds without an answer or a sign of work, after which a line or its answer is lost. */
const LOST = 10_000
/** The same for what is urgent, which is answered at once. */
const URGENT = 2000
/** The same when the machine says that it has nothing to do. */
const IDLE = 500
/** Answered lines that can be sent again. */
const KEPT = 16
/** How often in a row something may have to be sent again. */
const TRIES = 12

const TOO_OFTEN = `${TRIES} times in a row it has not taken a line: is it the right speed, and the cable good?`

export interface Sent {
  text: string
  /** It was taken; or `lost`: what became of it is not known. */
  answered(lost?: 'lost'): void
}

interface Flying {
  sent: Sent
  number: number
  /** When it was written, or the machine has last said that it is at work. */
  at: number
  /** Nobody wants it any more: it is not sent again. */
  isDropped: boolean
}

export interface SenderEvents {
  write(text: string): void
  /** Fixed words only. */
  count(word: string): void
  /** It can't go on: the machine is to be met anew. */
  broken(why: string): void
}

/** A line with its number and its checksum: `N3 T0*57`. */
export function numbered(number: number, text: string): string {
  const line = `N${number} ${text}`
  let sum = 0
  for (let at = 0; at < line.length; at++) sum ^= line.charCodeAt(at)
  return `${line}*${sum}`
}

export class Sender {
  #clock: Clock
  #events: SenderEvents
  #source: () => Sent | undefined = () => undefined
  #waiting: Sent[] = []
  #flying: Flying | undefined
  /** Urgent ones whose `ok` is to come, in order. */
  #urgent: Sent[] = []
  #next = 1
  /** Those that were answered last: an `ok` may have come that was for none of them. */
  #answered: Flying[] = []
  #failures = 0
  /** It wants this line again, and may say one more `ok` before. */
  #again: { number: number; cancel: Cancel } | undefined
  #watch: Cancel = () => {}

  constructor(clock: Clock, events: SenderEvents) {
    this.#clock = clock
    this.#events = events
  }

  /** Where the lines of a job come from, from now on. */
  follow(source: () => Sent | undefined): void {
    this.#source = source
    this.pump()
  }

  /** Sends it before the next line of a job. `false`: too much waits. */
  send(sent: Sent): boolean {
    if (this.#waiting.length >= LIMIT) return false
    this.#waiting.push(sent)
    this.pump()
    return true
  }

  /** Begins to count anew. */
  sync(sent: Omit<Sent, 'text'>): void {
    this.#next = 0
    this.#waiting.unshift({ text: 'M110 N0', answered: sent.answered })
    this.pump()
  }

  /** Writes it at once. */
  urge(sent: Sent): void {
    this.#urgent.push(sent)
    // What is left of a damaged line ends here; an empty one is no line.
    this.#events.write(`\n${sent.text}\n`)
    this.#guard()
  }

  /** Nothing of what waits is sent, and what was sent is not sent again. */
  drop(): void {
    this.#source = () => undefined
    for (const sent of this.#waiting.splice(0)) sent.answered('lost')
    if (this.#flying) this.#flying.isDropped = true
    for (const flying of this.#answered) flying.isDropped = true
  }

  /** Sends the next line, if there is none on its way. */
  pump(): void {
    if (this.#flying || this.#urgent.length > 0 || this.#again) return
    const sent = this.#waiting.shift() ?? this.#source()
    if (!sent) return
    this.#flying = { sent, number: this.#next++, at: 0, isDropped: false }
    this.#transmit(this.#flying)
  }

  /** An `ok` has come. `false`: it answers nothing. */
  ok(): boolean {
    if (this.#again) {
      if (this.#failures <= QUICK) this.#repeat()
      return true
    }
    const flying = this.#flying
    this.#failures = 0
    const sent = flying ? flying.sent : this.#urgent.shift()
    if (flying) this.#settle(flying)
    sent?.answered()
    this.#guard()
    this.pump()
    return sent !== undefined
  }

  resend(number: number): void {
    this.#events.count('resend')
    if (++this.#failures > TRIES) return this.#events.broken(TOO_OFTEN)
    this.#again?.cancel()
    // What came after the bad line was thrown away.
    this.#again = {
      number,
      cancel: this.#clock.after(this.#failures <= QUICK ? EXTRA : SLOW, () => this.#repeat()),
    }
  }

  /** It says that it is at work: its answer will come. */
  busy(): void {
    if (this.#flying) this.#flying.at = this.#clock.now()
    this.#guard()
  }

  /** It says that it has nothing to do. */
  idle(): void {
    const flying = this.#flying
    if (flying && this.#clock.now() - flying.at > IDLE) this.#lost()
  }

  /** The controller has forgotten everything, or is gone. */
  reset(): void {
    this.#watch()
    this.#again?.cancel()
    this.#again = undefined
    this.#source = () => undefined
    const lost = [
      ...(this.#flying ? [this.#flying.sent] : []),
      ...this.#urgent.splice(0),
      ...this.#waiting.splice(0),
    ]
    this.#flying = undefined
    this.#answered = []
    this.#failures = 0
    this.#next = 1
    for (const sent of lost) sent.answered('lost')
  }

  #repeat(): void {
    const { number, cancel } = this.#again as { number: number; cancel: Cancel }
    cancel()
    this.#again = undefined
    const flushed = this.#urgent.splice(0)
    const flying = this.#flying
    if (flying && number === flying.number + 1 && flying.number > 0) {
      // It was taken; only its answer was lost.
      this.#settle(flying)
      flying.sent.answered()
    } else if (flying || number !== this.#next) {
      const isKnown = this.#rewind(flying?.number === 0 ? 0 : number)
      if (!isKnown) return this.#events.broken(`it wants line ${number}, and ${this.#next} would be next`)
    }
    for (const sent of flushed) sent.answered('lost')
    this.#guard()
    this.pump()
  }

  /** Sends everything from this line on again, but for what nobody wants any more. */
  #rewind(number: number): boolean {
    const flying = this.#flying
    const answered = this.#answered.filter((line) => line.number >= number)
    if ((answered[0] ?? flying)?.number !== number) return false
    this.#answered = this.#answered.filter((line) => line.number < number)
    const again = answered.filter(({ isDropped }) => !isDropped)
    if (flying && !flying.isDropped) this.#waiting.unshift(flying.sent)
    this.#waiting.unshift(...again.map(({ sent: { text } }) => ({ text, answered() {} })))
    this.#flying = undefined
    this.#next = number
    if (flying?.isDropped) flying.sent.answered('lost')
    return true
  }

  #settle(flying: Flying): void {
    this.#flying = undefined
    this.#answered.push(flying)
    if (this.#answered.length > KEPT) this.#answered.shift()
  }

  #transmit(flying: Flying): void {
    flying.at = this.#clock.now()
    this.#events.write(`${numbered(flying.number, flying.sent.text)}\n`)
    this.#guard()
  }

  /** Waits for what is to be answered. */
  #guard(): void {
    this.#watch()
    if (!this.#flying && this.#urgent.length === 0) return
    this.#watch = this.#clock.after(this.#flying ? LOST : URGENT, () => this.#lost())
  }

  /** Sending a line twice is safe: by its number the machine knows what it has taken. */
  #lost(): void {
    this.#events.count('unanswered')
    if (++this.#failures > TRIES) return this.#events.broken(TOO_OFTEN)
    for (const sent of this.#urgent.splice(0)) sent.answered('lost')
    const flying = this.#flying
    if (!flying) return this.pump()
    if (!flying.isDropped) return this.#transmit(flying)
    // Whether it was taken is told by what becomes of the next line.
    this.#settle(flying)
    flying.sent.answered('lost')
    this.pump()
  }
}
