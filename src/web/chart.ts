// Numbers over time. Drawn by hand: a chart library would weigh more than all the rest of the page.

import type { Element } from '../core/dispatch.ts'
import type { App } from './app.ts'
import { h, setText, svg } from './dom.ts'
import { readHistory } from './history.ts'
import type { Series } from './store.ts'

export interface Line {
  /** Of the series in the store. */
  key: string
  /** Where its past can be read. */
  resource: Element[]
  label: string
}

export interface ChartOptions {
  title: string
  lines: Line[]
  format(value: number): string
  /** Of the axis, where it does not follow the numbers. */
  range?: [min: number, max: number]
  /** Seconds that are shown. */
  span: number
  /** Values hold until the next one, as those that are reported when they change. */
  isStepped?: boolean
}

const REST = 1000
const HEIGHT = 168
const AXIS = { left: 62, bottom: 22, top: 8, right: 4 }
/** Seconds between two marks of the time axis. */
const TIMES = [60, 120, 300, 600, 1800, 3600, 7200]
const MARKS = 4
/** Seconds without a report of what is reported all the time: then nobody knows, and there is no line. */
const GAP = 45

/** A figure with its chart and what it says in words. */
export function chart(app: App, options: ChartOptions): HTMLElement {
  const { title, lines, span } = options
  const picture = svg('svg', { class: 'plot', height: HEIGHT, 'aria-hidden': 'true' })
  const note = h('figcaption', { class: 'off-screen' })
  const names = lines.map(({ label }, at) => h('span', { class: `line-${at}` }, label))
  const legend = lines.length > 1 && h('p', { class: 'legend', 'aria-hidden': 'true' }, ...names)
  const label = app.words.t('Chart of {0}', title)
  const figure = h('figure', { class: 'chart', 'aria-label': label }, picture, legend, note)
  const show = () => {
    if (document.hidden) return
    draw(app, picture, options)
    setText(note, summary(app, options))
  }
  for (const { key, resource } of lines) void readHistory(app, key, resource, span).then(show)
  const timer = setInterval(show, REST)
  const resized = new ResizeObserver(show)
  resized.observe(figure)
  app.atEnd(() => {
    clearInterval(timer)
    resized.disconnect()
  })
  return figure
}

function draw({ store, words }: App, picture: SVGSVGElement, options: ChartOptions): void {
  const { lines, span, format, isStepped = false, range } = options
  const width = picture.parentElement?.clientWidth ?? 0
  if (width === 0) return
  const end = Date.now() / 1000
  const all = lines.map(({ key }) => within(store.series.get(key), end - span, end))
  const numbers = all.flatMap(({ values }) => values)
  const [low, high] = range ?? roomy(Math.min(...numbers), Math.max(...numbers))
  const along = (time: number) => {
    const part = Math.max(0, (time - end + span) / span)
    return AXIS.left + part * (width - AXIS.left - AXIS.right)
  }
  const floor = HEIGHT - AXIS.bottom
  const up = (value: number) => floor - ((value - low) / (high - low)) * (floor - AXIS.top)
  const parts: SVGElement[] = []
  for (const value of marks(low, high)) {
    const y = up(value)
    parts.push(svg('line', { x1: AXIS.left, x2: width - AXIS.right, y1: y, y2: y }))
    parts.push(svg('text', { x: AXIS.left - 8, y: y + 4, 'text-anchor': 'end' }, format(value)))
  }
  const step = TIMES.find((it) => span / it <= MARKS + 1) ?? 7200
  for (let time = Math.ceil((end - span) / step) * step; time < end; time += step) {
    const x = along(time)
    if (x < AXIS.left + 16 || x > width - 20) continue
    parts.push(svg('text', { x, y: HEIGHT - 5, 'text-anchor': 'middle' }, words.minute(time * 1000)))
  }
  all.forEach((series, at) => {
    const path = pathOf(series, { along, up, isStepped })
    if (path === '') return
    if (lines.length === 1 && !path.includes('M', 1)) {
      const from = along(series.times[0] as number)
      parts.push(svg('path', { class: 'area', d: `${path}V${floor}H${from.toFixed(1)}Z` }))
    }
    parts.push(svg('path', { class: `line line-${at}`, d: path }))
  })
  picture.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`)
  picture.setAttribute('width', String(width))
  picture.replaceChildren(...parts)
}

/** What lies in that time, the one before it, and the last one once more at the end: it holds until now. */
function within({ times, values }: Series = { times: [], values: [] }, from: number, end: number): Series {
  const after = times.findIndex((time) => time > from)
  const first = after < 0 ? times.length - 1 : Math.max(0, after - 1)
  const last = values.at(-1)
  if (last === undefined) return { times: [], values: [] }
  return { times: [...times.slice(first), end], values: [...values.slice(first), last] }
}

interface Scale {
  along(time: number): number
  up(value: number): number
  isStepped: boolean
}

function pathOf({ times, values }: Series, { along, up, isStepped }: Scale): string {
  let path = ''
  let before = Number.NEGATIVE_INFINITY
  times.forEach((time, at) => {
    const [x, y] = [along(time).toFixed(1), up(values[at] as number).toFixed(1)]
    if (path === '' || (!isStepped && time - before > GAP)) path += `M${x} ${y}`
    else path += isStepped ? `H${x}V${y}` : `L${x} ${y}`
    before = time
  })
  return path
}

/** Round numbers of the axis. */
function marks(low: number, high: number): number[] {
  const rough = (high - low) / MARKS
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 2.5, 5, 10].find((it) => it * power >= rough) as number)
  const first = Math.ceil(low / step - 1e-9)
  const count = Math.floor(high / step + 1e-9) - first + 1
  return Array.from({ length: Math.max(0, count) }, (_, at) => (first + at) * step)
}

/** A flat line is in the middle, not on the edge. */
function roomy(min: number, max: number): [number, number] {
  if (!Number.isFinite(min)) return [0, 1]
  const room = (max - min) * 0.1 || Math.abs(max) * 0.1 || 1
  return [min >= 0 ? Math.max(0, min - room) : min - room, max + room]
}

function summary({ words, store }: App, { lines, format }: ChartOptions): string {
  const parts = lines.flatMap(({ key, label }) => {
    const values = store.series.get(key)?.values
    const last = values?.at(-1)
    if (!values || last === undefined) return []
    const ends = [Math.min(...values), Math.max(...values), last].map(format)
    return [`${label}: ${words.t('{0} to {1}, now {2}', ...ends)}`]
  })
  return parts.join('; ') || words.t('Nothing was heard yet.')
}
