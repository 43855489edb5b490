// The simulated node with the resources of these tests, which counts what it does, and with faults of its own.

import { decodeFrame, type Frame } from '../../../src/bridges/serial/link/frame.ts'
import { CAN, METHOD, type Row, SimulatedNode } from '../../../src/bridges/serial/simulator/index.ts'
import type { Clock } from '../../../src/core/clock.ts'
import type { Json } from '../../../src/core/dispatch.ts'

const { GET, POST, PUT, BIND, EVENT } = CAN

/** The robot of these tests, and everything that it has done. */
export class Mcu extends SimulatedNode {
  /** It loses every answer to SETBAUD. */
  isMute = false
  /** It does nothing at all: hangs, or is not powered. */
  isDead = false
  /** In this session it says so many times "not ready" before it takes a DATA. */
  refusals = 0
  readonly effects: string[] = []
  readonly values = new Map<string, Json>([
    ['led', false],
    ['servo/3', 90],
    ['motor', 0],
    ['count', 0],
    ['adc/0', 512],
    ['button', 0],
  ])

  constructor(clock: Clock, send: (bytes: Uint8Array) => void) {
    super(clock, {
      name: 'mcu',
      rows: [],
      send: (bytes) => {
        if (!this.isDead && !(this.isMute && typeOf(bytes) === 'setbaud-ok')) send(bytes)
      },
      makeSafe: () => void this.values.set('motor', 0),
      isBusy: () => this.refusals > 0 && this.refusals-- > 0,
    })
    this.boot = 100
    this.speeds = [115200, 500000]
    const done = (effect: string, key: string, value: Json): [number, Json] => {
      this.effects.push(effect)
      this.values.set(key, value)
      return [200, value]
    }
    const value = (key: string, bits: number, more: Partial<Row> = {}): Row => ({
      path: key.split('/').map((part) => (/^\d+$/.test(part) ? Number(part) : part)),
      bits,
      call: (method, body) =>
        method === METHOD.PUT
          ? done(`${key}=${JSON.stringify(body)}`, key, body)
          : [200, this.values.get(key) ?? null],
      ...more,
    })
    const count = () => this.values.get('count') as number
    this.rows.push(
      value('led', GET | PUT | BIND),
      value('servo/3', GET | PUT | BIND, { unit: 'deg', range: [0, 180] }),
      value('motor', GET | PUT, { unit: '%', range: [-100, 100] }),
      value('count', GET | POST, {
        call: (method) => (method === METHOD.POST ? done('count', 'count', count() + 1) : [200, count()]),
      }),
      value('stop', POST, { call: () => done('stop', 'motor', 0) }),
      value('adc/0', GET | BIND, { unit: 'mV' }),
      value('button', GET | BIND | EVENT),
      value('broken', GET | POST, { call: () => [400, 'it is broken'] }),
      value('sq', GET, { call: (_, body) => [200, (body as number) ** 2] }),
    )
  }

  override take(bytes: Uint8Array): void {
    if (this.isDead) return
    if (typeOf(bytes) === 'rst') this.refusals = 0
    super.take(bytes)
  }

  /** Something changes, or happens, by itself. */
  happen(key: string, value: Json): void {
    this.values.set(key, value)
    const alias = this.rows.findIndex(({ path }) => path.join('/') === key)
    if ((this.rows[alias] as Row).bits & EVENT) this.happened(alias)
  }
}

function typeOf(bytes: Uint8Array): Frame['type'] | undefined {
  return decodeFrame(bytes.subarray(1, -1))?.type
}
