// What a broker delivers, read at most once however many properties hang on it, and never deeper or longer than allowed.

import type { Json } from '../../core/dispatch.ts'

/** A message of a broker. `retained`: it is the last known value, not something that happened now (C1). */
export interface Message {
  topic: string
  payload: Uint8Array
  retained: boolean
  qos: 0 | 1 | 2
}

const DEPTH = 20
const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** A payload as bytes, as text and as JSON; `undefined` where it isn't that. */
export class Payload {
  readonly bytes: Uint8Array
  #text: { is: string | undefined } | undefined
  #json: { is: Json | undefined } | undefined

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get text(): string | undefined {
    this.#text ??= { is: readText(this.bytes) }
    return this.#text.is
  }

  get json(): Json | undefined {
    this.#json ??= { is: readJson(this.text) }
    return this.#json.is
  }

  /** The JSON if it is an object, else `undefined`. */
  get object(): Data | undefined {
    return isData(this.json) ? this.json : undefined
  }
}

export type Data = { [key: string]: Json }

export function isData(value: Json | undefined): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What stands at a path; only what the JSON itself holds. */
export function at(value: Json | undefined, path: (string | number)[]): Json | undefined {
  let here = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null) return undefined
    if (Array.isArray(here)) here = here[Number(step)]
    else here = Object.hasOwn(here, step) ? here[step] : undefined
  }
  return here
}

/** The value if it is a string that is not empty and not longer than `max`. */
export function text(value: Json | undefined, max = 256): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= max ? value : undefined
}

export function number(value: Json | undefined): number | undefined {
  const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof read === 'number' && Number.isFinite(read) ? read : undefined
}

/** The strings of a list; one string counts as a list of one. */
export function strings(value: Json | undefined, max = 100): string[] {
  const list = Array.isArray(value) ? value : [value]
  return list.flatMap((one) => text(one as Json) ?? []).slice(0, max)
}

function readText(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes)
  } catch {
    return undefined
  }
}

function readJson(source: string | undefined): Json | undefined {
  if (source === undefined || source === '' || isDeep(source)) return undefined
  try {
    return JSON.parse(source) as Json
  } catch {
    return undefined
  }
}

/** Found by counting brackets outside strings, before anything is parsed. */
function isDeep(source: string): boolean {
  let depth = 0
  let quoted = false
  for (let i = 0; i < source.length; i++) {
    const code = source.charCodeAt(i)
    if (quoted) {
      if (code === 0x5c) i++
      else if (code === 0x22) quoted = false
    } else if (code === 0x22) quoted = true
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > DEPTH) return true
    } else if (code === 0x7d || code === 0x5d) depth--
  }
  return false
}
