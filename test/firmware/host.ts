// The host's end of the link for tests of the firmware: as simple as LINK.md allows (one DATA out, repeated after a fixed
// time), in the time of whoever runs it, and over a cable that may damage bytes.

import { Encoder } from 'cbor-x'

const cbor = new Encoder({ useRecords: false, variableMapSize: true, useFloat32: 3 })

/** How a cable treats a byte: none, one or two bytes arrive. */
export type Cable = (byte: number) => number[]

export interface Port {
  /** Milliseconds of the port's time. */
  now(): number
  write(bytes: Uint8Array): void
  /** Lets `ms` pass; what arrives meanwhile goes to `receive`. */
  pass(ms: number): void | Promise<void>
}

const kind = {
  ack: 0x80,
  nak: 0xa0,
  reset: 0xc0,
  hello: 0xc1,
  event: 0xc8,
  ping: 0xca,
  pong: 0xcb,
  speed: 0xcc,
  speedOk: 0xcd,
}

export class Host {
  /** Frames that were damaged, repeated, refused by NAK. */
  counts = { damaged: 0, repeated: 0, naks: 0, sessions: 0 }
  events: unknown[] = []
  session = 0
  boot = -1
  name = ''
  #port: Port
  #block: number[] = []
  #frames: Buffer[] = []
  #out = 0
  #in = 0
  #tx: number
  #repeatMs: number

  constructor(port: Port, { repeatMs = 60, firstTx = 1 } = {}) {
    this.#port = port
    this.#repeatMs = repeatMs
    this.#tx = firstTx
  }

  receive(byte: number): void {
    if (byte !== 0) {
      this.#block.push(byte)
      return
    }
    if (this.#block.length === 0) return
    const frame = decode(this.#block)
    this.#block = []
    if (frame) this.#frames.push(frame)
    else this.counts.damaged++
  }

  /** RST every 150 ms until HELLO. */
  async connect(within = 5000): Promise<void> {
    this.session = (this.session % 255) + 1
    this.#out = this.#in = 0
    this.#frames = []
    this.counts.sessions++
    const end = this.#port.now() + within
    while (this.#port.now() < end) {
      this.write(kind.reset)
      const hello = await this.#await(150, (frame) => frame[0] === kind.hello && frame[1] === this.session)
      if (!hello) continue
      this.boot = hello.readUInt16LE(3)
      this.name = hello.subarray(8).toString()
      return
    }
    throw new Error(`no HELLO within ${within} ms`)
  }

  /** Asks, with as many repeats as the link allows; over a new session if it must. Answers [status, body]. */
  async ask(method: number, resource: unknown, ...rest: unknown[]): Promise<[number, unknown]> {
    this.#tx = (this.#tx % 65535) + 1
    const request =
      method === 6 || method === 7
        ? [method, this.#tx, 0, resource, ...rest]
        : [method, this.#tx, resource, ...rest]
    for (let session = 0; session < 5; session++) {
      const answer = await this.#exchange(request)
      if (answer) return [answer[2] as number, answer[3]]
      await this.connect()
    }
    throw new Error('no answer in five sessions')
  }

  /** Sends the first try of a request and does not wait. */
  start(method: number, resource: unknown, ...rest: unknown[]): void {
    this.#tx = (this.#tx % 65535) + 1
    this.write((this.#out << 4) | this.#in, cbor.encode([method, this.#tx, resource, ...rest]))
  }

  async ping(): Promise<boolean> {
    this.write(kind.ping)
    return (await this.#await(100, (frame) => frame[0] === kind.pong)) !== undefined
  }

  async setSpeed(speed: number): Promise<boolean> {
    const wanted = Buffer.alloc(4)
    wanted.writeUInt32LE(speed)
    this.write(kind.speed, wanted)
    return (
      (await this.#await(200, (frame) => frame[0] === kind.speedOk && frame.readUInt32LE(2) === speed)) !==
      undefined
    )
  }

  write(ctrl: number, payload: Uint8Array = Buffer.alloc(0)): void {
    this.#port.write(encode(Buffer.from([ctrl, this.session, ...payload])))
  }

  async #exchange(request: unknown[]): Promise<unknown[] | undefined> {
    const payload = cbor.encode(request)
    let answer: unknown[] | undefined
    let acknowledged = false
    for (let tries = 0; tries <= 8 && !(acknowledged && answer); tries++) {
      if (tries > 0) this.counts.repeated++
      if (!acknowledged) this.write((this.#out << 4) | (tries > 0 ? 8 : 0) | this.#in, payload)
      const end = await this.#await(this.#repeatMs, (frame) => {
        const ctrl = frame[0] ?? 0
        if (ctrl === kind.hello) return true
        const expected = ctrl & 7
        if (ctrl < 0xa8 && !acknowledged && expected === ((this.#out + 1) & 7)) {
          acknowledged = true
          this.#out = expected
        } else if ((ctrl & 0xf8) === kind.nak && !acknowledged) {
          this.counts.naks++
          return true
        }
        if (ctrl < 0x80) {
          if (ctrl >> 4 === this.#in) {
            this.#in = (this.#in + 1) & 7
            const dispatch = cbor.decode(frame.subarray(2)) as unknown[]
            if (dispatch[0] === 8 && dispatch[1] === request[1]) answer = dispatch
          }
          this.write(kind.ack | this.#in)
        }
        return acknowledged && answer !== undefined
      })
      if (end?.[0] === kind.hello) return undefined
    }
    return answer
  }

  /** The first frame of ours that `wanted` accepts within `ms`. Events are collected on the way. */
  async #await(ms: number, wanted: (frame: Buffer) => boolean): Promise<Buffer | undefined> {
    const end = this.#port.now() + ms
    for (;;) {
      for (let frame = this.#frames.shift(); frame; frame = this.#frames.shift()) {
        if (frame[1] !== this.session && frame[0] !== kind.hello) continue
        if (frame[0] === kind.event) this.events.push(cbor.decode(frame.subarray(3)))
        else if (wanted(frame)) return frame
      }
      if (this.#port.now() >= end) return undefined
      await this.#port.pass(0.2)
    }
  }

  /** Lets time pass and collects what comes by itself. */
  async idle(ms: number): Promise<void> {
    await this.#await(ms, () => false)
  }
}

/** A seeded cable: each byte is lost, changed or followed by another one with the total probability p. */
export function noisyCable(p: number, seed: number): Cable {
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return (byte) => {
    if (random() >= p) return [byte]
    const kindOfDamage = Math.floor(random() * 3)
    if (kindOfDamage === 0) return []
    if (kindOfDamage === 1) return [byte ^ (1 << Math.floor(random() * 8))]
    return [byte, Math.floor(random() * 256)]
  }
}

/** CRC-16/X-25. */
export function check(bytes: Uint8Array): number {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >> 1) ^ 0x8408 : crc >> 1
  }
  return ~crc & 0xffff
}

/** A frame with check and delimiters. */
export function encode(frame: Buffer): Buffer {
  const crc = check(frame)
  const out: number[] = [0]
  for (const block of splitAtZeros([...frame, crc & 255, crc >> 8])) out.push(block.length + 1, ...block)
  return Buffer.from([...out, 0])
}

/** The frame without its check, or undefined if it is damaged. */
export function decode(coded: number[]): Buffer | undefined {
  const out: number[] = []
  for (let at = 0; at < coded.length; ) {
    const code = coded[at] ?? 0
    if (at + code > coded.length) return undefined
    out.push(...coded.slice(at + 1, at + code))
    at += code
    if (at < coded.length && code !== 255) out.push(0)
  }
  if (out.length < 4) return undefined
  const frame = Buffer.from(out)
  return check(frame.subarray(0, -2)) === frame.readUInt16LE(frame.length - 2)
    ? frame.subarray(0, -2)
    : undefined
}

function splitAtZeros(bytes: number[]): number[][] {
  const blocks: number[][] = [[]]
  for (const byte of bytes) {
    if (byte === 0) blocks.push([])
    else blocks.at(-1)?.push(byte)
  }
  return blocks
}
