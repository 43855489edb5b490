// Every discovery family against a real mosquitto, a whole life, by MQTT 5.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bench, endBenches } from './bench.ts'
import { live } from './life.ts'
import { until } from './mosquitto.ts'
import { LIVES } from './simulators.ts'

test.after.each(endBenches)

for (const life of LIVES) {
  test(`${life.family}: birth, state, command, will, return, leave`, async () => {
    const one = await bench()
    await until('the connection', () => one.device.status().state === 'up')
    assert.is(one.device.status().cause, 'connected, MQTT 5')
    await live(life, one)
  })
}

test.run()
