// The picture: engines one below the other, each with its bars, or one line each where there is no room for that; then
// who serves what, and how much of it. Draws only: nothing here asks or waits.

import { blockOf } from './top-block.ts'
import { type EngineView, type ReplicaView, type ServiceView, urgency } from './top-model.ts'
import { BAR, type Frame, NARROW, NUMBER, STATES, spread, told, withFacts } from './top-parts.ts'
import { columnsFor, headOf, rowOf } from './top-table.ts'
import {
  bar,
  clean,
  draw,
  fit,
  flow,
  type Line,
  lengthOf,
  number,
  type Piece,
  percent,
  timeOfDay,
  widthOf,
} from './top-text.ts'

const WIDEST = 130

export interface Picture {
  engines: EngineView[]
  services: ServiceView[]
}

/** At most `height` lines of at most `width` cells. */
export function drawPicture(picture: Picture, frame: Frame): string[] {
  const { height, color, width } = frame
  const lines = layOut(picture, { ...frame, width: Math.min(width, WIDEST) })
  const shown = lines.length > height ? lines.slice(0, Math.max(1, height - 1)) : lines
  if (shown.length < lines.length && height > 1) {
    shown.push([[`… ${lines.length - shown.length} more lines: enlarge the window`, 'dim']])
  }
  return shown.map((line) => draw(line, width, color))
}

function layOut({ engines, services }: Picture, frame: Frame): Line[] {
  const title = titleOf(engines, frame)
  const below = services.flatMap((service) => [[], ...serviceLines(service, frame)])
  const blocks = [title, ...engines.flatMap((engine) => [[], ...blockOf(engine, frame)]), ...below]
  if (blocks.length <= frame.height) return blocks
  const columns = columnsFor(engines, frame)
  const rows = engines
    .map((engine) => rowOf(engine, columns, frame))
    .map((row, i) => ({ row, rank: urgency(engines[i] as EngineView) }))
  // Where not even these fit, what needs somebody comes first.
  const isTooMuch = rows.length + 3 > frame.height
  const sorted = isTooMuch ? rows.sort((a, b) => a.rank - b.rank) : rows
  return [title, [], headOf(columns), ...sorted.map(({ row }) => row), ...below]
}

function titleOf(engines: EngineView[], { width, wall, hint = '' }: Frame): Line {
  const away = engines.filter(({ offline }) => offline).length
  const facts = [
    timeOfDay(wall, wall),
    engines.length > 1 && `${engines.length} engines`,
    away > 0 && engines.length > 1 && `${away} offline`,
  ]
  const right: Line = hint ? [[hint, 'dim']] : []
  const head = 'hormiga top  '
  const room = width - head.length - lengthOf(right) - 1
  const [text = ''] = flow(told(facts), room, ', ')
  return spread([[head, 'bold'], text], right, width)
}

function serviceLines({ name, of, rate, replicas }: ServiceView, frame: Frame): Line[] {
  const all = replicas.reduce((sum, { given }) => sum + given, 0)
  const right = rate === undefined ? `${number(all)} in all` : `${number(rate)}/s`
  const room = Math.max(8, frame.width - right.length - 1)
  const left = draw(['service ', name, ` at ${of}`], room, false)
  const lines = [spread([[left, 'bold']], [[right, 'dim']], frame.width)]
  if (replicas.length === 0) lines.push([['  nobody serves it at present', 'red']])
  return [...lines, ...replicas.map((replica) => replicaLine(replica, frame))]
}

/** The bar is its share of the traffic; how full it is stands behind. */
function replicaLine(replica: ReplicaView, { width }: Frame): Line {
  const { at, name, share, rate, open, standing, state, saturation } = replica
  const isNarrow = width < NARROW
  const label = isNarrow ? 12 : 24
  const both = name === undefined ? at : `${name} ${at}`
  const shown = name !== undefined && widthOf(clean(both)) > label ? name : both
  const cells = Math.max(7, Math.min(BAR, width - label - NUMBER - (isNarrow ? 14 : 37)))
  const [full, empty] = bar(share ?? 0, cells)
  const isGood = standing === 'good' || standing === ''
  const word: Piece = isGood ? [state, STATES[state]] : [standing, standing === 'draining' ? 'yellow' : 'red']
  const line: Line = ['  ', fit(shown, label), ' ', [full, 'cyan'], [empty, 'dim']]
  line.push(fit(percent(share), NUMBER, 'right'), '  ', word)
  const facts = [
    saturation !== undefined && percent(saturation),
    rate !== undefined && `${number(rate)}/s`,
    `${number(open)} open`,
  ]
  return withFacts(line, facts, width, 2, 'dim')
}
