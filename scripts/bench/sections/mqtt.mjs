// From engine to engine through a real mosquitto, against two clients of mqtt.js that send the same text and do nothing with it: in
// turns, in one process.

import { median } from '../measure.mjs'
import { bundleSource } from '../parties.mjs'
import { startMosquitto, startServer } from '../servers.mjs'

const turns = 8
const count = 3000
/** Messages under way: as many as a broker hands out at once, and one. */
const windows = { '': 100, ' one by one': 1 }
const names = ['bare', 'open', 'sealed']
const parts = `
  export { Engine, formatUri, nodeEnv } from './src/index.ts'
  export { nodeOf, presenceOf } from './src/app/presence.ts'
  export { didOf } from './src/identity/did.ts'
  export { Guard } from './src/identity/guard.ts'
  export { lastingPrekeys } from './src/identity/prekeys.ts'
  export { nodeProvider } from './src/identity/provider-node.ts'
  export { Trust } from './src/identity/trust.ts'
  export { readTrust } from './src/identity/trust-file.ts'
  export { mqtt as mqttTransport } from './src/transports/mqtt.ts'`

export const mqtt = {
  title: 'A dispatch of 100 bytes of body through mosquitto, QoS 1 (µs of CPU of both ends for each)',
  async round(options) {
    const broker = await startMosquitto()
    const server = await startServer('mqtt-pair', {
      ...options,
      engine: await bundleSource('mqtt', parts, { packages: 'external' }),
      port: broker.port,
    })
    try {
      const figures = {}
      for (const [title, window] of Object.entries(windows)) {
        const total = window === 1 ? count / 10 : count
        const costs = Object.fromEntries(names.map((name) => [name, []]))
        for (const name of names) await server.ask('cost', { name, count: total, window })
        for (let turn = 0; turn < turns; turn++) {
          for (const name of turn % 2 ? names : names.toReversed())
            costs[name].push(await server.ask('cost', { name, count: total, window }))
        }
        for (const name of names) figures[`${name}${title} µs`] = median(costs[name])
      }
      return figures
    } finally {
      await server.stop()
      broker.stop()
    }
  },
  judged: [
    { name: 'bare / open, CPU', of: (r) => r['bare µs'] / r['open µs'], least: 0.6 },
    { name: 'bare / sealed, CPU', of: (r) => r['bare µs'] / r['sealed µs'] },
    { name: 'bare / open, one by one', of: (r) => r['bare one by one µs'] / r['open one by one µs'] },
  ],
}
