// What the target of an HTTP request says (spec §6, §9.8): path elements are strings, percent-decoded one by one; a query is
// a body, typed where it parses (design §9.16).

import { JstpError, STATUS } from '../core/status.ts'

/** Letters of a target. */
const LONGEST = 8192
const TOO_LONG = 414
const VISIBLE = /^[!"$-~]*$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f\x7f]/

export interface Target {
  resource: string[]
  /** JSON. */
  body: string | undefined
}

/** @throws {JstpError} 400, 414 */
export function readTarget(url: string): Target {
  if (url.length > LONGEST)
    throw new JstpError(TOO_LONG, `a path and query of more than ${LONGEST} letters: put it into a body`)
  if (!url.startsWith('/') || !VISIBLE.test(url))
    throw bad('a path begins with "/"; "#" and what is not plain ASCII are percent-encoded in it')
  const at = url.indexOf('?')
  const path = at < 0 ? url : url.slice(0, at)
  return { resource: path.slice(1).split('/').map(readElement), body: readQuery(url.slice(path.length + 1)) }
}

function readElement(part: string): string {
  if (part === '')
    throw bad('an empty element in the path: write /cafetera/state, without "//" and without "/" at the end')
  if (!part.includes('%')) return part
  const element = decode(part)
  if (CONTROL.test(element)) throw bad(`a control character in "${part.slice(0, 100)}"`)
  return element
}

function readQuery(query: string): string | undefined {
  if (query === '') return undefined
  const values = new Map<string, string[]>()
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const at = pair.indexOf('=')
    const name = decode(plusAsSpace(at < 0 ? pair : pair.slice(0, at)))
    const value = at < 0 ? 'true' : typed(decode(plusAsSpace(pair.slice(at + 1))))
    values.set(name, [...(values.get(name) ?? []), value])
  }
  // Written by hand, so that no name (such as __proto__) means anything.
  const pairs = [...values].map(
    ([name, all]) => `${JSON.stringify(name)}:${all.length > 1 ? `[${all}]` : all}`,
  )
  return `{${pairs}}`
}

/** As JSON. What a number can't hold exactly stays text. */
function typed(text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    const isInexact = Number.isInteger(value) && !Number.isSafeInteger(value)
    return isInexact ? JSON.stringify(text) : text
  } catch {
    return JSON.stringify(text)
  }
}

function plusAsSpace(text: string): string {
  return text.replaceAll('+', ' ')
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw bad(`"${part.slice(0, 100)}" is not percent-encoded UTF-8`)
  }
}

function bad(message: string): JstpError {
  return new JstpError(STATUS.BAD_DISPATCH, message)
}
