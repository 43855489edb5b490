// What the engine has to say, as it says it.

import type { App } from './app.ts'
import { h } from './dom.ts'
import type { Record } from './log-book.ts'

const LEVELS = ['debug', 'info', 'warn', 'error']
const ROWS = 200

export function logView(app: App): HTMLElement {
  const { words } = app
  const level = h(
    'select',
    { id: 'level', onchange: () => show() },
    ...LEVELS.map((it) => h('option', { value: it, selected: it === 'info' }, words.word(it))),
  )
  const list = h('ol', { class: 'records' })
  const show = () => {
    const least = LEVELS.indexOf(level.value)
    const shown = app.log.records.filter((it) => LEVELS.indexOf(it.level) >= least).slice(-ROWS)
    if (shown.length === 0)
      return list.replaceChildren(h('li', { class: 'quiet-text' }, words.t('Nothing to report.')))
    list.replaceChildren(...shown.reverse().map((it) => record(app, it)))
  }
  app.show('engine/log', show)
  return h(
    'div',
    {},
    h('p', { class: 'lead' }, words.t('What the engine has to say')),
    h('div', { class: 'toolbar' }, h('label', {}, words.t('From level'), ' ', level)),
    h('section', { class: 'card', 'aria-label': words.t('Log') }, list),
  )
}

function record({ words }: App, { time, level, text, fields }: Record): HTMLElement {
  return h(
    'li',
    { class: `record ${LEVELS.includes(level) ? level : 'info'}` },
    h('time', {}, words.time(time)),
    h('span', { class: 'level' }, words.word(String(level))),
    h('span', { class: 'what', lang: 'en' }, String(text)),
    fields && h('code', {}, JSON.stringify(fields)),
  )
}
