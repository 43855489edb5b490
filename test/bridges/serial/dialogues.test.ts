// The simulated node holds the dialogues of firmware-bridge/vectors.json byte for byte, as the C library does.

import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { CAN, METHOD, type Row, SimulatedNode } from '../../../src/bridges/serial/simulator/index.ts'
import type { Json } from '../../../src/core/dispatch.ts'
import { TestClock } from './kit.ts'

type Step = { host: string } | { node: string } | { wait: number } | { set: string } | { is: string }

const { dialogues, windowOne } = JSON.parse(readFileSync('firmware-bridge/vectors.json', 'utf8')) as Record<
  'dialogues' | 'windowOne',
  { name: string; steps: Step[] }[]
>

/** The node of the vectors: firmware-bridge/test/node.h. */
function stage() {
  const clock = new TestClock()
  let sent = ''
  let effects = 0
  const values: Record<string, Json> = {
    led: false,
    servo: 90,
    adc: 512,
    count: 0,
    text: 'hola',
    float: 21.5,
  }
  const { GET, POST, PUT, PATCH, BIND, EVENT } = CAN
  const keep = (key: string, body: Json): [number, Json] => {
    values[key] = body
    effects++
    return [200, body]
  }
  const value =
    (key: string, isRight: (body: Json) => boolean = () => true): Row['call'] =>
    (method, body) => {
      if (method !== METHOD.PUT) return [200, values[key] as Json]
      return isRight(body) ? keep(key, body) : [400, null]
    }
  const row = (path: Row['path'], bits: number, call: Row['call'], more: Partial<Row> = {}): Row => ({
    path,
    bits,
    call,
    ...more,
  })
  let presses = 0
  const node = new SimulatedNode(clock, {
    name: 'avr1',
    send: (bytes) => {
      sent += Buffer.from(bytes).toString('hex')
    },
    makeSafe() {},
    rows: [
      row(
        ['led'],
        GET | PUT,
        value('led', (body) => typeof body === 'boolean'),
      ),
      row(['servo', 3], GET | PUT, value('servo'), { unit: 'deg', range: [0, 180] }),
      row(['adc', 0], GET | BIND, value('adc'), { unit: 'mV' }),
      row(['count'], GET | POST | PATCH, (method) =>
        method === METHOD.GET ? [200, values.count as Json] : keep('count', (values.count as number) + 1),
      ),
      row(['button'], GET | BIND | EVENT, () => [200, presses]),
      row(['sum'], POST, (_, body) =>
        Array.isArray(body) && body.every(Number.isInteger)
          ? [200, { n: body.length, sum: (body as number[]).reduce((sum, one) => sum + one, 0) }]
          : [400, null],
      ),
      row(
        ['text'],
        GET | PUT,
        value('text', (body) => typeof body === 'string'),
      ),
      row(['long'], GET, () => [200, Array(9).fill('a text of thirty bytes, nine times')]),
      row(['nothing'], GET, () => [500, null]),
      row(['float', 254], GET | PUT, value('float'), { unit: '°C' }),
      row(['tilt'], GET, value('servo'), { unit: 'deg', range: [-90, 90] }),
    ],
  })
  node.boot = 0x0101
  return {
    node,
    clock,
    values,
    press() {
      presses++
      node.happened(4)
    },
    effects: () => effects,
    /** What it has sent since the last look. */
    sent() {
      const said = sent
      sent = ''
      return said
    },
  }
}

/** What it does otherwise. */
const OTHERWISE = [
  // It reads a dispatch whole or not at all, and acknowledges what is none.
  'a dispatch with something behind it is refused',
  // None of its functions takes any time.
  'a slow function says so before it answers',
]

const SPEEDS = [115200, 500000, 250000, 1000000, 57600, 38400, 9600]

for (const { name, steps } of [...dialogues, ...windowOne]) {
  if (OTHERWISE.includes(name)) continue
  test(name, async () => {
    const { node, clock, values, press, effects, sent } = stage()
    node.start()
    if (!('node' in (steps[0] as Step)) && !('wait' in (steps[0] as Step))) sent()
    for (const [at, step] of steps.entries()) {
      if ('host' in step) {
        node.take(Buffer.from(step.host, 'hex'))
        await clock.advance(0)
      }
      if ('wait' in step) for (let ms = 0; ms < step.wait; ms++) await clock.advance(1)
      if ('set' in step) {
        const [what = '', rest = ''] = step.set.split(/ (.*)/)
        if (what === 'press') press()
        else if (what === 'log') node.log(2, rest)
        else values[what] = Number(rest)
      }
      if ('is' in step) {
        const [what = '', value] = step.is.split(' ')
        const is: Record<string, number> = {
          effects: effects(),
          safe: node.safe,
          speed: SPEEDS.indexOf(node.speed),
        }
        if (what !== 'online') assert.is(String(is[what]), value, `step ${at + 1}: ${step.is}`)
      }
      if ('node' in step) assert.is(sent(), step.node, `step ${at + 1}`)
    }
    assert.is(sent(), '', 'sent more than expected')
    node.stop()
  })
}

test.run()
