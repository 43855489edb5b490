// What opens: objects that are read when somebody looks, and settings of which only what was changed is sent.

import type { App } from '../app.ts'
import { type Entry, fieldsOf } from '../directory.ts'
import { h, setText } from '../dom.ts'
import { runCommand, saidLine } from './command.ts'
import { type Control, control } from './control.ts'
import { readAll } from './make.ts'
import { described, labelOf, table } from './reading.ts'

export function openable(app: App, entry: Entry): HTMLElement {
  const key = entry.resource.join('/')
  const isForm = entry.methods.includes('PATCH') && entry.fields !== undefined
  const body = isForm ? settingsForm(app, entry) : follow(app, key)
  const box = h(
    'details',
    { class: 'openable' },
    h('summary', {}, h('span', {}, labelOf(app, entry))),
    described(app, entry.description),
    body,
  )
  box.addEventListener('toggle', () => box.open && void app.read(entry.resource))
  return box
}

function follow(app: App, key: string): HTMLElement {
  const box = h('div', {})
  app.show(key, (value) => {
    if (Array.isArray(value) && value.some((it) => typeof it === 'object'))
      box.replaceChildren(...value.slice(0, 50).map((it) => table(app, it)))
    else box.replaceChildren(table(app, value))
  })
  return box
}

function settingsForm(app: App, { resource, fields = {} }: Entry): HTMLElement {
  const { words } = app
  const said = saidLine()
  /** What somebody has changed and not saved: no report may take that away. */
  const touched = new Set<string>()
  const controls = Object.entries(fields).map(([name, field]): [string, Control] => {
    const onChange = () => void touched.add(name)
    return [name, control(app, { id: `${resource.join('-')}-${name}`, name, field, onChange })]
  })
  const button = h('button', { type: 'submit' }, words.t('Save'))
  const submit = async (event: Event) => {
    event.preventDefault()
    const body = readAll(
      app,
      controls.filter(([name]) => touched.has(name)),
      said,
    )
    if (!body) return
    if (Object.keys(body).length === 0) return setText(said, words.t('Nothing has been changed.'))
    const isTaken = await runCommand(app, { method: 'PATCH', resource, body, said, button })
    if (isTaken) touched.clear()
    await app.read(resource)
  }
  app.show(resource.join('/'), (value) => {
    const known = fieldsOf(value)
    for (const [name, { write }] of controls) {
      if (known[name] !== undefined && !touched.has(name)) write(known[name])
    }
  })
  return h(
    'form',
    { class: 'settings', onsubmit: submit },
    h('div', { class: 'amounts' }, ...controls.map(([, { element }]) => element)),
    h('div', { class: 'go' }, button, said),
  )
}
