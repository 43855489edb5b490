// An action as a form. Where a field can be chosen from a point of the same name in the plural (`recipe` from `recipes`),
// the choices are tiles, and each brings the limits of the other fields.

import type { Element, Json } from '../../core/dispatch.ts'
import type { App } from '../app.ts'
import { type Entry, type Field, fieldsOf, type Thing } from '../directory.ts'
import { h, icon, setText } from '../dom.ts'
import { runCommand, saidLine } from './command.ts'
import { type Control, control } from './control.ts'
import { described } from './reading.ts'

/** One choice: what is an amount in it says `{min, max, value, unit}`. */
type Choice = { [name: string]: Json }

/** Which field of the action is chosen from which point. */
export function choicesOf(
  { points }: Thing,
  { body = {} }: Entry,
): [field: string, point: string] | undefined {
  for (const field of Object.keys(body)) {
    const point = points.find(({ resource }) => resource.length === 2 && resource[1] === `${field}s`)
    if (point) return [field, point.resource.join('/')]
  }
  return undefined
}

/** Tiles, and the form of the one that is chosen. */
export function picker(
  app: App,
  { resource, body = {} }: Entry,
  [field, key]: [string, string],
): HTMLElement {
  const { words } = app
  const group = resource.join('-')
  const tiles = h('div', { class: 'choices', role: 'radiogroup', 'aria-label': words.word(field) })
  const form = h('div', { class: 'amounts' })
  const said = saidLine()
  const button = h('button', { class: 'primary', onclick: () => void press() }, icon('cup'), h('span', {}))
  let controls: [name: string, control: Control][] = []
  let chosen: string | undefined
  let shown = ''
  const press = () => {
    const amounts = Object.fromEntries(controls.map(([name, { read }]) => [name, read() as Json]))
    return runCommand(app, {
      method: 'POST',
      resource,
      body: { [field]: chosen as string, ...amounts },
      said,
      button,
    })
  }
  const choose = (name: string, choice: Choice) => {
    chosen = name
    setText(button.lastElementChild as HTMLElement, words.t('Make {0}', words.word(name)))
    controls = Object.entries(choice).flatMap(([amount, limits]): [string, Control][] => {
      const described = body[amount]
      const { min, max, value, unit } = fieldsOf(limits)
      if (!described || typeof min !== 'number' || typeof max !== 'number') return []
      const range: Field = {
        ...described,
        range: [min, max],
        unit: typeof unit === 'string' ? unit : undefined,
      }
      return [[amount, control(app, { id: `${group}-${amount}`, name: amount, field: range, start: value })]]
    })
    form.replaceChildren(...controls.map(([, { element }]) => element))
  }
  app.show(key, (value) => {
    const text = JSON.stringify(value)
    if (text === shown) return
    shown = text
    const choices = Object.entries(fieldsOf(value)).map(([name, it]): [string, Choice] => [
      name,
      fieldsOf(it),
    ])
    if (choices.length === 0) return
    const first = choices.find(([name]) => name === chosen) ?? (choices[0] as [string, Choice])
    tiles.replaceChildren(
      ...choices.map(([name, it]) =>
        choiceTile(app, { group, name, isChosen: name === first[0], ...it }, () => choose(name, it)),
      ),
    )
    choose(...first)
  })
  return h(
    'section',
    { class: 'make', 'aria-label': words.word(resource.at(-1) as Element) },
    h('h3', {}, words.t('What shall it be?')),
    tiles,
    form,
    h('div', { class: 'go' }, button, said),
  )
}

function choiceTile(
  { words }: App,
  { group, name, isChosen, accessory }: Choice,
  onchange: () => void,
): HTMLElement {
  const needs = typeof accessory === 'string' ? words.t('needs: {0}', words.word(accessory)) : undefined
  return h(
    'label',
    { class: 'choice' },
    h('input', { type: 'radio', name: group, value: name, checked: isChosen, onchange }),
    h('span', {}, words.word(name as string)),
    needs && h('small', {}, needs),
  )
}

/** Any other action: its fields, if it has any, and a button. */
export function actionForm(app: App, { resource, body, description, urgent }: Entry): HTMLElement {
  const { words } = app
  const name = words.word(resource.at(-1) as Element)
  const said = saidLine()
  const fields = Object.entries(body ?? {}).map(([field, it]): [string, Control] => {
    const id = `${resource.join('-')}-${field}`
    return [field, control(app, { id, name: field, field: it, isOptional: !it.required })]
  })
  const button = h(
    'button',
    { type: 'submit', class: urgent ? 'danger' : undefined, title: description },
    name,
  )
  const submit = (event: Event) => {
    event.preventDefault()
    const written = readAll(app, fields, said)
    if (written) void runCommand(app, { method: 'POST', resource, body: body && written, said, button })
  }
  if (fields.length === 0) return h('form', { class: 'action', onsubmit: submit }, button, said)
  return h(
    'form',
    { class: 'action wide', onsubmit: submit, 'aria-label': name },
    h('h3', {}, name),
    described(app, description),
    h('div', { class: 'amounts' }, ...fields.map(([, { element }]) => element)),
    h('div', { class: 'go' }, button, said),
  )
}

/** What was put in; `undefined`: something in it can't be read, and that was told. */
export function readAll(
  app: App,
  fields: [string, Control][],
  said: HTMLElement,
): { [name: string]: Json } | undefined {
  try {
    const all = fields.map(([name, { read }]): [string, Json | undefined] => [name, read()])
    return Object.fromEntries(all.filter((it): it is [string, Json] => it[1] !== undefined))
  } catch (error) {
    said.className = 'said bad'
    setText(said, app.words.t('That is no JSON: {0}', (error as Error).message))
    return undefined
  }
}
