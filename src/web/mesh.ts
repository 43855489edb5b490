// Who is connected to this engine, and how full everybody is.

import type { Json } from '../core/dispatch.ts'
import type { App } from './app.ts'
import { fieldsOf } from './directory.ts'
import { h, setText, svg } from './dom.ts'

/** Milliseconds between two looks at what is not reported. */
const LOOK = 2000
/** In the drawing; the table has all. */
const DRAWN = 16
const ROWS = 200
/** What can be full. */
const SECTIONS: Record<string, string> = {
  cpu: 'Processor',
  ram: 'Memory',
  disk: 'Disk',
  network: 'Network',
  engine: 'Engine',
}

export function meshView(app: App): HTMLElement {
  const { words } = app
  const look = async () => {
    if (document.hidden || !app.link.isOpen) return
    for (const point of ['peers', 'services']) {
      const { status, body } = await app.client.ask('GET', ['engine', point])
      if (status === 200) app.store.set(`engine/${point}`, body as Json)
    }
    const { status, body } = await app.client.ask('GET', ['engine'])
    if (status === 200) app.store.set('engine', body as Json)
  }
  void look()
  const timer = setInterval(look, LOOK)
  app.atEnd(() => clearInterval(timer))
  return h(
    'div',
    {},
    h('p', { class: 'lead' }, words.t('Who is connected to this engine, and how full it is')),
    h('div', { class: 'split' }, self(app), drawing(app)),
    services(app),
    channels(app),
  )
}

function self(app: App): HTMLElement {
  const { words } = app
  const name = h('h2', {})
  const id = h('p', { class: 'id' })
  const meter = meterOf(words.t('in use, at most'))
  const verdict = h('p', { class: 'verdict' })
  const uptime = h('p', { class: 'sub' })
  app.show('engine', (value) => {
    const { name: called, id: key, version, uptime: ms } = fieldsOf(value)
    setText(name, String(called ?? ''))
    setText(id, String(key ?? ''))
    const running = typeof ms === 'number' ? words.t('running for {0}', duration(words, ms)) : ''
    setText(uptime, [version && `hormiga ${version}`, running].filter(Boolean).join(' · '))
  })
  app.show('engine/saturation', (value) => {
    const { saturation, state, cause, draining } = fieldsOf(value)
    meter.show(app, saturation, state)
    setText(verdict, draining ? words.t('takes no new work') : verdictOf(words, String(state), String(cause)))
    verdict.dataset.state = String(state)
  })
  return h(
    'section',
    { class: 'card', 'aria-label': words.t('This engine') },
    h('header', {}, h('div', {}, name, uptime)),
    meter.element,
    verdict,
    id,
  )
}

function verdictOf(words: App['words'], state: string, cause: string): string {
  const what = words.t(SECTIONS[cause] ?? cause)
  if (state === 'warning') return words.t('getting full: {0}', what)
  if (state === 'critical') return words.t('full: {0}', what)
  return state === 'ok' ? words.t('all is well') : ''
}

/** A share of what there is, as a bar that says its number. */
function meterOf(label: string): {
  element: HTMLElement
  show(app: App, share: Json | undefined, state: Json | undefined): void
} {
  const figure = h('span', { class: 'figure' })
  const bar = h('span', { class: 'bar' })
  const element = h(
    'div',
    {
      class: 'meter',
      role: 'meter',
      'aria-label': label,
      'aria-valuemin': 0,
      'aria-valuemax': 100,
      'aria-valuenow': 0,
    },
    figure,
    h('span', { class: 'bar-track' }, bar),
  )
  return {
    element,
    show({ words }, share, state) {
      const part = typeof share === 'number' ? share : undefined
      setText(figure, part === undefined ? '–' : words.percent(part))
      bar.style.width = `${(part ?? 0) * 100}%`
      element.dataset.state = String(state ?? 'ok')
      element.setAttribute('aria-valuenow', String(Math.round((part ?? 0) * 100)))
      element.setAttribute('aria-valuetext', figure.textContent ?? '')
    },
  }
}

/** This engine in the middle, around it who is connected, and the services that it sends on to. */
function drawing(app: App): HTMLElement {
  const picture = svg('svg', { viewBox: '-160 -120 320 240', class: 'map', 'aria-hidden': 'true' })
  const draw = () => {
    const peers = listOf(app, 'engine/peers').slice(0, DRAWN)
    const replicas = listOf(app, 'engine/services').flatMap(({ name, replicas }) =>
      (Array.isArray(replicas) ? replicas : []).map((it) => ({
        service: String(name),
        state: String(fieldsOf(it).state),
      })),
    )
    const nodes = [
      ...replicas.slice(0, DRAWN).map(({ service, state }) => ({ text: service, state, kind: 'replica' })),
      ...peers.map(({ transport }) => ({ text: String(transport), state: 'ok', kind: 'peer' })),
    ]
    const spokes = nodes.flatMap(({ text, state, kind }, at) => {
      const angle = (at / nodes.length) * 2 * Math.PI - Math.PI / 2
      const [x, y] = [Math.cos(angle) * 120, Math.sin(angle) * 84]
      return [
        svg('line', { x1: 0, y1: 0, x2: x, y2: y }),
        svg('circle', { cx: x, cy: y, r: kind === 'replica' ? 14 : 9, class: kind, 'data-state': state }),
        svg('text', { x, y: y + (y > 0 ? 26 : -17), 'text-anchor': 'middle' }, text),
      ]
    })
    const { saturation, state } = fieldsOf(app.store.get('engine/saturation'))
    const around = 2 * Math.PI * 30
    const part = typeof saturation === 'number' ? saturation * around : 0
    picture.replaceChildren(
      ...spokes.filter((it) => it.tagName === 'line'),
      svg('circle', { r: 38, class: 'hub' }),
      svg('circle', { r: 30, class: 'track' }),
      svg('circle', {
        r: 30,
        class: 'arc',
        'data-state': String(state),
        'stroke-dasharray': `${part} ${around}`,
        transform: 'rotate(-90)',
      }),
      svg(
        'text',
        { y: 4, 'text-anchor': 'middle', class: 'hub-text' },
        typeof saturation === 'number' ? app.words.percent(saturation) : '',
      ),
      ...spokes.filter((it) => it.tagName !== 'line'),
    )
  }
  for (const key of ['engine/peers', 'engine/services', 'engine/saturation']) app.show(key, draw)
  return h('div', { class: 'card map-card' }, picture)
}

function services(app: App): HTMLElement {
  const { words } = app
  const box = h('div', { class: 'stack' })
  app.show('engine/services', () => {
    const all = listOf(app, 'engine/services')
    if (all.length > 0) return box.replaceChildren(...all.map((it) => service(app, it)))
    const text = 'A service is a name that several engines stand behind. None is configured here.'
    box.replaceChildren(h('p', { class: 'quiet-text' }, words.t(text)))
  })
  return h(
    'section',
    { class: 'card', 'aria-labelledby': 'services' },
    h('h2', { id: 'services' }, words.t('Services')),
    box,
  )
}

function service(app: App, { name, replicas }: { [name: string]: Json }): HTMLElement {
  const { words } = app
  const rows = (Array.isArray(replicas) ? replicas : []).map((it) => {
    const { at, standing, state, saturation, open, given } = fieldsOf(it)
    const meter = meterOf(`${words.t('Saturation')} ${at}`)
    meter.show(app, saturation, state)
    return [String(at), words.word(String(standing)), meter.element, String(open), String(given)]
  })
  const columns = ['Engine', 'State', 'Saturation', 'under way', 'given']
  if (rows.length === 0)
    return h(
      'div',
      {},
      h('h3', {}, String(name)),
      h('p', { class: 'quiet-text' }, words.t('Nobody serves it at present.')),
    )
  return h('div', {}, h('h3', {}, String(name)), grid(app, String(name), columns, rows))
}

function channels(app: App): HTMLElement {
  const { words } = app
  const box = h('div', {})
  const columns = ['Remote', 'Transport', 'Version', 'Subscriptions', 'Waiting']
  app.show('engine/peers', () => {
    const rows = listOf(app, 'engine/peers').map(
      ({ remote, transport, version, codec, subscriptions, queued }) => [
        String(remote),
        String(transport),
        `${version} ${codec}`,
        String(subscriptions),
        String(queued),
      ],
    )
    box.replaceChildren(grid(app, words.t('Channels'), columns, rows))
  })
  return h(
    'section',
    { class: 'card', 'aria-labelledby': 'channels' },
    h('h2', { id: 'channels' }, words.t('Channels')),
    box,
  )
}

function grid(
  { words }: App,
  label: string,
  columns: string[],
  rows: (string | HTMLElement)[][],
): HTMLElement {
  return h(
    'div',
    { class: 'table', tabindex: 0, role: 'group', 'aria-label': label },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...columns.map((it) => h('th', { scope: 'col' }, words.t(it))))),
      h(
        'tbody',
        {},
        ...rows.slice(0, ROWS).map((row) => h('tr', {}, ...row.map((cell) => h('td', {}, cell)))),
      ),
    ),
  )
}

function listOf({ store }: App, key: string): { [name: string]: Json }[] {
  const value = store.get(key)
  return (Array.isArray(value) ? value : []).map((it) => fieldsOf(it))
}

function duration(words: App['words'], ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 90) return words.amount(minutes, 'min')
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? words.amount(hours, 'h') : words.amount(Math.floor(hours / 24), 'd')
}
