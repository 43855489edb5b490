// Templates of Home Assistant as data (C2, C9.6): what is common is recognised, all else refused with a reason. Nothing
// is executed: there are no loops, no calls and no names but `value` and `value_json`, and a template is at most 64 parts.

import type { Json } from '../../core/dispatch.ts'
import { at, number, type Payload } from './payload.ts'

const LENGTH = 512
const PARTS = 64
const NEST = 12

type Filter =
  | 'int'
  | 'float'
  | 'round'
  | 'default'
  | 'lower'
  | 'upper'
  | 'trim'
  | 'abs'
  | 'is_defined'
  | 'json'

export type Template =
  | { is: 'text'; value: Json }
  | { is: 'pick'; json: boolean; path: (string | number)[] }
  | { is: 'filter'; filter: Filter; argument?: Json; of: Template }
  | { is: 'math'; sign: string; left: Template; right: Template }
  | { is: 'compare'; sign: string; left: Template; right: Template }
  | { is: 'defined'; not: boolean; of: Template }
  | { is: 'not'; of: Template }
  | { is: 'choice'; when: Template; yes: Template; no?: Template }

/** The template as data. @throws {Error} why it is refused */
export function readTemplate(source: string): Template {
  if (source.length > LENGTH) throw new Error(`a template longer than ${LENGTH} letters`)
  return new Reader(source).whole()
}

/** What a template makes of a payload; `undefined`: the payload says nothing of it. */
export function applyTemplate(template: Template, payload: Payload): Json | undefined {
  switch (template.is) {
    case 'text':
      return template.value
    case 'pick':
      return template.json ? at(payload.json, template.path) : at(payload.text, template.path)
    case 'filter':
      return applyFilter(template, applyTemplate(template.of, payload))
    case 'math':
      return calculate(template, payload)
    case 'compare':
      return compare(template, payload)
    case 'defined':
      return (applyTemplate(template.of, payload) !== undefined) !== template.not
    case 'not':
      return !isTrue(applyTemplate(template.of, payload))
    case 'choice': {
      const chosen = isTrue(applyTemplate(template.when, payload)) ? template.yes : template.no
      return chosen && applyTemplate(chosen, payload)
    }
  }
}

/**
 * A template for commands with one hole for the value: what stands before it and after it.
 * @throws {Error} why it is refused
 */
export function readHole(source: string): { before: string; after: string } {
  const start = source.indexOf('{{')
  const end = source.indexOf('}}', start)
  const [before, after] = [source.slice(0, start), source.slice(end + 2)]
  const hole = /^\s*value\s*(?:\|\s*(?:int|float|string|tojson|to_json)\s*)?$/.test(
    source.slice(start + 2, end),
  )
  if (source.length > LENGTH || start < 0 || end < 0 || !hole || /\{[{%#]/.test(before + after)) {
    throw new Error(
      `the command template ${JSON.stringify(source.slice(0, 80))} is more than text around {{ value }}`,
    )
  }
  return { before, after }
}

function applyFilter(
  { filter, argument }: Template & { is: 'filter' },
  value: Json | undefined,
): Json | undefined {
  if (filter === 'default') return value === undefined || value === null ? argument : value
  if (value === undefined || filter === 'is_defined') return value
  if (filter === 'json') return JSON.stringify(value)
  if (filter === 'lower' || filter === 'upper' || filter === 'trim') {
    const said = typeof value === 'string' ? value : JSON.stringify(value)
    return filter === 'lower' ? said.toLowerCase() : filter === 'upper' ? said.toUpperCase() : said.trim()
  }
  const read = number(typeof value === 'boolean' ? Number(value) : value)
  if (read === undefined) return argument !== undefined && filter !== 'round' ? argument : undefined
  if (filter === 'int') return Math.trunc(read)
  if (filter === 'abs') return Math.abs(read)
  return filter === 'round' ? round(read, number(argument) ?? 0) : read
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(Math.min(Math.max(Math.trunc(digits), 0), 12)))
}

function calculate({ sign, left, right }: Template & { is: 'math' }, payload: Payload): Json | undefined {
  const [a, b] = [number(applyTemplate(left, payload)), number(applyTemplate(right, payload))]
  if (a === undefined || b === undefined) return undefined
  const result = sign === '+' ? a + b : sign === '-' ? a - b : sign === '*' ? a * b : a / b
  // 0.1 + 0.2 must not become a change of 4e-17.
  return Number.isFinite(result) ? Number(result.toPrecision(12)) : undefined
}

function compare({ sign, left, right }: Template & { is: 'compare' }, payload: Payload): Json | undefined {
  const [a, b] = [applyTemplate(left, payload), applyTemplate(right, payload)]
  if (sign === '==') return a === b
  if (sign === '!=') return a !== b
  const [x, y] = [number(a), number(b)]
  if (x === undefined || y === undefined) return undefined
  return sign === '<' ? x < y : sign === '>' ? x > y : sign === '<=' ? x <= y : x >= y
}

function isTrue(value: Json | undefined): boolean {
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== ''
}

const TOKEN =
  /\s*(?:(\{\{-?|-?\}\}|\{%-?|-?%\})|(\d+(?:\.\d+)?)|'([^'\\]*)'|"([^"\\]*)"|([A-Za-z_]\w*)|(==|!=|<=|>=|[<>|.,()[\]+*/-]))/y

type Token = { is: 'mark' | 'word' | 'sign'; text: string } | { is: 'value'; text: string; value: Json }

class Reader {
  #source: string
  #at = 0
  #parts = 0
  #nest = 0

  constructor(source: string) {
    this.#source = source.trim()
  }

  whole(): Template {
    const template = this.#piece()
    if (this.#source.slice(this.#at).trim() !== '') throw this.#refusal('text after it')
    return template
  }

  /** `{{ … }}`, `{% if … %}…{% endif %}`, or text. */
  #piece(): Template {
    this.#skip()
    if (this.#rest().startsWith('{%')) return this.#block()
    if (!this.#rest().startsWith('{{')) return this.#plain()
    this.#next()
    const template = this.#expression()
    this.#mark('}}')
    return template
  }

  #plain(): Template {
    const end = /\{[{%#]/.exec(this.#rest())?.index ?? this.#rest().length
    const value = this.#rest().slice(0, end).trim()
    this.#at += end
    return this.#make({ is: 'text', value })
  }

  #block(): Template {
    this.#mark('{%')
    this.#word('if')
    return this.#branch()
  }

  /** From the condition on. */
  #branch(): Template {
    const when = this.#condition()
    this.#mark('%}')
    const yes = this.#piece()
    this.#mark('{%')
    const { text } = this.#next()
    let no: Template | undefined
    if (text === 'elif')
      return this.#make({ is: 'choice', when, yes, no: this.#deeper(() => this.#branch()) })
    if (text === 'else') {
      this.#mark('%}')
      no = this.#piece()
      this.#mark('{%')
      this.#word('endif')
    } else if (text !== 'endif') throw this.#refusal(`"${text}"`)
    this.#mark('%}')
    return this.#make({ is: 'choice', when, yes, no })
  }

  #expression(): Template {
    return this.#deeper(() => {
      const yes = this.#condition()
      if (!this.#take('if')) return yes
      const when = this.#condition()
      const no = this.#take('else') ? this.#expression() : undefined
      return this.#make({ is: 'choice', when, yes, no })
    })
  }

  #condition(): Template {
    if (this.#take('not')) return this.#make({ is: 'not', of: this.#deeper(() => this.#condition()) })
    const left = this.#sum()
    if (this.#take('is')) {
      const not = this.#take('not')
      this.#word('defined')
      return this.#make({ is: 'defined', not, of: left })
    }
    const sign = this.#peek()?.text ?? ''
    if (!['==', '!=', '<', '>', '<=', '>='].includes(sign)) return left
    this.#next()
    return this.#make({ is: 'compare', sign, left, right: this.#sum() })
  }

  #sum(): Template {
    return this.#chain(['+', '-'], () => this.#chain(['*', '/'], () => this.#filtered()))
  }

  #chain(signs: string[], operand: () => Template): Template {
    let left = operand()
    for (;;) {
      const token = this.#peek()
      if (token?.is !== 'sign' || !signs.includes(token.text)) return left
      this.#next()
      left = this.#make({ is: 'math', sign: token.text, left, right: operand() })
    }
  }

  #filtered(): Template {
    let of = this.#operand()
    while (this.#take('|')) {
      const name = this.#next().text
      const filter = (
        name === 'tojson' || name === 'to_json' ? 'json' : name === 'string' ? 'trim' : name
      ) as Filter
      if (
        !['int', 'float', 'round', 'default', 'lower', 'upper', 'trim', 'abs', 'is_defined', 'json'].includes(
          filter,
        )
      )
        throw this.#refusal(`the filter "${name}"`)
      of = this.#make({ is: 'filter', filter, argument: this.#argument(), of })
    }
    return of
  }

  #argument(): Json | undefined {
    if (!this.#take('(')) return undefined
    if (this.#take(')')) return undefined
    const argument = this.#literal(this.#next())
    if (!this.#take(')')) throw this.#refusal('a second argument')
    return argument
  }

  #operand(): Template {
    const token = this.#next()
    if (token.text === '(') {
      const inner = this.#expression()
      if (!this.#take(')')) throw this.#refusal('a bracket that is not closed')
      return inner
    }
    if (token.is === 'word' && (token.text === 'value' || token.text === 'value_json')) {
      const json = token.text === 'value_json'
      const path = this.#path()
      if (!json && path.length > 0) throw this.#refusal('a part of "value"')
      return this.#make({ is: 'pick', json, path })
    }
    return this.#make({ is: 'text', value: this.#literal(token) })
  }

  #path(): (string | number)[] {
    const path: (string | number)[] = []
    for (;;) {
      if (this.#take('.')) {
        const { is, text } = this.#next()
        if (is !== 'word') throw this.#refusal(`".${text}"`)
        if (this.#peek()?.text !== '(') path.push(text)
        else if (text === 'get') path.push(String(this.#argument() ?? ''))
        else throw this.#refusal(`the call of "${text}"`)
      } else if (this.#take('[')) {
        const step = this.#literal(this.#next())
        if (typeof step !== 'string' && !Number.isInteger(step)) throw this.#refusal('an index')
        path.push(step as string | number)
        if (!this.#take(']')) throw this.#refusal('an index')
      } else return path
    }
  }

  #literal(token: Token): Json {
    if (token.is === 'value') return token.value
    if (token.text === '-') {
      const next = this.#next()
      if (next.is === 'value' && typeof next.value === 'number') return -next.value
    }
    const words: Record<string, Json> = {
      true: true,
      True: true,
      false: false,
      False: false,
      none: null,
      None: null,
    }
    if (!Object.hasOwn(words, token.text)) throw this.#refusal(`"${token.text}"`)
    return words[token.text] as Json
  }

  #make(part: Template): Template {
    if (++this.#parts > PARTS) throw this.#refusal(`more than ${PARTS} parts`)
    return part
  }

  #deeper<T>(read: () => T): T {
    if (++this.#nest > NEST) throw this.#refusal(`more than ${NEST} levels`)
    const result = read()
    this.#nest--
    return result
  }

  #rest(): string {
    return this.#source.slice(this.#at)
  }

  #skip(): void {
    this.#at += /^\s*/.exec(this.#rest())?.[0].length ?? 0
  }

  #peek(): Token | undefined {
    TOKEN.lastIndex = this.#at
    const found = TOKEN.exec(this.#source)
    if (!found) return undefined
    const [text, mark, digits, single, double, word, sign] = found
    if (mark) return { is: 'mark', text: mark.replace('-', '') }
    if (digits) return { is: 'value', text: digits, value: Number(digits) }
    if (word) return { is: 'word', text: word }
    if (sign) return { is: 'sign', text: sign }
    return { is: 'value', text: text.trim(), value: single ?? double ?? '' }
  }

  #next(): Token {
    const token = this.#peek()
    if (!token)
      throw this.#refusal(this.#rest() ? `what begins at "${this.#rest().slice(0, 20)}"` : 'its end')
    this.#at = TOKEN.lastIndex
    return token
  }

  /** Takes a word or sign if it comes next. A string with the same letters doesn't count. */
  #take(text: string): boolean {
    const token = this.#peek()
    if (token?.text !== text || token.is === 'value') return false
    this.#next()
    return true
  }

  #word(text: string): void {
    if (!this.#take(text)) throw this.#refusal(`no "${text}" where one is needed`)
  }

  #mark(text: string): void {
    this.#word(text)
  }

  #refusal(what: string): Error {
    return new Error(
      `the template ${JSON.stringify(this.#source.slice(0, 80))} has ${what}, which is not understood`,
    )
  }
}
