// noble, held at arm's length. Its package entry opens a radio when it is required and throws without one, and its HCI
// layer requires a native module that only the kernel source needs. So the two files that lead there (`bindings` and
// `hci`) are read and run here with a `require` of our own, which answers with our port: nothing global is touched.
// The faults of 1.9.2-26 that can be cut off at this level are cut off here; each says which it is.

import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { compileFunction } from 'node:vm'
import type { Env } from '../../core/env.ts'
import { keyOf } from './advert.ts'
import { ACL } from './h4.ts'
import type { HciPort } from './port.ts'

const BINDINGS = '@abandonware/noble/lib/hci-socket/bindings.js'
const SOCKET = '@abandonware/bluetooth-hci-socket'
const MAX_KNOWN = 512

const ATT = 0x0004
const ATT_ERROR = 0x01
const ATT_MTU_ANSWER = 0x03
const MTU = { least: 23, asked: 256 }
const INVALID_PDU = 0x04
const UNLIKELY = 0x0e
// Answers that are lists of equal parts: the second byte is a part's length, and noble loops for ever on a zero.
const ATT_LISTS = [0x09, 0x11]

/** What an ATT error says: the opcode it answers, and the reason. */
export interface AttRefusal {
  opcode: number
  reason: number
}

/** noble's HCI object, as far as it is used. */
export interface NobleHci extends EventEmitter {
  setScanEnabled(on: boolean, filterDuplicates: boolean): void
  setScanParameters(interval: number, window: number): void
  pollIsDevUp(): void
  setEventMask(): void
  setLeEventMask(): void
  readLocalVersion(): void
  writeLeHostSupported(): void
  readLeHostSupported(): void
  readLeBufferSize(): void
  readBdAddr(): void
  flushAcl(): Promise<void>
  writeAclDataPkt(handle: number, cid: number, data: Buffer): Promise<void>
  _aclQueue: { handle: number }[]
  _aclConnections: Map<number, unknown>
  _handleBuffers: Record<number, { length: number; data: Buffer }>
}

/** noble's bindings: the level at which devices are keys and everything is an event. */
export interface NobleBindings extends EventEmitter {
  init(): void
  connect(key: string, parameters: object): void
  cancelConnect(key: string): void
  disconnect(key: string): void
  discoverServices(key: string, uuids: string[]): void
  discoverCharacteristics(key: string, service: string, uuids: string[]): void
  notify(key: string, service: string, characteristic: string, on: boolean): void
  read(key: string, service: string, characteristic: string): void
  write(key: string, service: string, characteristic: string, data: Buffer, withoutResponse: boolean): void
  onStateChange(state: string): void
  onAclDataPkt(handle: number, cid: number, data: Buffer): void
  onLeConnComplete(status: number, handle?: number, role?: number, type?: string, address?: string): void
  onDisconnComplete(handle: number, reason: number): void
  onSigIntBinded: () => void
  _scanServiceUuids: string[]
  _handles: Record<string, number | string>
  _addresses: Record<string, unknown>
  _addresseTypes: Record<string, unknown>
  _connectable: Record<string, unknown>
  scannable: Record<string, unknown>
  _hci: NobleHci
  _gap: EventEmitter & { _discoveries: Record<string, unknown> }
}

export interface Noble {
  bindings: NobleBindings
  hci: NobleHci
  /** A packet from the controller. Never throws. */
  packet(bytes: Buffer): void
  /** How many devices noble remembers. */
  known(): number
  /** Takes noble off the port. */
  end(): void
}

export interface NobleOptions {
  port: HciPort
  env: Env
  /** Devices that must not be forgotten: those a link uses. */
  pinned(key: string): boolean
  refused(key: string, refusal: AttRefusal): void
}

/** A fresh noble over a port. Throws if the package is not installed. */
export function loadNoble({ port, env, pinned, refused }: NobleOptions): Noble {
  const socket = nobleSocket(port)
  const Bindings = loadBindings(socket)
  const bindings = new Bindings({})
  const hci = bindings._hci
  let ended = false

  // Its own version asks the socket every second, for ever, on a timer nobody can stop. Whether the source is up is the
  // port's business; what remains is to ask the controller who it is.
  hci.pollIsDevUp = () => {
    hci.setEventMask()
    hci.setLeEventMask()
    hci.readLocalVersion()
    hci.writeLeHostSupported()
    hci.readLeHostSupported()
    hci.readLeBufferSize()
    hci.readBdAddr()
  }
  // Its own version prints advice; ours is in the state.
  bindings.onStateChange = (state) => void bindings.emit('stateChange', state)
  bindings._scanServiceUuids = []
  guardWrites(hci, env)
  guardAnswers(bindings, env, refused)
  leaveStrangers(bindings, pinned)
  const known = boundMemory(bindings, pinned)
  initQuietly(bindings)

  return {
    bindings,
    hci,
    packet(bytes) {
      if (ended) return
      try {
        boundFragments(hci, bytes)
        socket.emit('data', bytes)
      } catch (error) {
        // Its parsers read past the end of short packets. What waited for this one runs into its deadline.
        env.meters.count('ble.malformed')
        env.log.debug(`A Bluetooth packet made no sense: ${error}`, { packet: bytes.toString('hex') })
      }
    },
    known: () => known.size,
    end() {
      ended = true
      socket.removeAllListeners()
      bindings.removeAllListeners()
      hci.removeAllListeners()
    },
  }
}

/** The class noble takes for the native socket. */
function nobleSocket(port: HciPort): EventEmitter {
  return Object.assign(new EventEmitter(), {
    bindRaw() {},
    start() {},
    setFilter() {},
    isDevUp: () => true,
    write: (packet: Buffer) => port.write(packet),
  })
}

function loadBindings(socket: EventEmitter): new (options: object) => NobleBindings {
  const main = createRequire(import.meta.url)
  function Socket() {
    return socket
  }
  const run = (file: string, answers: Record<string, unknown>): unknown => {
    const require = createRequire(file)
    const module = { exports: {} as unknown }
    const body = compileFunction(readFileSync(file, 'utf8'), ['module', 'exports', 'require'], {
      filename: file,
    })
    body(module, module.exports, (id: string) => (id in answers ? answers[id] : require(id)))
    return module.exports
  }
  const file = main.resolve(BINDINGS)
  const Hci = run(createRequire(file).resolve('./hci'), { [SOCKET]: Socket })
  return run(file, { './hci': Hci }) as new (
    options: object,
  ) => NobleBindings
}

/** It adds listeners to the process for every adapter and never takes them off; the one for SIGINT exits under us. */
function initQuietly(bindings: NobleBindings): void {
  const before = process.listeners('exit')
  bindings.init()
  process.off('SIGINT', bindings.onSigIntBinded)
  for (const listener of process.listeners('exit')) {
    if (!before.includes(listener)) process.off('exit', listener)
  }
}

/** Data for a connection that has just ended makes its writer reject where nobody listens, which ends the process. */
function guardWrites(hci: NobleHci, env: Env): void {
  const flush = hci.flushAcl.bind(hci)
  hci.flushAcl = () => {
    hci._aclQueue = hci._aclQueue.filter(({ handle }) => hci._aclConnections.has(handle))
    return flush().catch(() => env.meters.count('ble.unsent'))
  }
}

/** Looks at every ATT packet before noble does: it swallows refusals, and some answers stop it for good. */
function guardAnswers(bindings: NobleBindings, env: Env, refused: NobleOptions['refused']): void {
  const take = bindings.onAclDataPkt.bind(bindings)
  bindings.onAclDataPkt = (handle, cid, data) => {
    if (cid !== ATT) return take(handle, cid, data)
    const code = data[0] ?? 0
    if (!data.length || (ATT_LISTS.includes(code) && !data[1])) {
      env.meters.count('ble.malformed')
      return
    }
    // It believes any MTU: below 6 a long write never ends, above what it asked for the device drops the rest.
    if (code === ATT_MTU_ANSWER && data.length >= 3) {
      const mtu = Math.min(Math.max(data.readUInt16LE(1), MTU.least), MTU.asked)
      return take(handle, cid, Buffer.from([code, mtu & 0xff, mtu >> 8]))
    }
    if (code !== ATT_ERROR || data.length < 5) return take(handle, cid, data)
    const refusal = { opcode: data[1] ?? 0, reason: data[4] ?? 0 }
    refused(String(bindings._handles[handle]), refusal)
    // After "invalid PDU" it never sends another request; any other reason lets it go on.
    take(handle, cid, refusal.reason === INVALID_PDU ? Buffer.from([...data.subarray(0, 4), UNLIKELY]) : data)
  }
}

/** On a kernel adapter it hears of everybody's connections, and would begin to speak on them. */
function leaveStrangers(bindings: NobleBindings, pinned: (key: string) => boolean): void {
  const connected = bindings.onLeConnComplete.bind(bindings)
  const disconnected = bindings.onDisconnComplete.bind(bindings)
  bindings.onLeConnComplete = (status, ...rest) => {
    if (status || pinned(keyOf(rest[3] ?? ''))) connected(status, ...rest)
  }
  bindings.onDisconnComplete = (handle, reason) => {
    if (bindings._handles[handle] !== undefined) disconnected(handle, reason)
  }
}

/** Fragments of a packet that never ends would be kept for ever, also past the end of their connection. */
function boundFragments(hci: NobleHci, bytes: Buffer): void {
  if (bytes[0] !== ACL || bytes.length < 5) return
  const handle = bytes.readUInt16LE(1) & 0x0fff
  const held = hci._handleBuffers[handle]
  if (held && (held.data.length + bytes.length - 5 > held.length || !hci._aclConnections.has(handle))) {
    delete hci._handleBuffers[handle]
  }
}

/** It remembers every address it ever heard, in five tables. Here the ones heard longest ago are forgotten. */
function boundMemory(bindings: NobleBindings, pinned: (key: string) => boolean): Map<string, string> {
  const heard = new Map<string, string>()
  const note = (_status: number, _type: number, address: string) => {
    const key = keyOf(address)
    heard.delete(key)
    heard.set(key, address)
    for (const [old, oldAddress] of heard) {
      if (heard.size <= MAX_KNOWN) break
      if (pinned(old)) continue
      heard.delete(old)
      delete bindings._gap._discoveries[oldAddress]
      for (const table of [
        bindings._addresses,
        bindings._addresseTypes,
        bindings._connectable,
        bindings.scannable,
      ]) {
        delete table[old]
      }
    }
  }
  bindings._hci.on('leAdvertisingReport', note)
  bindings._hci.on('leExtendedAdvertisingReport', note)
  return heard
}
