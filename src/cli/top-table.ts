// Engines as a table, one line each: where there is no room for blocks.

import type { EngineView, Figures, Share } from './top-model.ts'
import { dotOf, type Fact, FRESH, type Frame, fillOf, fullest, most, STATES, stateOf } from './top-parts.ts'
import { bar, bytes, clean, duration, fit, type Line, number, timeOfDay, widthOf } from './top-text.ts'

/** One column of the short form. */
interface Column {
  head: string
  width: number
  of(figures: Figures): Line
}

const COLUMNS: Column[] = [
  fact('°C', 4, ({ cpu }) => cpu.temperature !== undefined && String(Math.round(cpu.temperature))),
  fact('LOAD', 6, ({ cpu }) => cpu.load[0] !== undefined && number(cpu.load[0])),
  fact('DISP/S', 7, ({ engine }) => engine.rate !== undefined && number(engine.rate)),
  fact('CHAN', 6, ({ engine }) => engine.channels !== undefined && number(engine.channels)),
  fact('RSS', 8, ({ engine }) => engine.rss !== undefined && bytes(engine.rss)),
]
/** With bars, and without. */
const SHARES = [shares(6), shares(0)]
/** Cells for the name, at least and at most, and for the state with its cause and without. */
const NAME = { least: 10, most: 24 }
const STATE = [26, 9]

export interface Columns {
  name: number
  state: number
  list: Column[]
}

/** With causes and bars where all fits; else without; and where that is too much those on the right are left out. */
export function columnsFor(engines: EngineView[], { width }: Frame): Columns {
  const longest = Math.max(...engines.map(({ name, at }) => widthOf(clean(name ?? at))))
  const name = Math.max(NAME.least, Math.min(longest, NAME.most, Math.floor(width / 5)))
  const forms = SHARES.flatMap((bars) => STATE.map((state) => ({ name, state, list: [...bars, ...COLUMNS] })))
  const room = ({ state }: Columns) => width - name - state - 3
  const fits = (form: Columns) => widthOfAll(form.list) <= room(form)
  const form = forms.find(fits) ?? (forms.at(-1) as Columns)
  let left = room(form)
  return {
    ...form,
    list: form.list.filter((column) => {
      left -= column.width
      return left >= 0
    }),
  }
}

export function headOf({ name, state, list }: Columns): Line {
  const heads = list.map(({ head, width }) => fit(head, width, 'right')).join('')
  return [[`  ${fit('ENGINE', name)}${heads} ${fit('STATE', state)}`, 'dim']]
}

export function rowOf(engine: EngineView, { name, state, list }: Columns, frame: Frame): Line {
  const { figures, offline } = engine
  const line: Line = [dotOf(engine), ' ', fit(engine.name ?? engine.at, name)]
  const cells = widthOfAll(list)
  if (offline) line.push([fit(` since ${timeOfDay(offline.since, frame.wall)}`, cells), 'red'])
  else if (!figures) line.push(fit('', cells))
  else line.push(...list.flatMap(({ of }) => of(figures)))
  const isShort = state === Math.min(...STATE)
  return [...line, ' ', ...(isShort ? wordOf(engine, frame) : stateOf(engine, frame))]
}

/** The most telling word of its state. */
function wordOf(engine: EngineView, { now }: Frame): Line {
  const { figures, heardAt, offline } = engine
  if (offline) return [['offline', 'red']]
  if (!figures || heardAt === undefined) return [['asking …', 'dim']]
  if (now - heardAt > FRESH) return [[`${duration(now - heardAt)} old`, 'yellow']]
  if (figures.draining) return [['draining', 'yellow']]
  return [[figures.state, STATES[figures.state]]]
}

function shares(bars: number): Column[] {
  return [
    share('CPU', bars, ({ cpu }) => cpu),
    share('RAM', bars, ({ ram }) => ram),
    share('DISK', bars, ({ disks }) => most(disks, fillOf).map(fullest)[0]),
    share('NET', bars, ({ links }) => most(links, ({ used = 0 }) => used)[0]),
  ]
}

function share(head: string, bars: number, pick: (figures: Figures) => Share | undefined): Column {
  const cells = bars === 0 ? 0 : bars + 1
  return {
    head,
    width: cells + 5,
    of(figures) {
      const { used, state = 'ok' } = pick(figures) ?? {}
      if (used === undefined) return [fit('–', cells + 5, 'right')]
      const [full, empty] = bar(used, bars)
      const text = fit(`${Math.round(used * 100)}%`, 5, 'right')
      return [cells > 0 ? ' ' : '', [full, STATES[state]], [empty, 'dim'], [text, STATES[state]]]
    },
  }
}

function fact(head: string, width: number, pick: (figures: Figures) => Fact): Column {
  return { head, width, of: (figures) => [fit(pick(figures) || '–', width, 'right')] }
}

function widthOfAll(list: Column[]): number {
  return list.reduce((sum, { width }) => sum + width, 0)
}
