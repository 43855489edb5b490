// The way to stop, in reach on every view: it overtakes everything, and is loud when there is something to stop.

import type { App } from './app.ts'
import { runCommand, saidLine } from './devices/command.ts'
import { h, icon } from './dom.ts'

/** Words for "it moves", in `state` of any device. */
const MOVING = new Set([
  'brewing',
  'cleaning',
  'descaling',
  'run',
  'running',
  'jog',
  'home',
  'moving',
  'busy',
])

export function stopBar(app: App): HTMLElement {
  const { words } = app
  const stops = app.things.flatMap(({ actions }) =>
    actions.filter(({ resource, urgent, body }) => urgent && !body && resource.at(-1) === 'stop'),
  )
  if (stops.length === 0) return h('div', {})
  const names = stops.map(({ resource }) => resource[0] as string)
  const text = names.length === 1 ? words.t('Stop {0}', names[0] as string) : words.t('Stop all')
  const saids = stops.map(() => saidLine())
  const press = () => {
    stops.forEach(({ resource }, at) => {
      const whose = names.length > 1 ? `${names[at]}: ` : ''
      void runCommand(app, { method: 'POST', resource, said: saids[at] as HTMLElement, whose })
    })
  }
  const button = h('button', { class: 'stop', onclick: press }, icon('stop'), h('span', {}, text))
  const bar = h('div', { class: 'stop-bar', role: 'region', 'aria-label': text }, ...saids, button)
  const look = () => {
    const isMoving = names.some((name) => MOVING.has(String(app.store.get(`${name}/state`)).toLowerCase()))
    bar.classList.toggle('is-moving', isMoving)
  }
  for (const name of names) app.show(`${name}/state`, look)
  const jump = (event: KeyboardEvent) => {
    if (event.altKey && event.shiftKey && event.code === 'KeyS') button.focus()
  }
  addEventListener('keydown', jump)
  app.atEnd(() => removeEventListener('keydown', jump))
  return bar
}
