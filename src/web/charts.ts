// How full the computer is, and any number that somebody wants to follow.

import type { Element, Json } from '../core/dispatch.ts'
import type { App } from './app.ts'
import { chart, type Line } from './chart.ts'
import { fieldsOf } from './directory.ts'
import { h, icon, setText } from './dom.ts'
import { listHistory } from './history.ts'
import { INSIDE } from './store.ts'

const CHOSEN = 'hormiga.charts'
const SPAN = 'hormiga.span'
/** Minutes. */
const SPANS = [5, 15, 60, 360]
const MOST = 12
const SATURATION = 'engine/saturation'

export function chartsView(app: App): HTMLElement {
  const { words } = app
  const minutes = Number(localStorage.getItem(SPAN)) || 15
  const choose = ({ target }: Event) => {
    localStorage.setItem(SPAN, (target as HTMLSelectElement).value)
    app.render()
  }
  const spans = SPANS.map((it) =>
    h(
      'option',
      { value: it, selected: it === minutes },
      it < 60 ? words.t('{0} min', it) : words.t('{0} h', it / 60),
    ),
  )
  return h(
    'div',
    {},
    h(
      'div',
      { class: 'toolbar' },
      h('label', {}, words.t('How far back'), ' ', h('select', { id: 'span', onchange: choose }, ...spans)),
    ),
    system(app, minutes * 60),
    follow(app, minutes * 60),
  )
}

function system(app: App, span: number): HTMLElement {
  const { words, store } = app
  const box = h('div', { class: 'grid' })
  const { disk, network } = fieldsOf(store.get(SATURATION))
  const share = (value: number) => words.percent(value)
  const rate = (value: number) => `${words.bytes(value)}/s`
  const part = { span, format: share, range: [0, 1] as [number, number] }
  box.append(
    panel(
      app,
      words.t('Processor'),
      (it) => shareOf(words, fieldsOf(it.cpu)),
      (it) => cpuNote(app, fieldsOf(it.cpu)),
      {
        ...part,
        lines: [line('cpu', 'used', words.t('in use'))],
      },
    ),
    panel(
      app,
      words.t('Memory'),
      (it) => shareOf(words, fieldsOf(it.ram)),
      (it) => freeOf(app, { ...fieldsOf(it.ram), free: fieldsOf(it.ram).available }),
      {
        ...part,
        lines: [line('ram', 'used', words.t('in use'))],
      },
    ),
    ...Object.keys(fieldsOf(disk)).map((name) => {
      const of = (it: { [name: string]: Json }) => fieldsOf(fieldsOf(it.disk)[name])
      return panel(
        app,
        `${words.t('Disk')} ${name}`,
        (it) => shareOf(words, of(it)),
        (it) => freeOf(app, of(it)),
        {
          ...part,
          lines: [line('disk', name, words.t('in use'), 'used')],
        },
      )
    }),
    ...Object.keys(fieldsOf(network)).map((name) => {
      const of = (it: { [name: string]: Json }) => fieldsOf(fieldsOf(it.network)[name])
      const both = (it: { [name: string]: Json }) => Number(of(it).rx ?? 0) + Number(of(it).tx ?? 0)
      return panel(
        app,
        `${words.t('Network')} ${name}`,
        (it) => rate(both(it)),
        () => '',
        {
          span,
          format: rate,
          lines: [
            line('network', name, words.t('received'), 'rx'),
            line('network', name, words.t('sent'), 'tx'),
          ],
        },
      )
    }),
  )
  if (store.get(SATURATION) !== undefined) return box
  // What disks and interfaces there are is known with the first report.
  app.show(SATURATION, (value) => value !== undefined && app.render())
  return box
}

function line(section: string, name: string, label: string, field?: string): Line {
  const path = field === undefined ? [section, name] : [section, name, field]
  return { key: [SATURATION, ...path].join(INSIDE), resource: [...SATURATION.split('/'), ...path], label }
}

type Telling = (saturation: { [name: string]: Json }) => string

function panel(
  app: App,
  title: string,
  now: Telling,
  note: Telling,
  options: Omit<Parameters<typeof chart>[1], 'title'>,
): HTMLElement {
  const figure = h('p', { class: 'figure' })
  const small = h('p', { class: 'sub' })
  app.show(SATURATION, (value) => {
    setText(figure, now(fieldsOf(value)))
    setText(small, note(fieldsOf(value)))
  })
  return h(
    'section',
    { class: 'card panel', 'aria-label': title },
    h('header', {}, h('div', {}, h('h2', {}, title), small), figure),
    chart(app, { title, ...options }),
  )
}

function shareOf(words: App['words'], { used }: { [name: string]: Json }): string {
  return typeof used === 'number' ? words.percent(used) : '–'
}

function cpuNote({ words }: App, { cores, load, temperature }: { [name: string]: Json }): string {
  const parts = [
    typeof cores === 'number' && words.t('{0} cores', words.number(cores)),
    Array.isArray(load) && typeof load[0] === 'number' && words.t('load {0}', words.number(load[0])),
    typeof temperature === 'number' && words.amount(Math.round(temperature), '°C'),
  ]
  return parts.filter(Boolean).join(' · ')
}

function freeOf({ words }: App, { free, total }: { free?: Json; total?: Json }): string {
  if (typeof free !== 'number' || typeof total !== 'number') return ''
  return words.t('{0} free of {1}', words.bytes(free), words.bytes(total))
}

/** Numbers of devices, as many as somebody has chosen. */
function follow(app: App, span: number): HTMLElement {
  const { words, store } = app
  const chosen = readChosen()
  const keep = (keys: string[]) => {
    localStorage.setItem(CHOSEN, JSON.stringify(keys.slice(-MOST)))
    app.render()
  }
  const add = ({ target }: Event) => keep([...chosen, (target as HTMLSelectElement).value])
  const select = h(
    'select',
    { id: 'choose', onchange: add },
    h('option', { value: '' }, words.t('Choose a resource')),
  )
  const offer = (keys: string[]) => {
    const known = new Set([...select.options].map(({ value }) => value))
    const more = keys.filter((key) => !known.has(key) && !chosen.includes(key)).sort(devicesFirst)
    select.append(...more.map((key) => h('option', { value: key }, titleOf(key))))
  }
  offer([...store.series.keys()])
  void listHistory(app).then((all) => offer(all.map((it) => keyOf(app, it))))
  return h(
    'section',
    { class: 'follow', 'aria-labelledby': 'follow' },
    h(
      'div',
      { class: 'toolbar' },
      h('h2', { id: 'follow' }, words.t('Follow a number')),
      h('label', {}, h('span', { class: 'off-screen' }, words.t('Choose a resource')), select),
    ),
    h(
      'div',
      { class: 'grid' },
      ...chosen.map((key) => followed(app, key, span, () => keep(chosen.filter((it) => it !== key)))),
    ),
  )
}

function followed(app: App, key: string, span: number, remove: () => void): HTMLElement {
  const { words } = app
  const [resource = '', ...path] = key.split(INSIDE)
  const point = app.things.flatMap(({ points }) => points).find((it) => it.resource.join('/') === resource)
  const unit = path.length === 0 ? point?.unit : undefined
  const format = (value: number) => words.amount(Number(value.toPrecision(4)), unit)
  const line = { key, resource: [...(point?.resource ?? resource.split('/')), ...path], label: titleOf(key) }
  const figure = h('p', { class: 'figure' })
  app.show(resource, () => {
    const value = app.store.series.get(key)?.values.at(-1)
    setText(figure, value === undefined ? '–' : format(value))
  })
  const title = titleOf(key)
  const button = h(
    'button',
    { class: 'quiet', onclick: remove, 'aria-label': words.t('Remove the chart of {0}', title) },
    icon('close'),
  )
  return h(
    'section',
    { class: 'card panel', 'aria-label': title },
    h('header', {}, h('h2', {}, title), figure, button),
    chart(app, { title, span, format, isStepped: true, lines: [line] }),
  )
}

/** How the number at the end of that path is called here: what is a point, and what is inside of it? */
function keyOf({ things }: App, path: Element[]): string {
  const points = things.flatMap(({ points }) => points.map(({ resource }) => resource))
  const isStart = (resource: Element[]) => resource.every((it, at) => it === path[at])
  const depth = points.find((it) => it.length <= path.length && isStart(it))?.length ?? 2
  return [path.slice(0, depth).join('/'), ...path.slice(depth)].join(INSIDE)
}

function titleOf(key: string): string {
  return key.replaceAll('/', ' · ').replaceAll(INSIDE, ' · ')
}

function readChosen(): string[] {
  try {
    const chosen = JSON.parse(localStorage.getItem(CHOSEN) ?? '[]')
    return Array.isArray(chosen) ? chosen.filter((it) => typeof it === 'string') : []
  } catch {
    return []
  }
}

function devicesFirst(a: string, b: string): number {
  return Number(a.startsWith('engine/')) - Number(b.startsWith('engine/')) || a.localeCompare(b)
}
