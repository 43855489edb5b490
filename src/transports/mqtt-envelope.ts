// How a frame travels in an MQTT message: as the same JSON object with one header more, `mqtt`, that says who sends it and where in
// which conversation it belongs. Properties of MQTT 5 are hints; nothing here is read from them.

/** Who listens for what: lower case goes to the side that was asked, upper case comes back from it. */
export type Kind = 'o' | 'A' | 'd' | 'D' | 'k' | 'K' | 'r' | 'R' | 'c' | 'C'

/**
 * What each kind means, and what follows `kind.node.talk`:
 * `o` opens (boot, most bytes) · `A` is open now (key, boot, most bytes) · `d` `D` a dispatch (key, seq, ack, t) ·
 * `k` `K` that was read (key, ack, what is missing) · `r` `R` no such conversation here (key) · `c` `C` over (key).
 */
export interface Envelope {
  kind: Kind
  /** Who sends it: 32 hex digits. Only a claim. */
  node: string
  /** The name of the conversation, made by who opened it. */
  talk: string
  fields: string[]
  /** The dispatch; empty where there is none. */
  frame: string
}

const START = '{"mqtt":"'
const LONGEST = 256
const WORD = /^[0-9A-Za-z-]{1,64}$/
const KINDS = new Set('oAdDkKrRcC')
const NODE = /^[0-9a-f]{32}$/

/** `frame`: a JSON object. */
export function wrap(head: string, frame = ''): string {
  return frame === '' ? `${START}${head}"}` : `${START}${head}",${frame.slice(1)}`
}

/** `undefined`: it is none. */
export function unwrap(text: string): Envelope | undefined {
  if (!text.startsWith(START)) return undefined
  const end = text.indexOf('"', START.length)
  if (end < 0 || end > LONGEST) return undefined
  const [kind = '', node = '', talk = '', ...fields] = text.slice(START.length, end).split('.')
  if (!KINDS.has(kind) || !NODE.test(node) || !WORD.test(talk)) return undefined
  const frame = text.charCodeAt(end + 1) === 0x2c ? `{${text.slice(end + 2)}` : ''
  return { kind: kind as Kind, node, talk, fields, frame }
}

/** A whole number of an envelope; `undefined`: it is none. */
export function numberIn(field: string | undefined): number | undefined {
  return field !== undefined && /^\d{1,15}$/.test(field) ? Number(field) : undefined
}

/** What must be known of a frame to send it on. */
export interface Heading {
  method: string
  /** The first hop, which is whom it is for; the frame goes on without it. */
  name: string | undefined
  frame: string
  /** Its transaction id, if that is all that `token` has: then it is a question. */
  id: string | undefined
  /** Milliseconds. */
  expires: number | undefined
}

/** Up to `to`, as our own codec writes it: the pattern can't begin to match inside a body. */
const LIST = /\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\]/.source
const HEAD = new RegExp(
  String.raw`^\{"protocol":\["JSTP","0\.6"[^\]]*\],"method":"([A-Z]+)",` +
    String.raw`(?:"resource":${LIST}|"endpoint":\{"method":"[^"\\]*","resource":${LIST}\}),` +
    String.raw`"timestamp":[\d.]+(,"to":\["([^"\\]*)"(,|\]))`,
)
const TAIL = /,"token":\["([^"\\]*)"(,"[^"\\]*")?\](?:,"hops":\d+)?(?:,"expires":(\d+))?\}$/
const EXPIRES = /,"expires":(\d+)\}$/
const TAIL_LENGTH = 700

/** Reads a frame that our own codec has written: nearly always without parsing it. */
export function readHeading(frame: string): Heading {
  const head = HEAD.exec(frame)
  if (!head) return parseHeading(frame)
  const [found, method = '', hop = '', name, after] = head
  const tail = frame.slice(-TAIL_LENGTH)
  const token = TAIL.exec(tail)
  if (!token && tail.includes('"token":[')) return parseHeading(frame)
  const start = frame.slice(0, found.length - hop.length)
  const rest = frame.slice(found.length)
  const expires = token ? token[3] : EXPIRES.exec(tail)?.[1]
  return {
    method,
    name,
    frame: after === ']' ? `${start}${rest}` : `${start},"to":[${rest}`,
    id: token && token[2] === undefined ? token[1] : undefined,
    expires: expires === undefined ? undefined : Number(expires),
  }
}

function parseHeading(frame: string): Heading {
  const wire = JSON.parse(frame) as { [header: string]: unknown }
  const key = wire.to === undefined ? 'host' : 'to'
  const [name, ...more] = Array.isArray(wire[key]) ? (wire[key] as unknown[]) : []
  const { [key]: _to, ...without } = wire
  const rest = more.length > 0 ? { ...wire, [key]: more } : without
  const token = Array.isArray(wire.token) ? (wire.token as unknown[]) : []
  return {
    method: String(wire.method),
    name: typeof name === 'string' ? name : undefined,
    frame: JSON.stringify(rest),
    id: token.length === 1 && typeof token[0] === 'string' ? token[0] : undefined,
    expires: typeof wire.expires === 'number' ? wire.expires : undefined,
  }
}

const ANSWER = /^\{"protocol":\["JSTP","0\.6"[^\]]*\],"method":"ANSWER","resource":\[(\d{3}),"([^"\\]*)"/

/** Status and transaction id of an ANSWER; `undefined`: it is something else. */
export function readAnswer(frame: string): { status: number; id: string } | undefined {
  const found = ANSWER.exec(frame)
  if (found) return { status: Number(found[1]), id: found[2] as string }
  if (!frame.includes('ANSWER')) return undefined
  try {
    const { method, resource } = JSON.parse(frame) as { method?: unknown; resource?: unknown }
    if (method !== 'ANSWER' || !Array.isArray(resource)) return undefined
    return { status: Number(resource[0]), id: String(resource[1]) }
  } catch {
    return undefined
  }
}

/** The same frame with less time to live, where it has a limit: `held` ms of it are over. */
export function age(frame: string, held: number): string {
  if (held < 1 || !frame.endsWith('}')) return frame
  const found = EXPIRES.exec(frame.slice(-40))
  if (!found) return frame
  const left = Math.max(0, Number(found[1]) - Math.round(held))
  return `${frame.slice(0, -found[0].length)},"expires":${left}}`
}
