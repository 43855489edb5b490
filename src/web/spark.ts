// The last minutes of a number, as a small line. It says nothing that the number beside it does not: it is not read aloud.

import type { Element } from '../core/dispatch.ts'
import type { App } from './app.ts'
import { svg } from './dom.ts'
import { readHistory } from './history.ts'

const WIDTH = 100
const HEIGHT = 28
/** Seconds that are shown. */
const SPAN = 300
const POINTS = 120
/** Milliseconds between two drawings: a line of five minutes does not change faster. */
const REST = 1000

export function spark(
  app: App,
  key: string,
  resource: Element[],
  range?: [min: number, max: number],
): SVGSVGElement {
  const line = svg('polyline', { points: '' })
  const drawing = svg(
    'svg',
    { class: 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    line,
  )
  const draw = () => {
    const { times = [], values = [] } = app.store.series.get(key) ?? {}
    const now = Date.now() / 1000
    const from = Math.max(0, times.findIndex((time) => time > now - SPAN) - 1)
    const step = Math.max(1, Math.ceil((times.length - from) / POINTS))
    const shown = times.flatMap((time, at) =>
      at >= from && (at - from) % step === 0 ? [[time, values[at] as number]] : [],
    )
    const last = values.at(-1)
    if (last === undefined) return
    shown.push([now, last])
    const all = shown.map(([, value]) => value as number)
    const [min, max] = range ?? [Math.min(...all), Math.max(...all)]
    const height = (value: number) => HEIGHT - 2 - ((value - min) / (max - min || 1)) * (HEIGHT - 4)
    const along = (time: number) => Math.max(0, ((time - now + SPAN) / SPAN) * WIDTH)
    line.setAttribute(
      'points',
      shown
        .map(([time, value]) => `${along(time as number).toFixed(1)},${height(value as number).toFixed(1)}`)
        .join(' '),
    )
  }
  draw()
  void readHistory(app, key, resource, SPAN)
  const timer = setInterval(draw, REST)
  app.atEnd(() => clearInterval(timer))
  return drawing
}
