// HCI over a unix socket or TCP: H4 framing, one command in flight at a time (the controller's own rule, which noble
// does not keep), and a watchdog on every command.

import { connect, type Socket } from 'node:net'
import type { Cancel } from '../../core/clock.ts'
import type { Env } from '../../core/env.ts'
import { COMMAND, COMMAND_COMPLETE, COMMAND_STATUS, EVENT, H4Splitter, RESET } from './h4.ts'
import { type HciPort, type PortEvents, PortFault } from './port.ts'
import { formatSource, type HciSource } from './source.ts'

const OPEN_MS = 5_000
const COMMAND_MS = 3_000
const MAX_COMMANDS = 64
const MAX_UNSENT_BYTES = 64 * 1024
const HARDWARE_ERROR = 0x10
const RESET_OPCODE = 0x0c03

type StreamSource = Extract<HciSource, { kind: 'unix' | 'tcp' }>

/** Connects to a controller behind a socket. Rejects with a `PortFault`. */
export function openStream(source: StreamSource, events: PortEvents, env: Env): Promise<HciPort> {
  const where = formatSource(source)
  const socket = source.kind === 'unix' ? connect(source.path) : connect(source.port, source.host)
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      cancel()
      socket.destroy()
      reject(
        new PortFault(
          'reopen',
          `No Bluetooth controller at ${where} (${why}): start what serves it, or correct bluetooth.source`,
        ),
      )
    }
    const cancel = env.clock.after(OPEN_MS, () => fail('no connection in time'))
    const refused = (error: NodeJS.ErrnoException) => fail(error.code ?? error.message)
    socket.once('error', refused)
    socket.once('connect', () => {
      cancel()
      socket.off('error', refused)
      resolve(new StreamPort(socket, where, events, env))
    })
  })
}

class StreamPort implements HciPort {
  #socket: Socket
  #where: string
  #events: PortEvents
  #env: Env
  #splitter = new H4Splitter()
  #garbage = 0
  #queue: Uint8Array[] = []
  #asked: { opcode: number; cancel: Cancel } | undefined
  #resetting: { resolve: () => void; reject: (error: Error) => void } | undefined
  #open = true

  constructor(socket: Socket, where: string, events: PortEvents, env: Env) {
    this.#socket = socket
    this.#where = where
    this.#events = events
    this.#env = env
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', ({ message }) => this.#gone(` (${message})`))
    socket.on('close', () => this.#gone(''))
  }

  write(packet: Uint8Array): void {
    if (!this.#open) return
    if (packet[0] !== COMMAND) return this.#send(packet)
    if (this.#queue.length >= MAX_COMMANDS) {
      this.#fault('reset', `${MAX_COMMANDS} commands wait for the Bluetooth controller at ${this.#where}`)
      return
    }
    this.#queue.push(packet)
    this.#next()
  }

  reset(): Promise<void> {
    this.#forget()
    this.#splitter.hunt()
    return new Promise((resolve, reject) => {
      this.#resetting = { resolve, reject }
      this.#send(RESET)
    })
  }

  close(): void {
    this.#open = false
    this.#resetting?.reject(new PortFault('reopen', 'The Bluetooth source was closed'))
    this.#forget()
    this.#socket.destroy()
  }

  #take(chunk: Uint8Array): void {
    for (const packet of this.#splitter.push(chunk)) {
      if (!this.#open) return
      if (packet[0] === EVENT) this.#answer(packet)
      this.#events.packet(packet)
    }
    const garbage = this.#splitter.garbage - this.#garbage
    this.#garbage += garbage
    if (garbage) this.#env.meters.count('ble.garbage', garbage)
    if (garbage && this.#splitter.lost) {
      this.#fault(
        'reset',
        `Bytes from the Bluetooth controller at ${this.#where} make no sense: check cable and speed`,
      )
    }
  }

  #answer(packet: Buffer): void {
    const code = packet[1]
    if (code === HARDWARE_ERROR) {
      this.#fault(
        'reset',
        `The Bluetooth controller at ${this.#where} reports a hardware fault (${packet[3]})`,
      )
    }
    const complete = code === COMMAND_COMPLETE && packet.length >= 6
    if (!complete && !(code === COMMAND_STATUS && packet.length >= 7)) return
    const opcode = packet.readUInt16LE(complete ? 4 : 5)
    if (opcode === RESET_OPCODE && this.#resetting) {
      const { resolve, reject } = this.#resetting
      this.#resetting = undefined
      if (packet[6])
        reject(new PortFault('reopen', `The Bluetooth controller refused a reset (${packet[6]})`))
      else resolve()
    }
    if (opcode !== this.#asked?.opcode) return
    this.#asked.cancel()
    this.#asked = undefined
    this.#next()
  }

  #next(): void {
    const packet = this.#asked ? undefined : this.#queue.shift()
    if (!packet) return
    const opcode = (packet[1] ?? 0) | ((packet[2] ?? 0) << 8)
    const cancel = this.#env.clock.after(COMMAND_MS, () =>
      this.#fault(
        'reset',
        `The Bluetooth controller at ${this.#where} does not answer command 0x${opcode.toString(16)}`,
      ),
    )
    this.#asked = { opcode, cancel }
    this.#send(packet)
  }

  #send(packet: Uint8Array): void {
    this.#socket.write(packet)
    if (this.#socket.writableLength > MAX_UNSENT_BYTES) {
      this.#fault('reopen', `The Bluetooth controller at ${this.#where} takes no bytes`)
    }
  }

  #gone(why: string): void {
    this.#fault(
      'reopen',
      `The Bluetooth controller at ${this.#where} is gone${why}: plug it in or start it again`,
    )
  }

  #fault(rung: PortFault['rung'], message: string): void {
    if (!this.#open) return
    const fault = new PortFault(rung, message)
    this.#resetting?.reject(fault)
    this.#forget()
    if (rung === 'reopen') this.close()
    this.#events.fault(fault)
  }

  #forget(): void {
    this.#asked?.cancel()
    this.#asked = undefined
    this.#queue.length = 0
    this.#resetting = undefined
  }
}
