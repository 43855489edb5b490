// An engine as a block: a line with its state, a line with a bar for each capacity, and what has none.

import type { Disk, EngineView, Figures, Link, Share } from './top-model.ts'
import {
  BAR,
  count,
  dotOf,
  type Fact,
  type Frame,
  fillOf,
  fullest,
  ITEMS,
  most,
  NARROW,
  NUMBER,
  paintOf,
  STATES,
  spread,
  stateOf,
  told,
  withFacts,
} from './top-parts.ts'
import {
  bar,
  bytes,
  clean,
  clip,
  fit,
  flow,
  type Line,
  lengthOf,
  number,
  type Paint,
  percent,
  timeOfDay,
  widthOf,
} from './top-text.ts'

const LABEL = 12
const NARROW_LABEL = 9
/** Cells behind a bar there, such as `24.5 GB free`, and the space before it; the part of the rest that is bar elsewhere. */
const DETAIL = 14
const WIDE_BAR = 0.6

export function blockOf(engine: EngineView, frame: Frame): Line[] {
  const { name, at, figures, offline } = engine
  const { width, wall } = frame
  const isNarrow = width < NARROW
  const state: Line = offline && isNarrow ? [['offline', 'red']] : stateOf(engine, frame)
  const shown = name ?? at
  const room = Math.max(8, width - lengthOf(state) - 4)
  const head: Line = [dotOf(engine), ' ', [clip(shown, room), 'bold']]
  if (shown !== at && widthOf(clean(at)) + widthOf(clean(shown)) + 2 <= room) head.push([`  ${at}`, 'dim'])
  const lines = [spread(head, state, width)]
  if (offline) {
    const why = isNarrow ? `since ${timeOfDay(offline.since, wall)}: ${offline.why}` : offline.why
    const words = flow(clean(why).split(' '), width - 2, ' ')
    lines.push(...words.slice(0, ITEMS).map((text): Line => ['  ', [text, 'dim']]))
  } else if (figures) lines.push(...figureLines(figures, width))
  return lines
}

function figureLines(figures: Figures, width: number): Line[] {
  const { cpu, ram, disks, links, engine } = figures
  const processor = [
    cpu.undervoltage && 'undervoltage',
    cpu.throttled && 'throttled',
    cpu.temperature !== undefined && `${Math.round(cpu.temperature)} °C`,
    cpu.cores !== undefined && count(cpu.cores, 'core'),
  ]
  const memory = [
    ram.available !== undefined && `${bytes(ram.available)} free`,
    ram.total !== undefined && `${bytes(ram.total)} in all`,
  ]
  return [
    barLine('CPU', cpu, processor, width),
    barLine('RAM', ram, memory, width),
    ...most(disks, fillOf).map((disk) => barLine(disk.name, fullest(disk), factsOfDisk(disk), width)),
    ...most(links, ({ rx = 0, tx = 0 }) => rx + tx).map((link) => {
      return barLine(link.name, link, factsOfLink(link), width)
    }),
    ...flow(factsOf(figures), width - 2).map((text): Line => ['  ', [text, paintOf(engine.state, 'dim')]]),
  ]
}

function factsOfDisk({ used = 0, inodes = 0, free, readonly }: Disk): Fact[] {
  return [inodes > used ? 'inodes' : free !== undefined && `${bytes(free)} free`, readonly && 'read-only']
}

function factsOfLink({ rx, tx }: Link): Fact[] {
  return [rx !== undefined && `↓ ${bytes(rx)}/s`, tx !== undefined && `↑ ${bytes(tx)}/s`]
}

/** What has no bar, the most telling first. */
function factsOf({ cpu, engine }: Figures): string[] {
  const { rss, channels, subscriptions, queued = 0, rate, loop } = engine
  return told([
    cpu.load.length > 0 && `load ${cpu.load.map(number).join(' ')}`,
    rss !== undefined && `${bytes(rss)} RSS`,
    rate !== undefined && `${number(rate)} dispatches/s`,
    channels !== undefined && count(channels, 'channel'),
    subscriptions !== undefined && count(subscriptions, 'subscription'),
    loop !== undefined && `loop ${number(loop)} ms`,
    queued > 0 && `${number(queued)} queued`,
  ])
}

function barLine(label: string, { used, state }: Share, facts: Fact[], width: number): Line {
  const isNarrow = width < NARROW
  const head = isNarrow ? NARROW_LABEL : LABEL
  const most = isNarrow ? width - head - NUMBER - 3 - DETAIL : (width - head - NUMBER - 3) * WIDE_BAR
  const cells = Math.max(4, Math.min(BAR, Math.floor(most)))
  const line: Line = ['  ', fit(label, head), ' ']
  if (used !== undefined) {
    const [full, empty] = bar(used, cells)
    const paints: Paint[] = state === 'ok' ? [] : [STATES[state], 'bold']
    line.push([full, STATES[state]], [empty, 'dim'], [fit(percent(used), NUMBER, 'right'), ...paints])
  }
  const isLabelled = used === undefined
  return withFacts(line, facts, width, isLabelled ? 0 : 2, paintOf(state, 'dim'))
}
