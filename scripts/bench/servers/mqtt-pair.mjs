// Both ends in one process, so that what differs is what they do: two engines at a broker, and two clients of mqtt.js that send each
// other the same text. argv: port of the broker, "mqtt-pair", the bundle.

import { pathToFileURL } from 'node:url'
import mqtt from 'mqtt'
import { serve } from './serve.cjs'

const [port, , bundle] = process.argv.slice(2)
const {
  didOf,
  Engine,
  formatUri,
  Guard,
  lastingPrekeys,
  mqttTransport,
  nodeEnv,
  nodeOf,
  nodeProvider,
  presenceOf,
  readTrust,
  Trust,
} = await import(pathToFileURL(bundle).href)

const url = `mqtt://127.0.0.1:${port}`
const resource = ['a', 'b', 'c']
const body = { p: 'x'.repeat(100) }
const allow = [{ method: ['*'], resource: ['...'] }]
const signers = {
  a: nodeProvider.signer(new Uint8Array(32).fill(1)),
  b: nodeProvider.signer(new Uint8Array(32).fill(2)),
}

class Open extends Engine {
  accessFor() {
    return undefined
  }
}

async function start(name, other) {
  const env = nodeEnv()
  const signer = signers[name]
  const keys = [{ id: didOf(signers[other].kid), name: other, allow }]
  const trust = new Trust(nodeProvider, signer.kid, {
    file: readTrust({ v: 1, keys }, 'trust'),
    uptime: () => performance.now(),
  })
  const settings = { verify: { rate: 1e9, burst: 1e9 } }
  const guard = new Guard({
    provider: nodeProvider,
    signer,
    trust,
    prekeys: lastingPrekeys(nodeProvider),
    settings,
  })
  const transport = mqttTransport({
    env,
    node: nodeOf(signer.kid),
    boot: name,
    presence: presenceOf(signer, name),
    answerTimeout: 5000,
    resolve: (known) => known === other && { node: nodeOf(signers[other].kid) },
  })
  const engine = new Open({ env, name, guard, transports: [transport] })
  await engine.listen('mqtt', { address: '127.0.0.1', port: Number(port) })
  return engine
}

let hits = 0
const b = await start('b', 'a')
const a = await start('a', 'b')
b.own('a').handle('POST', ['b', 'c'], () => {
  hits++
})
const at = formatUri({ to: [['127.0.0.1', Number(port), 'mqtt'], 'b'], resource })

const text = JSON.stringify({
  protocol: ['JSTP', '0.6'],
  method: 'POST',
  resource,
  timestamp: Date.now(),
  body,
})
const [sender, receiver] = await Promise.all([mqtt.connectAsync(url), mqtt.connectAsync(url)])
for (const client of [sender, receiver]) client.stream.setNoDelay(true)
receiver.on('message', () => {
  hits++
})
await receiver.subscribeAsync('bench/in', { qos: 1 })

const senders = {
  bare: () => sender.publish('bench/in', text, { qos: 1 }),
  open: () => a.send('POST', at, { body }),
  sealed: () => a.send('POST', at, { body, key: 'b' }),
}
await a.post(at, { body, key: 'b' }).first()

serve({
  /** `count` messages from one end to the other, at most `window` under way. µs of CPU for each. */
  async cost({ name, count, window }) {
    const send = senders[name]
    const [cpu, first] = [process.cpuUsage(), hits]
    let sent = 0
    while (hits - first < count) {
      const before = hits
      while (sent < count && sent - (hits - first) < window) {
        sent++
        send()
      }
      const giveUp = performance.now() + 5000
      while (hits === before && hits - first < count) {
        if (performance.now() > giveUp) throw new Error(`${name}: ${hits - first} of ${sent} have arrived`)
        await new Promise(setImmediate)
      }
    }
    const { user, system } = process.cpuUsage(cpu)
    return (user + system) / count
  },
})
