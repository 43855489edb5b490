// How a value looks that can only be read: a number with its unit and its last minutes, a word, a list, a table.

import type { Json } from '../../core/dispatch.ts'
import type { App } from '../app.ts'
import { type Entry, fieldsOf, isNumeric, typeOf } from '../directory.ts'
import { h, setText } from '../dom.ts'
import { spark } from '../spark.ts'

const ITEMS = 100

/** Whether it deserves a place among the first things one sees; the others are under "Details". */
export function isProminent(entry: Entry): boolean {
  if (entry.event) return true
  return (
    (isNumeric(entry) && entry.unit !== undefined) ||
    (typeOf(entry) === 'string' && entry.values !== undefined)
  )
}

/** A tile that follows its resource. */
export function tile(app: App, entry: Entry): HTMLElement {
  const key = entry.resource.join('/')
  const value = h('dd', { class: 'value' })
  const box = h('div', { class: 'tile' }, h('dt', { title: entry.description }, labelOf(app, entry)), value)
  app.show(key, (it) => setText(value, entry.event ? happened(app, it) : textOf(app, it, entry)))
  if (isNumeric(entry)) box.append(spark(app, key, entry.resource, entry.range))
  return box
}

export function labelOf({ words }: App, { resource }: Pick<Entry, 'resource'>): string {
  return resource
    .slice(1)
    .map((part) => words.word(part))
    .join(' · ')
}

/** What the profile says about it. */
export function described({ words }: App, description = ''): HTMLElement {
  const { text, lang } = words.describe(description)
  return h('p', { class: 'hint', lang }, text)
}

/** One value in words. */
export function textOf(
  { words }: Pick<App, 'words'>,
  value: Json | undefined,
  { unit }: Pick<Entry, 'unit'> = {},
): string {
  if (value === undefined || value === null) return words.t('not known')
  if (typeof value === 'number') return words.amount(value, unit)
  if (typeof value === 'boolean') return words.t(value ? 'on' : 'off')
  if (typeof value === 'string') return words.word(value)
  if (!Array.isArray(value)) return oneLine({ words }, value)
  if (value.length === 0) return words.t('none')
  return value
    .slice(0, ITEMS)
    .map((it) => (typeof it === 'object' ? JSON.stringify(it) : textOf({ words }, it)))
    .join(', ')
}

/** The rows of an object, to any depth that people can read. */
export function table(app: App, value: Json | undefined): HTMLElement {
  const rows = Object.entries(fieldsOf(value)).slice(0, ITEMS)
  if (rows.length === 0) return h('p', { class: 'quiet-text' }, textOf(app, value))
  return h(
    'dl',
    { class: 'rows' },
    ...rows.map(([name, item]) =>
      h(
        'div',
        {},
        h('dt', {}, app.words.word(name)),
        h(
          'dd',
          {},
          typeof item === 'object' && item !== null && !Array.isArray(item)
            ? oneLine(app, item)
            : textOf(app, item),
        ),
      ),
    ),
  )
}

function oneLine(app: Pick<App, 'words'>, item: { [name: string]: Json }): string {
  return Object.entries(item)
    .map(
      ([name, it]) =>
        `${app.words.word(name)} ${typeof it === 'object' ? JSON.stringify(it) : textOf(app, it)}`,
    )
    .join(' · ')
}

function happened(app: App, value: Json | undefined): string {
  const { value: what, seq } = fieldsOf(value)
  if (seq === undefined) return app.words.t('not so far')
  return `${textOf(app, what)} · ${app.words.t('{0} times', seq as number)}`
}
