// Bytes, in chunks cut anywhere, to lines of text (spec §6: tcp). In linear time, and never holding more than one line.

const LINE_END = 10
const RETURN = 13

/** How much of a line over the limit is looked at. */
const START = 64 << 10

/** A buffer that a long line has blown up is not kept for the next ones. */
const KEPT = 64 << 10

const SMALLEST = 256

export interface LineSink {
  /** A line without its end. `\r\n` ends one, too. */
  line(text: string): void
  /** A line that is no UTF-8. */
  garbage(reason: string): void
  /** A line is longer than the limit. Called once: what comes after it is not looked at. */
  oversize(start: string): void
}

/** @param limit bytes of one line. @returns what takes the chunks. */
export function splitLines(limit: number, sink: LineSink): (chunk: Uint8Array) => void {
  // A byte order mark must not vanish at the start of one chunk and stay in the middle of another.
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let held: Uint8Array = new Uint8Array(0)
  let length = 0
  let isOver = false

  function take(chunk: Uint8Array): void {
    if (isOver) return
    let start = 0
    if (length > 0) {
      const end = chunk.indexOf(LINE_END)
      hold(end < 0 ? chunk : chunk.subarray(0, end))
      if (end < 0 || isOver) return
      one(held.subarray(0, length))
      release()
      start = end + 1
    }
    const end = chunk.lastIndexOf(LINE_END) + 1
    if (end > start) run(chunk.subarray(start, end))
    if (end < chunk.length && !isOver) hold(chunk.subarray(Math.max(start, end)))
  }

  /** Whole lines, decoded together: five times as fast as one by one. */
  function run(bytes: Uint8Array): void {
    const text = bytes.length <= limit ? decode(bytes) : undefined
    if (text === undefined) return oneByOne(bytes)
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      give(text, start, end)
      start = end + 1
    }
  }

  function oneByOne(bytes: Uint8Array): void {
    let start = 0
    for (let end = bytes.indexOf(LINE_END); end >= 0 && !isOver; end = bytes.indexOf(LINE_END, start)) {
      one(bytes.subarray(start, end))
      start = end + 1
    }
  }

  function one(bytes: Uint8Array): void {
    if (bytes.length > limit) return over(bytes)
    const text = decode(bytes)
    if (text === undefined) sink.garbage('A line that is no UTF-8')
    else give(text, 0, text.length)
  }

  function give(text: string, start: number, end: number): void {
    sink.line(text.slice(start, text.charCodeAt(end - 1) === RETURN && end > start ? end - 1 : end))
  }

  function decode(bytes: Uint8Array): string | undefined {
    try {
      return utf8.decode(bytes)
    } catch {
      return undefined
    }
  }

  /** Copies the start of a line, so that it does not keep the whole chunk in memory. */
  function hold(bytes: Uint8Array): void {
    const total = length + bytes.length
    if (total > held.length) {
      const bigger = new Uint8Array(Math.min(Math.max(total, 2 * held.length, SMALLEST), limit + 1))
      bigger.set(held.subarray(0, length))
      held = bigger
    }
    held.set(bytes.subarray(0, held.length - length), length)
    length = Math.min(total, held.length)
    if (length > limit) over(held)
  }

  function over(bytes: Uint8Array): void {
    isOver = true
    const start = new TextDecoder().decode(bytes.subarray(0, Math.min(START, limit)))
    held = new Uint8Array(0)
    sink.oversize(start)
  }

  function release(): void {
    length = 0
    if (held.length > KEPT) held = new Uint8Array(0)
  }

  return take
}
