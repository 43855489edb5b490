// The ways to show what was gathered, each until it is ended: a screen, text, lines of JSON; or all of it once.

import type { Cancel, Clock } from '../core/clock.ts'
import { drawPicture } from './top-draw.ts'
import type { Gathering } from './top-gather.ts'
import { documentOf, engineLine, serviceLine } from './top-json.ts'
import type { Frame } from './top-parts.ts'
import { openScreen } from './top-screen.ts'
import { jsonLine } from './top-text.ts'

export interface Shown {
  gathering: Gathering
  clock: Clock
  isJson: boolean
  /** Aborted when it is to end. */
  signal: AbortSignal
  end(): void
}

/** Milliseconds between two looks whether all is well, and between two pictures. */
const TICK = 250
/** Between two texts. */
const TEXT = 5000
/** For all that is asked once: connecting, figures, services, and those that are found by these. */
const ONCE = 12_000
const ONCE_TICK = 25
/** Cells of a text that goes nowhere in particular. */
const WIDTH = 80

export async function showOnce({ gathering, clock, isJson, signal, end }: Shown): Promise<void> {
  const cancel = clock.after(ONCE, end)
  const stop = every(clock, ONCE_TICK, () => gathering.isSettled && end())
  await aborted(signal)
  cancel()
  stop()
  if (isJson) writeLine(documentOf(gathering.picture, clock.now()))
  else writeText(gathering, clock)
}

/** A line for every report, and whenever an engine comes or goes or is given another share. */
export async function showJson({ gathering, clock, signal }: Shown): Promise<void> {
  const told = new Map<string, string>()
  gathering.onChange = (what, watch) => {
    if (!gathering.shown.includes(watch)) return
    if (what === 'engine') return writeLine(engineLine(watch.view, clock.now()))
    for (const service of gathering.picture.services) {
      const key = `${service.of} ${service.name}`
      const line = serviceLine(service)
      if (told.get(key) === jsonLine(line)) continue
      told.set(key, jsonLine(line))
      writeLine(line)
    }
  }
  const stop = every(clock, TICK, () => gathering.tick())
  await aborted(signal)
  stop()
}

/** The first one as soon as there is something to show. */
export async function showText({ gathering, clock, signal }: Shown): Promise<void> {
  const start = clock.now()
  let at: number | undefined
  const stop = every(clock, TICK, () => {
    gathering.tick()
    const now = clock.now()
    const isDue = at === undefined ? gathering.isSettled || now - start >= TEXT : now - at >= TEXT
    if (!isDue) return
    at = now
    writeText(gathering, clock)
    process.stdout.write('\n')
  })
  await aborted(signal)
  stop()
}

export async function showScreen({ gathering, clock, signal, end }: Shown): Promise<void> {
  const hint = process.stdin.isTTY ? 'q ends' : 'Ctrl+C ends'
  const color = !process.env.NO_COLOR
  const screen = openScreen({ clock, input: process.stdin, output: process.stdout, onEnd: end })
  const show = () => {
    const { width, height } = screen
    screen.show(drawPicture(gathering.picture, { ...timesOf(clock), width, height, color, hint }))
  }
  screen.onChange = show
  const stop = every(clock, TICK, () => {
    gathering.tick()
    show()
  })
  try {
    show()
    await aborted(signal)
  } finally {
    stop()
    screen.close()
  }
}

function writeText(gathering: Gathering, clock: Clock): void {
  const { isTTY = false, columns } = process.stdout
  const width = columns || Number(process.env.COLUMNS) || WIDTH
  const color = isTTY && !process.env.NO_COLOR
  const frame: Frame = { ...timesOf(clock), width, height: Number.POSITIVE_INFINITY, color }
  process.stdout.write(`${drawPicture(gathering.picture, frame).join('\n')}\n`)
}

function writeLine(value: object): void {
  process.stdout.write(`${jsonLine(value)}\n`)
}

function timesOf(clock: Clock): { now: number; wall: number } {
  return { now: clock.now(), wall: clock.wall() }
}

function every(clock: Clock, ms: number, run: () => void): Cancel {
  let cancel: Cancel = () => {}
  let isOver = false
  const turn = () => {
    run()
    if (!isOver) cancel = clock.after(ms, turn)
  }
  cancel = clock.after(ms, turn)
  return () => {
    isOver = true
    cancel()
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
