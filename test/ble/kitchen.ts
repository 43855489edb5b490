// A kitchen for the suites of `/cafetera`: the built program as a process, the De'Longhi simulator behind a real bleno,
// and another engine that asks over TCP. Nothing here looks inside the program.

import { Engine as Asker, type Dispatch, type Json } from '../../src/index.ts'
import { Engine } from '../suites/rig.ts'
import { type Air, type Device, startDevice } from './lab.ts'

export const CAFETERA = { profile: 'delonghi-ecam' }

/** An answer, and how long it took. */
export interface Told {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of any shape
  body: any
  ms: number
}

/** A machine of its own process. Off, unless it is `warm`. */
export async function startMachine(air: Air, { speed = 1, warm = true } = {}): Promise<Device> {
  const machine = await startDevice(air, {
    name: 'ecam',
    simulator: 'devices/delonghi-ecam/simulator.ts',
    settings: { speed },
  })
  if (warm) await machine.ask('warm')
  return machine
}

/** Drinks that the machine has started so far. */
export async function drinks(machine: Device): Promise<number> {
  return (await machine.ask<unknown[]>('drinks')).length
}

/** Whether a frame, as hex, tells the machine to make a drink. */
export function isBrew(frame: string): boolean {
  return /^0d..83f0..01/.test(frame)
}

/** The frame in an ATT write (`toMachine`) or notification of an HCI packet, as hex; '' for all other packets. */
export function frameIn(packet: Buffer): string {
  const isAtt = packet[0] === 2 && packet.readUInt16LE(7) === 4
  return isAtt && (packet[9] === 0x12 || packet[9] === 0x1b) ? packet.subarray(12).toString('hex') : ''
}

/** Whether an HCI packet is the device's confirmation of a write. */
export function isConfirmation(packet: Buffer): boolean {
  return packet[0] === 2 && packet.readUInt16LE(7) === 4 && packet[9] === 0x13
}

/** Waits until `look` gives something truthy. */
export async function eventually<T>(what: string, look: () => Promise<T>, ms = 20_000): Promise<T> {
  for (const end = Date.now() + ms; ; await new Promise((go) => setTimeout(go, 50))) {
    const found = await look()
    if (found) return found
    if (Date.now() > end) throw new Error(`waited ${ms} ms for: ${what}`)
  }
}

const kitchens = new Set<Kitchen>()

/** For `after.each`: a failed test must not hold the machine. */
export async function closeKitchens(): Promise<void> {
  await Promise.all([...kitchens].map((kitchen) => kitchen.close()))
}

export class Kitchen {
  readonly engine: Engine
  readonly at: string
  #asker: Asker

  private constructor(engine: Engine, at: string) {
    this.engine = engine
    this.at = at
    this.#asker = new Asker({ name: 'app', answerTimeout: 20_000 })
    kitchens.add(this)
  }

  /** Starts the program on the controller at `path`; resolves when it can be asked. */
  static async open(
    path: string,
    { devices = { cafetera: CAFETERA } as object, answerTimeout = '10s' } = {},
  ): Promise<Kitchen> {
    const listen = { tcp: '127.0.0.1:0', http: false }
    const engine = new Engine({ listen, bluetooth: { source: `unix:${path}` }, devices, answerTimeout })
    await engine.runs()
    return new Kitchen(engine, await engine.at())
  }

  async ask(
    method: string,
    resource: string,
    body?: Json,
    { transaction, asker = this.#asker }: { transaction?: string; asker?: Asker } = {},
  ): Promise<Told> {
    const start = performance.now()
    const answer = await asker.ask(method, this.#uri(resource), { body, transaction }).first()
    return { status: answer.status, body: answer.body, ms: performance.now() - start }
  }

  /** As another program would ask, which was not connected before. */
  async askAnew(method: string, resource: string, body: Json, transaction: string): Promise<Told> {
    const asker = new Asker({ name: 'other', answerTimeout: 20_000 })
    const told = await this.ask(method, resource, body, { transaction, asker })
    await asker.close()
    return told
  }

  /** The body of a GET that must be 200. */
  async get(resource: string): Promise<Told['body']> {
    const { status, body } = await this.ask('GET', resource)
    if (status !== 200) throw new Error(`GET ${resource}: ${status} ${JSON.stringify(body)}`)
    return body
  }

  /** What a device reports from now on, as `point=value`. */
  async watch(device = 'cafetera'): Promise<string[]> {
    const seen: string[] = []
    const note = ({ dispatch }: { dispatch: Dispatch }) => {
      seen.push(`${dispatch.resource?.slice(1).join('/')}=${JSON.stringify(dispatch.body)}`)
    }
    await this.#asker.bind(`jstp:BIND#PUT#${this.at}:tcp//${device}/...`, note, { observe: true })
    return seen
  }

  /** Waits until the machine is there and in that state. */
  async until(state: string, { device = 'cafetera', ms = 20_000 } = {}): Promise<void> {
    await eventually(`${device} to be ${state}`, async () => (await this.get(device)).state === state, ms)
  }

  /** Why a device is down, when it is. */
  async cause(pattern: RegExp, { device = 'cafetera', ms = 30_000 } = {}): Promise<string> {
    const look = async () => (await this.get('engine/devices'))[device]
    const matches = async () => {
      const { cause } = await look()
      return pattern.test(cause) && cause
    }
    return eventually(`the cause ${pattern} of ${device}`, matches, ms) as Promise<string>
  }

  async close(): Promise<void> {
    kitchens.delete(this)
    await this.#asker.close(0)
    await this.engine.stop()
  }

  #uri(resource: string): string {
    return `jstp:${this.at}:tcp//${resource}`
  }
}
