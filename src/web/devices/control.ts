// What a field of a profile looks like when it can be set: a switch, a slider with its unit and range, a list to choose
// from, a number, or text.

import type { Json } from '../../core/dispatch.ts'
import type { App } from '../app.ts'
import { type Field, isNumeric, typeOf } from '../directory.ts'
import { h, setAttribute, setText } from '../dom.ts'
import { described, textOf } from './reading.ts'

export interface Control {
  element: HTMLElement
  /** `undefined`: nothing was put in. @throws {Error} when it can't be read. */
  read(): Json | undefined
  /** What the device says that it is. */
  write(value: Json | undefined): void
}

export interface ControlOptions {
  id: string
  name: string
  field: Field
  /** It may be left out, and begins so. */
  isOptional?: boolean
  /** Something was chosen. */
  onChange?(): void
  /** Where it begins, if nobody has said anything. */
  start?: Json
}

/** A range with more steps than this is no slider, and one with as few as this, and no unit, is buttons. */
const STEPS = 1000
const FEW = 5

export function control(app: App, options: ControlOptions): Control {
  const { field } = options
  if (field.values) return choice(app, options)
  if (typeOf(field) === 'boolean') return toggle(app, options)
  if (isNumeric(field)) {
    const [min, max] = field.range ?? []
    if (min === undefined || max === undefined || max - min > STEPS || options.isOptional) {
      return entry(app, options, 'number')
    }
    const isFew = typeOf(field) === 'integer' && !field.unit && max - min <= FEW
    return isFew ? buttons(app, options) : slider(app, options)
  }
  if (typeOf(field) === 'any') return loose(app, options)
  return /^(list|object)$/.test(typeOf(field)) ? json(app, options) : entry(app, options, 'text')
}

/** What says nothing of its type looks like what it is at present. */
function loose(app: App, options: ControlOptions): Control {
  const box = h('div', {})
  let kind = ''
  let inner: Control
  const become = (next: string) => {
    if (next === kind) return
    kind = next
    const make = { boolean: toggle, number: (...all: Parameters<typeof toggle>) => entry(...all, 'number') }
    inner = (make[kind as keyof typeof make] ?? json)(app, options)
    box.replaceChildren(inner.element)
  }
  become('unknown')
  return {
    element: box,
    read: () => inner.read(),
    write: (value) => {
      become(typeof value)
      inner.write(value)
    },
  }
}

function toggle(app: App, { id, name, field, onChange }: ControlOptions): Control {
  const input = h('input', {
    type: 'checkbox',
    role: 'switch',
    id,
    onchange: onChange,
    ...describedBy(id, field),
  })
  return {
    element: labelled(app, { id, name, field, isInline: true }, input),
    read: () => input.checked,
    write: (value) => {
      input.checked = value === true
    },
  }
}

function slider(app: App, { id, name, field, onChange, start }: ControlOptions): Control {
  const [min, max] = field.range as [number, number]
  const isWhole = typeOf(field) === 'integer'
  const { words } = app
  const output = h('output', { for: id })
  const input = h('input', {
    type: 'range',
    id,
    min,
    max,
    step: isWhole ? 1 : 'any',
    value: typeof start === 'number' ? start : min,
    ...describedBy(id, field),
  })
  const part = (value: number) => ((value - min) / (max - min || 1)) * 100
  let isKnown = start !== undefined
  let isDragged = false
  const show = () => {
    const text = isKnown ? words.amount(input.valueAsNumber, field.unit) : words.t('not known')
    setText(output, text)
    setAttribute(input, 'aria-valuetext', text)
    // What can be below zero is filled from there.
    const [from, to] = [Math.max(min, Math.min(0, max)), input.valueAsNumber].sort((a, b) => a - b).map(part)
    input.style.setProperty('--from', `${from}%`)
    input.style.setProperty('--to', `${to}%`)
  }
  input.addEventListener('input', () => {
    isKnown = isDragged = true
    show()
  })
  input.addEventListener('change', () => {
    isDragged = false
    onChange?.()
  })
  show()
  const ends = h(
    'span',
    { class: 'ends', 'aria-hidden': 'true' },
    h('span', {}, words.number(min)),
    h('span', {}, words.amount(max, field.unit)),
  )
  return {
    element: labelled(app, { id, name, field, output }, input, ends),
    read: () => input.valueAsNumber,
    write: (value) => {
      // Whoever is moving it is not disturbed.
      if (isDragged) return
      isKnown = typeof value === 'number'
      if (typeof value === 'number') input.value = String(value)
      show()
    },
  }
}

/** A few whole numbers, one beside the other: unlike a slider they can show that none is known. */
function buttons(app: App, { id, name, field, onChange, start }: ControlOptions): Control {
  const { words } = app
  const [min, max] = field.range as [number, number]
  const inputs = Array.from({ length: max - min + 1 }, (_, at) =>
    h('input', { type: 'radio', name: id, value: min + at, checked: start === min + at, onchange: onChange }),
  )
  const group = h(
    'div',
    { class: 'segments', role: 'radiogroup', 'aria-labelledby': `${id}-name`, ...describedBy(id, field) },
    ...inputs.map((input) => h('label', {}, input, h('span', {}, words.number(Number(input.value))))),
  )
  return {
    element: h(
      'div',
      { class: 'control' },
      h('div', { class: 'control-head' }, h('span', { id: `${id}-name` }, words.word(name))),
      group,
      hint(app, id, field),
    ),
    read: () => {
      const chosen = inputs.find(({ checked }) => checked)
      return chosen && Number(chosen.value)
    },
    write: (value) => {
      for (const input of inputs) input.checked = Number(input.value) === value
    },
  }
}

function choice(app: App, { id, name, field, onChange, isOptional }: ControlOptions): Control {
  const { values = [] } = field
  const { words } = app
  const select = h(
    'select',
    { id, onchange: onChange, ...describedBy(id, field) },
    h('option', { value: '' }, isOptional ? words.t('as it is') : '–'),
    ...values.map((value, at) => h('option', { value: at }, textOf(app, value, field))),
  )
  return {
    element: labelled(app, { id, name, field }, select),
    read: () => (select.value === '' ? undefined : values[Number(select.value)]),
    write: (value) => {
      const at = values.indexOf(value as string)
      select.value = at < 0 ? '' : String(at)
    },
  }
}

function entry(app: App, { id, name, field, onChange, isOptional }: ControlOptions, type: string): Control {
  const isNumber = type === 'number'
  const [min, max] = field.range ?? []
  const { words } = app
  const input = h('input', {
    type,
    id,
    min,
    max,
    step: isNumber ? (typeOf(field) === 'integer' ? 1 : 'any') : undefined,
    pattern: field.pattern,
    required: !isOptional && field.required,
    placeholder: isOptional ? words.t('as it is') : undefined,
    onchange: onChange,
    autocomplete: 'off',
    ...describedBy(id, field),
  })
  const unit = [field.unit, field.range?.map((it) => words.number(it)).join('–')].filter(Boolean).join(' · ')
  return {
    element: labelled(app, { id, name, field, unit }, input),
    read: () => (input.value === '' ? undefined : isNumber ? input.valueAsNumber : input.value),
    write: (value) => {
      if (document.activeElement !== input)
        input.value = value === null || value === undefined ? '' : String(value)
    },
  }
}

function json(app: App, { id, name, field, onChange }: ControlOptions): Control {
  const input = h('textarea', {
    id,
    rows: 3,
    spellcheck: 'false',
    onchange: onChange,
    ...describedBy(id, field),
  })
  return {
    element: labelled(app, { id, name, field, unit: 'JSON' }, input),
    read: () => (input.value.trim() === '' ? undefined : (JSON.parse(input.value) as Json)),
    write: (value) => {
      if (document.activeElement !== input) input.value = value === undefined ? '' : JSON.stringify(value)
    },
  }
}

interface Label {
  id: string
  name: string
  field: Field
  output?: HTMLElement
  unit?: string
  isInline?: boolean
}

function labelled(
  app: App,
  { id, name, field, output, unit, isInline }: Label,
  ...parts: HTMLElement[]
): HTMLElement {
  const label = h('label', { for: id }, app.words.word(name))
  const note = output ?? (unit ? h('span', { class: 'unit' }, unit) : undefined)
  return h(
    'div',
    { class: isInline ? 'control inline' : 'control' },
    h('div', { class: 'control-head' }, label, note),
    ...parts,
    hint(app, id, field),
  )
}

function hint(app: App, id: string, { description }: Field): HTMLElement {
  const line = described(app, description)
  line.id = `${id}-hint`
  return line
}

function describedBy(id: string, { description }: Field): { 'aria-describedby'?: string } {
  return description ? { 'aria-describedby': `${id}-hint` } : {}
}
