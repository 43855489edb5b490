// What a machine is doing and how far it is, as a ring.

import type { App } from '../app.ts'
import { h, setAttribute, setText, svg } from '../dom.ts'
import { textOf } from './reading.ts'

const RADIUS = 54
const AROUND = 2 * Math.PI * RADIUS

/** @param part 0–100, as the key of a resource; without it there is only the word. */
export function ring(app: App, state: string, part: string | undefined): HTMLElement {
  const { words } = app
  const arc = svg('circle', { class: 'arc', cx: 60, cy: 60, r: RADIUS, 'stroke-dasharray': `0 ${AROUND}` })
  const drawing = svg(
    'svg',
    { viewBox: '0 0 120 120', 'aria-hidden': 'true' },
    svg('circle', { class: 'track', cx: 60, cy: 60, r: RADIUS }),
    arc,
  )
  const word = h('strong', {})
  const figure = h('span', {})
  const box = h(
    'div',
    {
      class: 'ring',
      role: 'progressbar',
      'aria-label': words.word('progress'),
      'aria-valuemin': 0,
      'aria-valuemax': 100,
    },
    drawing,
    h('div', { class: 'ring-text' }, word, figure),
  )
  app.show(state, (value) => {
    setText(word, textOf(app, value ?? null))
    box.dataset.state = String(value ?? 'unknown')
    setAttribute(box, 'aria-valuetext', `${word.textContent} ${figure.textContent}`.trim())
  })
  if (!part) return box
  app.show(part, (value) => {
    const percent = typeof value === 'number' ? Math.max(0, Math.min(100, value)) : 0
    arc.setAttribute('stroke-dasharray', `${(percent / 100) * AROUND} ${AROUND}`)
    setAttribute(box, 'aria-valuenow', String(percent))
    setText(figure, percent > 0 ? words.percent(percent / 100) : '')
    setAttribute(box, 'aria-valuetext', `${word.textContent} ${figure.textContent}`.trim())
  })
  return box
}
