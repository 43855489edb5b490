// Two engines in one process, one with a key and one without: they share the code as V8 has compiled it, so that what
// differs is what they do. argv: the port of the one without, "identity", the bundle of parties.mjs.

import { importParties, subscribers } from '../parties.mjs'
import { serve } from './serve.cjs'

const [port, , bundle] = process.argv.slice(2)
const parties = await importParties(bundle)
const body = { value: 92.5, unit: 'C', seq: 123456, state: 'ready' }
const plain = await start(parties.engine(), Number(port))
const guarded = await start(parties.engine(0, subscribers), 0)
const engines = { plain, guarded }

async function start(engine, port) {
  const listening = await engine.listen('tcp', { address: '127.0.0.1', port })
  const started = { engine, port: listening.port, hits: 0 }
  await engine.bind('GET#cafetera', () => ({ temp: 92.5 }))
  await engine.bind('POST#a/*/match', () => {
    started.hits++
  })
  return started
}

serve({
  /** Where the one with a key listens. */
  port: () => guarded.port,
  /** In process: dispatch → callback. Returns µs of CPU for each. */
  async local({ name, count }) {
    const its = engines[name]
    const [cpu, before] = [process.cpuUsage(), its.hits]
    while (its.hits < before + count) {
      for (let i = 0; i < 200; i++) its.engine.send('POST', ['a', 'x', 'match'], { body })
      await new Promise(setImmediate)
    }
    const { user, system } = process.cpuUsage(cpu)
    return (user + system) / (its.hits - before)
  },
  /** Tells everybody who is bound to it. */
  publish({ name, count }) {
    for (let i = 0; i < count; i++) engines[name].engine.send('PUT', ['cafetera', 'estado'], { body })
  },
})
