// The terminal while `hormiga top` has it: a screen of its own, keys, its size. It is given back as it was, whatever ends us.

import type { ReadStream, WriteStream } from 'node:tty'
import type { Clock } from '../core/clock.ts'

export interface ScreenOptions {
  clock: Clock
  input: ReadStream
  output: WriteStream
  /** The user has had enough: q, Ctrl+C, Ctrl+D. */
  onEnd(): void
}

export interface Screen {
  /** Called when all is to be drawn anew: it has another size, or is ours again. */
  onChange: () => void
  /** Cells. */
  readonly width: number
  /** Lines. */
  readonly height: number
  /** What differs from what is there is written. */
  show(lines: string[]): void
  /** Harmless when it has been given back already. */
  close(): void
}

/** Another screen, no cursor, and lines that are too long don't go on in the next one. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J'
const LEAVE = '\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l'
/** Shown at once, by terminals that can; others take no notice. */
const [BEGIN, DONE] = ['\u001b[?2026h', '\u001b[?2026l']
const END_KEYS = ['q', 'Q', '\u0003', '\u0004']
const SUSPEND = '\u001a'
/** Milliseconds. */
const UNSTOPPED = 300
/** Of a terminal that does not tell its size. */
const SIZE = { width: 80, height: 24 }

export function openScreen({ clock, input, output, onEnd }: ScreenOptions): Screen {
  let there: string[] = []
  let isOurs = false
  let isClosed = false
  const keys = (text: Buffer) => {
    if (END_KEYS.some((key) => text.includes(key))) onEnd()
    else if (text.includes(SUSPEND)) suspend()
  }
  const enter = () => {
    if (isOurs) return
    isOurs = true
    output.write(ENTER)
    if (input.isTTY) input.setRawMode(true)
    input.resume()
  }
  const leave = () => {
    if (!isOurs) return
    isOurs = false
    output.write(LEAVE)
    if (input.isTTY) input.setRawMode(false)
    input.pause()
  }
  const redraw = () => {
    there = []
    if (isOurs) output.write('\u001b[2J')
    screen.onChange()
  }
  const resume = () => {
    isOurs = false // whatever has become of it meanwhile
    enter()
    redraw()
  }
  const suspend = () => {
    leave()
    process.kill(process.pid, 'SIGTSTP')
    // Nobody is stopped whom no shell could let go on.
    clock.after(UNSTOPPED, () => !isOurs && !isClosed && resume())
  }
  const screen: Screen = {
    onChange: () => {},
    get width() {
      return output.columns || SIZE.width
    },
    get height() {
      return output.rows || SIZE.height
    },
    show(lines) {
      // A terminal that doesn't keep up gets the next picture, not all that there were.
      if (!isOurs || output.writableNeedDrain) return
      let text = ''
      for (let i = 0; i < Math.max(lines.length, there.length); i++) {
        if (lines[i] !== there[i]) text += `\u001b[${i + 1};1H${lines[i] ?? ''}\u001b[K`
      }
      there = lines
      if (text) output.write(`${BEGIN}${text}${DONE}`)
    },
    close() {
      isClosed = true
      leave()
      input.off('data', keys)
      output.off('resize', redraw)
      process.off('SIGCONT', resume)
      process.off('exit', leave)
    },
  }
  input.on('data', keys)
  output.on('resize', redraw)
  process.on('SIGCONT', resume)
  process.once('exit', leave)
  enter()
  return screen
}
