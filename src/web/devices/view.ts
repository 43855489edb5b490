// All devices, each as its profile describes it: nothing here knows a device by name.

import type { Json } from '../../core/dispatch.ts'
import type { App } from '../app.ts'
import { type Entry, fieldsOf, isNumeric, isSettable, type Thing, typeOf } from '../directory.ts'
import { h, icon, setText } from '../dom.ts'
import { runCommand, saidLine } from './command.ts'
import { control } from './control.ts'
import { actionForm, choicesOf, picker } from './make.ts'
import { isProminent, labelOf, textOf, tile } from './reading.ts'
import { ring } from './ring.ts'
import { openable } from './settings.ts'

/** Words of `alarms` that only remind, if the device itself is not in alarm. */
const ALARM = 'alarm'

export function devicesView(app: App): HTMLElement {
  const { words, things } = app
  if (things.length > 0) return h('div', { class: 'devices' }, ...things.map((thing) => safeCard(app, thing)))
  const isAsked = app.store.get('engine') === undefined
  return h(
    'div',
    { class: 'empty' },
    icon('ant'),
    h('p', { class: 'empty-title' }, words.t(isAsked ? 'connecting…' : 'No devices yet')),
    !isAsked &&
      h(
        'p',
        {},
        words.t(
          'Devices are named in the configuration of the engine. As soon as one is there it appears here.',
        ),
      ),
  )
}

/** A thing that describes itself in a way that nobody has thought of leaves the others alone. */
function safeCard(app: App, thing: Thing): HTMLElement {
  try {
    return card(app, thing)
  } catch (error) {
    const text = `${thing.name}: ${(error as Error).message}`
    return h('article', { class: 'card', 'aria-label': thing.name }, h('p', { class: 'said bad' }, text))
  }
}

function card(app: App, thing: Thing): HTMLElement {
  const { name, points, actions } = thing
  const point = (short: string) =>
    points.find(({ resource }) => resource.length === 2 && resource[1] === short)
  const [state, progress, alarms] = [point('state'), point('progress'), point('alarms')]
  const isHero = state !== undefined
  const hasPart = isHero && progress !== undefined && isNumeric(progress)
  const taken = new Set<Entry | undefined>([
    isHero ? state : undefined,
    hasPart ? progress : undefined,
    alarms,
  ])
  const rest = points.filter((it) => !taken.has(it))
  const picks = actions.flatMap((action) => {
    const choices = choicesOf(thing, action)
    return choices ? [{ action, choices }] : []
  })
  const isPicked = (key: string) => picks.some(({ choices }) => choices[1] === key)
  const others = actions.filter((action) => !picks.some((it) => it.action === action))
  const simple = others.filter(({ body }) => !body)
  const settable = rest.filter((it) => isSettable(it))
  const readable = rest.filter(
    (it) => !isSettable(it) && !it.methods.includes('PATCH') && !isPicked(it.resource.join('/')),
  )
  const isOpenable = (it: Entry) => /^(object|list)$/.test(typeOf(it)) && !it.event
  const prominent = readable.filter((it) => isProminent(it))
  const details = readable.filter((it) => !isProminent(it) && !isOpenable(it))
  const openables = rest.filter(
    (it) => it.methods.includes('PATCH') || (readable.includes(it) && isOpenable(it)),
  )
  const hero = h(
    'div',
    { class: isHero ? 'hero' : 'hero flat' },
    isHero && ring(app, `${name}/state`, hasPart ? `${name}/progress` : undefined),
    simple.length > 0 && h('div', { class: 'buttons' }, ...simple.map((it) => actionForm(app, it))),
    ...settable.map((it) => settablePoint(app, it)),
  )
  const box = h(
    'article',
    { class: 'card device', 'aria-label': name },
    alarms && alarmList(app, name),
    h(
      'div',
      { class: picks.length > 0 ? 'split' : 'single' },
      hero,
      ...picks.map(({ action, choices }) => picker(app, action, choices)),
    ),
    prominent.length > 0 && h('dl', { class: 'tiles' }, ...prominent.map((it) => tile(app, it))),
    ...others.filter(({ body }) => body).map((it) => actionForm(app, it)),
    ...openables.map((it) => openable(app, it)),
    details.length > 0 && detailsOf(app, details),
  )
  box.prepend(head(app, thing, box))
  return box
}

/** Who it is, and whether it is there. */
function head(app: App, { name, title }: Thing, card: HTMLElement): HTMLElement {
  const { words } = app
  const about = words.describe(title)
  const pill = h('span', { class: 'pill' })
  const away = h('p', { class: 'away', role: 'status' })
  const box = h(
    'header',
    {},
    h('div', {}, h('h2', {}, name), h('p', { class: 'sub', lang: about.lang }, about.text)),
    pill,
    away,
  )
  const tell = () => {
    const { state, cause, lastSeen } = fieldsOf(fieldsOf(app.store.get('engine/devices'))[name])
    const isUp = state === 'up'
    const isKnown = app.link.isOpen
    card.classList.toggle('is-away', state !== undefined && !isUp)
    pill.classList.toggle('is-up', isUp && isKnown)
    const word = isUp ? words.t('online') : words.word(String(state))
    setText(pill, state === undefined ? '' : isKnown ? word : words.t('last known'))
    const seen =
      typeof lastSeen === 'number'
        ? words.t('last heard {0}', words.time(lastSeen))
        : words.t('never heard so far')
    setText(
      away,
      state === undefined || isUp ? '' : `${words.t('{0} is away: {1}', name, String(cause))} (${seen})`,
    )
  }
  app.show('engine/devices', tell)
  app.show('page/link', tell)
  return box
}

function alarmList(app: App, name: string): HTMLElement {
  const { words } = app
  const list = h('ul', { class: 'alarms' })
  const tell = () => {
    const isBlocked = app.store.get(`${name}/state`) === ALARM
    const value = app.store.get(`${name}/alarms`)
    const names = Array.isArray(value) ? (value as Json[]) : []
    list.classList.toggle('is-blocked', isBlocked)
    const kind = words.t(isBlocked ? 'Alarm' : 'Reminder')
    const items = names.map((it) =>
      h('li', {}, icon('alarm'), h('span', { class: 'off-screen' }, `${kind}: `), textOf(app, it)),
    )
    if (list.textContent !== items.map((it) => it.textContent).join('')) list.replaceChildren(...items)
    list.hidden = names.length === 0
  }
  app.show(`${name}/alarms`, tell)
  app.show(`${name}/state`, tell)
  return list
}

/** It is set as soon as something is chosen, and shows what the device says. */
function settablePoint(app: App, entry: Entry): HTMLElement {
  const { resource } = entry
  const key = resource.join('/')
  const said = saidLine()
  const set = async () => {
    box.setAttribute('aria-busy', 'true')
    const isTaken = await runCommand(app, { method: 'PUT', resource, body: it.read(), said })
    // What was refused is as it was.
    if (!isTaken) it.write(app.store.get(key))
    box.removeAttribute('aria-busy')
  }
  const it = control(app, {
    id: resource.join('-'),
    name: labelOf(app, entry),
    field: entry,
    onChange: () => void set(),
  })
  app.show(key, it.write)
  const box = h('div', { class: 'settable' }, it.element, said)
  return box
}

function detailsOf(app: App, entries: Entry[]): HTMLElement {
  const rows = entries.map((entry) => {
    const value = h('dd', {})
    app.show(entry.resource.join('/'), (it) => setText(value, textOf(app, it, entry)))
    return h('div', {}, h('dt', { title: entry.description }, labelOf(app, entry)), value)
  })
  return h(
    'details',
    { class: 'openable' },
    h('summary', {}, h('span', {}, app.words.t('Details'))),
    h('dl', { class: 'rows' }, ...rows),
  )
}
