// Every dispatch of this page, as it went over the wire; each can be sent again, and any other as well.

import type { Dispatch, Element, Json } from '../core/dispatch.ts'
import { readEndpoint } from '../core/endpoint.ts'
import { Table } from '../core/table.ts'
import { formatUri, parseUri } from '../core/uri.ts'
import type { App } from './app.ts'
import type { Wire } from './client.ts'
import { h, setText } from './dom.ts'

const METHODS = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']
const ROWS = 60
const REST = 500
const LETTERS = 20_000

export function inspectorView(app: App): HTMLElement {
  const line = uriLine(app)
  return h(
    'div',
    {},
    h('p', { class: 'lead' }, app.words.t('Every dispatch of this page, as it goes over the wire')),
    line.element,
    list(app, line.fill),
  )
}

/** `PUT#cafetera/...` as a question to a dispatch. `undefined`: it is no endpoint. */
function filterOf(text: string): ((dispatch: Dispatch) => boolean) | undefined {
  if (text.trim() === '') return () => true
  try {
    const { method = '*', pattern = method, resource } = parseUri(text.trim())
    const table = new Table<true>()
    table.add(readEndpoint({ method: pattern, resource }, 'quirks'), true)
    return ({ method, resource, endpoint }) =>
      table.match(method, resource ?? endpoint?.resource ?? []).length > 0
  } catch {
    return undefined
  }
}

function list(app: App, fill: (dispatch: Dispatch) => void): HTMLElement {
  const { words, recorder } = app
  const filter = h('input', {
    type: 'text',
    id: 'filter',
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-describedby': 'filter-hint',
  })
  const counts = h('p', { class: 'sub' })
  const pause = h('button', { class: 'quiet', 'aria-pressed': 'false' }, words.t('Pause'))
  const rows = h('ol', { class: 'wires', 'aria-label': words.t('Inspector'), reversed: true })
  const detail = h('div', { class: 'detail' })
  let isPaused = false
  let shownSeen = -1
  const show = (isForced = false) => {
    if (!isForced && (isPaused || recorder.seen === shownSeen || document.hidden)) return
    // Who points at a line, or is at it with the keyboard, wants it to stay there.
    if (!isForced && (rows.matches(':hover') || rows.contains(document.activeElement))) return
    shownSeen = recorder.seen
    const matches = filterOf(filter.value)
    filter.setAttribute('aria-invalid', String(!matches))
    const found: [Wire, Dispatch][] = []
    const questions = new Map<string, string>()
    for (const wire of recorder.items.toReversed()) {
      // Of what came in no more is read than is shown.
      if (!wire.isOut && found.length === ROWS) continue
      const dispatch = dispatchOf(wire)
      if (!dispatch) continue
      if (wire.isOut && dispatch.token?.[0]) questions.set(dispatch.token[0], nameOf(dispatch))
      if (found.length < ROWS && matches?.(dispatch)) found.push([wire, dispatch])
    }
    const named = ({ method, resource = [], ...rest }: Dispatch) =>
      method === 'ANSWER'
        ? `${resource[0]} · ${questions.get(String(resource[1])) ?? resource[1]}`
        : nameOf({ method, resource, ...rest })
    rows.replaceChildren(
      ...found.map(([wire, dispatch]) =>
        row(app, { wire, dispatch, name: named(dispatch) }, () => open(wire, dispatch)),
      ),
    )
    const numbers = [found.length, recorder.items.length, recorder.seen].map((it) => words.number(it))
    setText(
      counts,
      found.length > 0 ? words.t('{0} shown, {1} kept, {2} seen', ...numbers) : words.t('Nothing matches.'),
    )
  }
  const open = (wire: Wire, dispatch: Dispatch) => {
    const again =
      METHODS.includes(dispatch.method) &&
      h('button', { class: 'quiet', onclick: () => fill(dispatch) }, words.t('Fill in to send it again'))
    const text = JSON.stringify(JSON.parse(wire.text), undefined, 2).slice(0, LETTERS)
    detail.replaceChildren(h('pre', { tabindex: 0, 'aria-label': summary(dispatch) }, text), again || '')
  }
  filter.addEventListener('input', () => show(true))
  pause.addEventListener('click', () => {
    isPaused = !isPaused
    pause.setAttribute('aria-pressed', String(isPaused))
    setText(pause, words.t(isPaused ? 'Go on' : 'Pause'))
  })
  const clear = () => {
    recorder.clear()
    detail.replaceChildren()
    show(true)
  }
  show(true)
  const timer = setInterval(show, REST)
  app.atEnd(() => clearInterval(timer))
  return h(
    'section',
    { class: 'card inspect' },
    h(
      'div',
      { class: 'toolbar' },
      h(
        'div',
        { class: 'grow' },
        h('label', { for: 'filter' }, words.t('Filter by endpoint')),
        filter,
        h('p', { class: 'hint', id: 'filter-hint' }, words.t('such as PUT#cafetera/... or *#engine/*')),
      ),
      pause,
      h('button', { class: 'quiet', onclick: clear }, words.t('Clear')),
    ),
    counts,
    h('div', { class: 'split even' }, rows, detail),
  )
}

interface Row {
  wire: Wire
  dispatch: Dispatch
  name: string
}

function row({ words }: App, { wire, dispatch, name }: Row, onclick: () => void): HTMLElement {
  const { at, isOut, text } = wire
  const body = dispatch.body === undefined ? '' : JSON.stringify(dispatch.body).slice(0, 200)
  return h(
    'li',
    {},
    h(
      'button',
      { class: isOut ? 'wire out' : 'wire in', onclick },
      h('time', {}, words.time(at)),
      h(
        'span',
        { class: 'way' },
        isOut ? '→' : '←',
        h('span', { class: 'off-screen' }, words.t(isOut ? 'sent' : 'received')),
      ),
      h(
        'span',
        { class: `method m-${dispatch.method.toLowerCase().replace(/[^a-z]/g, '')}` },
        dispatch.method,
      ),
      h('span', { class: 'what' }, name),
      h('span', { class: 'body' }, body),
      h('span', { class: 'size' }, words.bytes(text.length)),
    ),
  )
}

/** Any dispatch, as a command that can be changed before it is sent. */
function uriLine(app: App): { element: HTMLElement; fill(dispatch: Dispatch): void } {
  const { words } = app
  const method = h('select', { id: 'method' }, ...METHODS.map((it) => h('option', {}, it)))
  const uri = h('input', {
    type: 'text',
    id: 'uri',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'cafetera/state',
  })
  const body = h('input', {
    type: 'text',
    id: 'body',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: '{"recipe":"espresso"}',
  })
  const answers = h('div', { class: 'answers', role: 'status', 'aria-label': words.t('Answers') })
  const send = async (event: Event) => {
    event.preventDefault()
    try {
      const read = parseUri(uri.value.trim(), 'ws')
      const text = body.value.trim()
      const written = text === '' ? undefined : (JSON.parse(text) as Json)
      answers.replaceChildren(h('p', { class: 'said pending' }, words.t('sending…')))
      const { status, body: said } = await app.client.ask(
        read.method ?? method.value,
        read.resource,
        written,
        read.to,
      )
      const shown = said === undefined ? '' : JSON.stringify(said, undefined, 2).slice(0, LETTERS)
      answers.replaceChildren(
        h('p', { class: status < 400 ? 'said good' : 'said bad' }, String(status)),
        h('pre', { tabindex: 0 }, shown),
      )
    } catch (error) {
      answers.replaceChildren(h('p', { class: 'said bad' }, (error as Error).message))
    }
  }
  const field = (id: string, text: string, input: HTMLElement, size = '') =>
    h('div', { class: `field ${size}` }, h('label', { for: id }, words.t(text)), input)
  const element = h(
    'form',
    { class: 'card uri-line', onsubmit: send, 'aria-label': words.t('Send a dispatch') },
    h(
      'div',
      { class: 'toolbar' },
      field('method', 'Method', method),
      field('uri', 'URI', uri, 'grow'),
      field('body', 'Body (JSON)', body, 'grow'),
      h('button', { type: 'submit', class: 'primary' }, words.t('Send')),
    ),
    answers,
  )
  const fill = (dispatch: Dispatch) => {
    method.value = dispatch.method
    uri.value = formatUri({ to: dispatch.to, resource: dispatch.resource as Element[] })
    body.value = dispatch.body === undefined ? '' : JSON.stringify(dispatch.body)
    uri.focus()
  }
  return { element, fill }
}

function nameOf({ resource, endpoint }: Dispatch): string {
  const path = (resource ?? endpoint?.resource ?? []).map(String).join('/')
  return endpoint ? `${endpoint.method}#${path}` : path
}

function summary(dispatch: Dispatch): string {
  return `${dispatch.method} ${nameOf(dispatch)}`
}

/** What was read once is not read again. */
const read = new WeakMap<Wire, Dispatch>()

function dispatchOf(wire: Wire): Dispatch | undefined {
  const known = read.get(wire)
  if (known) return known
  try {
    const dispatch = JSON.parse(wire.text) as Dispatch
    if (typeof dispatch.method !== 'string') return undefined
    read.set(wire, dispatch)
    return dispatch
  } catch {
    return undefined
  }
}
