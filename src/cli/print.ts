// What comes back, one line each: for people, or as JSON for programs.

import type { Dispatch, Element, Json } from '../core/dispatch.ts'
import type { Answer } from '../core/stream.ts'
import { formatUri } from '../core/uri.ts'

export interface Style {
  json: boolean
  color: boolean
}

const GREEN = 32
const RED = 31
const CYAN = 36

/**
 * `200 {"online":true}` or `{"status":200,"body":…,"from":…,"resource":…}`
 * @param author did:key of who has protected it
 */
export function answerLine(
  { status, body, dispatch }: Answer,
  resource: Element[],
  style: Style,
  author?: string,
): string {
  if (style.json)
    return harmless({ status, body: body ?? null, from: dispatch.from ?? null, resource, author })
  const number = paint(String(status), status < 400 ? GREEN : RED, style)
  return body === undefined ? number : `${number} ${harmless(body)}`
}

/** `PUT cafetera/state "ready"` or `{"method":"PUT","body":…,"from":…,"resource":…}` */
export function reportLine(
  { method, resource, endpoint, body, from, timestamp }: Dispatch,
  style: Style,
  author?: string,
): string {
  if (style.json)
    return harmless({ method, body: body ?? null, from: from ?? null, resource, endpoint, timestamp, author })
  const path = formatUri({ resource: resource ?? endpoint?.resource ?? [] }).replace(/^jstp:/, '')
  const head = `${method} ${paint(path, CYAN, style)}`
  return body === undefined ? head : `${head} ${harmless(body)}`
}

/** How lines are to look on standard output. */
export function styleOf(json: boolean): Style {
  return { json, color: process.stdout.isTTY === true && !process.env.NO_COLOR }
}

/** What a stranger sent must not steer the terminal: JSON escapes only the lower half of the control characters. */
export function harmless(value: Json | { [key: string]: Json | undefined }): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function paint(text: string, color: number, style: Style): string {
  return style.color ? `\u001b[${color}m${text}\u001b[0m` : text
}
