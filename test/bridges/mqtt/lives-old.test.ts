// The same lives where only MQTT 3.1.1 is spoken: at a mosquitto behind a broker of old times, and at the one in the engine.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limitPackets } from '../../../src/bridges/mqtt/size-guard.ts'
import { EmbeddedBroker } from '../../../src/host/broker.ts'
import { nodeEnv } from '../../../src/index.ts'
import { bench, endBenches } from './bench.ts'
import { live } from './life.ts'
import { Mosquitto, until } from './mosquitto.ts'
import { endWires, Wire } from './proxy.ts'
import { LIVES } from './simulators.ts'

let embedded: EmbeddedBroker | undefined

test.after.each(async () => {
  await endBenches()
  endWires()
  await embedded?.close()
  embedded = undefined
})

async function openEmbedded(): Promise<string> {
  embedded = await EmbeddedBroker.create({ env: nodeEnv(), limitPackets })
  embedded.server.listen(0, '127.0.0.1')
  await once(embedded.server, 'listening')
  return `mqtt://127.0.0.1:${(embedded.server.address() as AddressInfo).port}`
}

for (const life of LIVES) {
  for (const where of ['mosquitto', 'the engine']) {
    test(`${life.family} at ${where} by 3.1.1: birth, state, command, will, return, leave`, async () => {
      const wire = where === 'mosquitto' ? await Wire.to((await Mosquitto.start()).port, 4) : undefined
      const url = wire?.url ?? (await openEmbedded())
      const { owner, device } = await bench({ url })
      await until('the connection', () => device.status().state === 'up')
      assert.is(device.status().cause, 'connected, MQTT 3.1.1')
      if (wire) assert.equal(wire.greeted, [5, 4])
      await live(life, { broker: { url }, owner, device })
    })
  }
}

test.run()
