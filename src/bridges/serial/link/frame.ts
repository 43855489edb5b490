// Frames of the serial link (B3): what the control byte says, and how frames are found between zeros. Anything else on
// the line is text for people, or damage.

import { cobsDecode, cobsEncode } from './cobs.ts'
import { crcOf, isWhole } from './crc.ts'

/** `sid` is the session; `next` acknowledges every DATA before that number. Numbers go from 0 to 7 and round. */
export type Frame = { sid: number } & (
  | { type: 'data'; number: number; repeated: boolean; next: number; payload: Uint8Array }
  | { type: 'ack'; next: number; ready: boolean }
  | { type: 'nak'; next: number }
  | { type: 'rst' }
  | ({ type: 'hello' } & Hello)
  | { type: 'error'; code: number }
  | { type: 'event'; seq: number; payload: Uint8Array }
  | { type: 'log'; level: number; text: string }
  | { type: 'ping' | 'pong'; payload: Uint8Array }
  | { type: 'setbaud' | 'setbaud-ok'; speed: number }
  // Of a later version: whole, and to be ignored.
  | { type: 'unknown'; control: number }
)

/** What a microcontroller says of itself. */
export interface Hello {
  version: number
  /** One more at every boot. */
  boot: number
  /** Bytes of its largest frame, control byte and check included. */
  maxFrame: number
  /** How many DATA it takes without having acknowledged them. */
  window: number
  /** Its reset cause register, as it is. */
  cause: number
  name: string
}

/** What isn't payload of a frame: control byte, session and check. */
export const OVERHEAD = 4
/** The most bytes that a frame may have; zeros around it and COBS come on top. */
export const LARGEST = 254

const RST = 0xc0
const HELLO = 0xc1
const ERROR = 0xc2
const EVENT = 0xc8
const LOG = 0xc9
const PING = 0xca
const PONG = 0xcb
const SETBAUD = 0xcc
const SETBAUD_OK = 0xcd
/** Bit 3 of an ACK. */
const NOT_READY = 8
/** Bit 3 of a DATA. */
const REPEATED = 8
/** Bytes between two zeros that are looked at. More is no frame; console text is cut there. */
const PIECE = 512

/** The bytes for the wire, zeros around them. */
export function encodeFrame(frame: Frame): Uint8Array {
  const payload = payloadOf(frame)
  const body = new Uint8Array(payload.length + OVERHEAD)
  body[0] = controlOf(frame)
  body[1] = frame.sid
  body.set(payload, 2)
  const crc = crcOf(body.subarray(0, -2))
  body[body.length - 2] = crc & 0xff
  body[body.length - 1] = crc >> 8
  const coded = cobsEncode(body)
  const wire = new Uint8Array(coded.length + 2)
  wire.set(coded, 1)
  return wire
}

/** The frame between two zeros; `undefined`: it is none, or it is damaged. */
export function decodeFrame(coded: Uint8Array): Frame | undefined {
  const body = cobsDecode(coded)
  if (!body || body.length < OVERHEAD || body.length > LARGEST || !isWhole(body)) return undefined
  const [control = 0, sid = 0] = body
  const payload = body.subarray(2, -2)
  const next = control & 7
  if (control < 0x80) {
    return { sid, type: 'data', number: control >> 4, repeated: (control & REPEATED) !== 0, next, payload }
  }
  if (control < 0x90) return { sid, type: 'ack', next, ready: (control & NOT_READY) === 0 }
  if ((control & 0xf8) === 0xa0) return { sid, type: 'nak', next }
  return decodeOther(control, sid, payload)
}

function decodeOther(control: number, sid: number, payload: Uint8Array): Frame {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const unknown: Frame = { sid, type: 'unknown', control }
  const has = (bytes: number) => payload.length >= bytes
  switch (control) {
    case RST:
      return { sid, type: 'rst' }
    case HELLO:
      return has(6) ? { sid, type: 'hello', ...decodeHello(view) } : unknown
    case ERROR:
      return has(1) ? { sid, type: 'error', code: view.getUint8(0) } : unknown
    case EVENT:
      return has(1) ? { sid, type: 'event', seq: view.getUint8(0), payload: payload.subarray(1) } : unknown
    case LOG:
      return has(1) ? { sid, type: 'log', level: view.getUint8(0), text: textOf(payload, 1) } : unknown
    case PING:
    case PONG:
      return { sid, type: control === PING ? 'ping' : 'pong', payload }
    case SETBAUD:
    case SETBAUD_OK:
      return has(4)
        ? { sid, type: control === SETBAUD ? 'setbaud' : 'setbaud-ok', speed: view.getUint32(0, true) }
        : unknown
    default:
      return unknown
  }
}

function decodeHello(view: DataView): Hello {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  return {
    version: view.getUint8(0),
    boot: view.getUint16(1, true),
    maxFrame: view.getUint8(3),
    window: view.getUint8(4),
    cause: view.getUint8(5),
    name: textOf(bytes, 6),
  }
}

function controlOf(frame: Frame): number {
  switch (frame.type) {
    case 'data':
      return (frame.number << 4) | (frame.repeated ? REPEATED : 0) | frame.next
    case 'ack':
      return 0x80 | (frame.ready ? 0 : NOT_READY) | frame.next
    case 'nak':
      return 0xa0 | frame.next
    case 'rst':
      return RST
    case 'hello':
      return HELLO
    case 'error':
      return ERROR
    case 'event':
      return EVENT
    case 'log':
      return LOG
    case 'ping':
      return PING
    case 'pong':
      return PONG
    case 'setbaud':
      return SETBAUD
    case 'setbaud-ok':
      return SETBAUD_OK
    case 'unknown':
      return frame.control
  }
}

function payloadOf(frame: Frame): Uint8Array {
  switch (frame.type) {
    case 'data':
    case 'ping':
    case 'pong':
      return frame.payload
    case 'event':
      return Uint8Array.of(frame.seq, ...frame.payload)
    case 'error':
      return Uint8Array.of(frame.code)
    case 'log':
      return Uint8Array.of(frame.level, ...new TextEncoder().encode(frame.text))
    case 'setbaud':
    case 'setbaud-ok':
      return Uint8Array.from([0, 8, 16, 24], (shift) => (frame.speed >>> shift) & 0xff)
    case 'hello': {
      const { version, boot, maxFrame, window, cause, name } = frame
      const text = new TextEncoder().encode(name)
      return Uint8Array.of(version, boot & 0xff, boot >> 8, maxFrame, window, cause, ...text)
    }
    default:
      return new Uint8Array()
  }
}

function textOf(bytes: Uint8Array, from: number): string {
  return new TextDecoder().decode(bytes.subarray(from))
}

/** What a splitter finds between zeros. */
export interface Pieces {
  frame(frame: Frame): void
  /** What programs print before they speak frames. */
  console(text: string): void
  damaged(): void
}

/** Finds frames in bytes, however they are cut. */
export class Splitter {
  #pieces: Pieces
  #held = new Uint8Array(PIECE)
  #length = 0
  #isTooLong = false

  constructor(pieces: Pieces) {
    this.#pieces = pieces
  }

  take(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 0) this.#end()
      else if (this.#length < PIECE) this.#held[this.#length++] = byte
      else this.#tooLong(byte)
    }
  }

  /** What was held belongs to another speed or another connection. */
  reset(): void {
    this.#length = 0
    this.#isTooLong = false
  }

  #end(): void {
    const piece = this.#held.slice(0, this.#length)
    const isTooLong = this.#isTooLong
    this.reset()
    if (piece.length === 0) return
    const frame = isTooLong ? undefined : decodeFrame(piece)
    if (frame) this.#pieces.frame(frame)
    else if (isText(piece)) this.#pieces.console(textOf(piece, 0))
    else this.#pieces.damaged()
  }

  /** Text goes on in the next piece; anything else waits for the next zero. */
  #tooLong(byte: number): void {
    this.#isTooLong = true
    if (!isText(this.#held)) return
    this.#pieces.console(textOf(this.#held, 0))
    this.#held[0] = byte
    this.#length = 1
  }
}

function isText(piece: Uint8Array): boolean {
  return piece.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d)
}
