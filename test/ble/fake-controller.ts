// A controller with devices behind it, in memory: answers every HCI command at once, and ATT requests as told. btvirt 5.66
// carries one connection per host only, so several at a time are tried with this one behind a socket.

import { createServer } from 'node:net'
import type { HciPort } from '../../src/bridges/ble/port.ts'

/** The bytes of a hex string, spaces ignored. */
export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}

const ANSWERS = new Map([
  [0x0c6c, '00 01 00'], // LE supported by the host
  [0x1001, '00 09 0000 09 0f00 0000'], // local version: 5.0
  [0x1009, '00 010203040506'], // own address
  [0x2002, '00 1b00 08'], // LE buffers: 8 of 27 bytes
])
const CREATE_CONNECTION = 0x200d
const DISCONNECT = 0x0406

export const ADDRESS = '00:a0:50:12:34:56'
export const KEY = '00a050123456'
export const HANDLE = 0x40

export class FakeController implements HciPort {
  /** Answers an ATT request, or not. */
  att: (request: Buffer) => string | null = answerAtt
  /** Commands not answered. */
  mute = new Set<number>()
  /** ATT requests and commands that have arrived, as hex. */
  requests: string[] = []
  #give: (packet: Buffer) => void = () => {}
  #gather = new Map<number, Buffer>()

  onPacket(give: (packet: Buffer) => void): void {
    this.#give = give
  }

  write(packet: Uint8Array): void {
    const bytes = Buffer.from(packet)
    if (bytes[0] === 2) return this.#acl(bytes)
    const opcode = bytes.readUInt16LE(1)
    if (this.mute.has(opcode)) return
    const status = (code: string) => this.event('0f', `${code} 01 ${le(opcode)}`)
    if (opcode === CREATE_CONNECTION) {
      status('00')
      const number = (bytes[10] ?? 0) - 0x56
      this.event('3e', `01 00 ${le(HANDLE + number)} 00 00 ${reversed(number)} 2800 0000 9001 00`)
    } else if (opcode === DISCONNECT) {
      status('00')
      this.disconnect(0x16, bytes.readUInt16LE(4) - HANDLE)
    } else this.event('0e', `01 ${le(opcode)} ${ANSWERS.get(opcode) ?? '00'}`)
  }

  close(): void {}

  /** Hands a packet to the host a little later, as a wire would. */
  inject(packet: Buffer): void {
    queueMicrotask(() => this.#give(packet))
  }

  event(code: string, parameters: string): void {
    const body = hex(parameters)
    this.inject(Buffer.concat([hex(`04${code}`), Buffer.of(body.length), body]))
  }

  /** An ATT packet from a device. */
  tell(att: string, number = 0): void {
    const body = hex(att)
    const head = Buffer.alloc(9)
    head[0] = 2
    head.writeUInt16LE((HANDLE + number) | 0x2000, 1)
    head.writeUInt16LE(body.length + 4, 3)
    head.writeUInt16LE(body.length, 5)
    head[7] = 4
    this.inject(Buffer.concat([head, body]))
  }

  disconnect(reason: number, number = 0): void {
    this.event('05', `00 ${le(HANDLE + number)} ${reason.toString(16).padStart(2, '0')}`)
  }

  /** A device is heard: connectable, with a scan response. */
  advertise(number = 0): void {
    for (const type of ['00', '04']) this.event('3e', `02 01 ${type} 00 ${reversed(number)} 00 c8`)
  }

  /** Puts it behind a unix socket, for one host. */
  serve(path: string): Promise<() => void> {
    const server = createServer((host) => {
      this.onPacket((packet) => host.write(packet))
      host.on('data', (bytes) => {
        for (let at = 0; at < bytes.length; ) {
          const length = bytes[at] === 1 ? 4 + (bytes[at + 3] ?? 0) : 5 + bytes.readUInt16LE(at + 3)
          this.write(bytes.subarray(at, at + length))
          at += length
        }
      })
      host.on('error', () => {})
    })
    return new Promise((ready) => server.listen(path, () => ready(() => server.close())))
  }

  #acl(bytes: Buffer): void {
    const number = (bytes.readUInt16LE(1) & 0x0fff) - HANDLE
    this.event('13', `01 ${le(HANDLE + number)} 0100`)
    const isStart = ((bytes[2] ?? 0) & 0x30) === 0
    const before = isStart ? [] : [this.#gather.get(number) ?? Buffer.alloc(0)]
    const whole = Buffer.concat([...before, bytes.subarray(5)])
    this.#gather.set(number, whole)
    if (whole.length < 4 + whole.readUInt16LE(0)) return
    const request = whole.subarray(4)
    this.requests.push(request.toString('hex'))
    const answer = this.att(request)
    if (answer) this.tell(answer, number)
    if (answer === '13' && request[1] === 3)
      this.tell(`1b 0300 ${request.subarray(3).toString('hex')}`, number)
  }
}

/** A well-behaved device that echoes: service 180f with characteristic 2a19 (write, notify) at handle 3, its CCCD at 4. */
export function answerAtt(request: Buffer): string | null {
  const opcode = request[0] ?? 0
  const from = request.length >= 3 ? request.readUInt16LE(1) : 0
  const not = `01 ${opcode.toString(16).padStart(2, '0')} ${le(from)} 0a`
  if (opcode === 0x02) return '03 1700'
  if (opcode === 0x10) return from > 1 ? not : '11 06 0100 0500 0f18'
  if (opcode === 0x08 && request.readUInt16LE(5) === 0x2803) return from > 3 ? not : '09 07 0200 18 0300 192a'
  if (opcode === 0x08) return '09 04 0400 0000'
  if (opcode === 0x12) return '13'
  if (opcode === 0x16) return `17 ${request.subarray(1).toString('hex')}`
  if (opcode === 0x18) return '19'
  if (opcode === 0x0a) return '0b 64'
  return null
}

/** The address of a device as it goes over the wire: `ADDRESS`, and those after it. */
function reversed(number: number): string {
  return `${(0x56 + number).toString(16)}3412 50a000`
}

function le(value: number): string {
  return Buffer.of(value & 0xff, value >> 8).toString('hex')
}
