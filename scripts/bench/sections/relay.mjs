// Over loopback TCP: one publisher, one subscriber; one publisher, a hundred subscribers; and what subscriptions cost
// that match nothing.

import { line, line06, relay as load } from '../load.mjs'
import { startServer } from '../servers.mjs'

const body = { p: 'x'.repeat(100) }
const resource = ['a', 'b', 'c']

/** One server for each name, one after the other, so that they don't share the cores. */
async function each(names, options, measure) {
  const figures = {}
  for (const name of names) {
    const server = await startServer(name, options)
    Object.assign(figures, await measure(name, server))
    await server.stop()
  }
  return figures
}

function named(name, { rate, cpu }) {
  return { [`${name} µs`]: cpu, [`${name} /s`]: rate }
}

export const relay = {
  title:
    'TCP publisher → subscriber, 100-byte payload, 200 under way (µs of server CPU, dispatches a second)',
  async round(options) {
    return each(['jstp', 'engine', 'lines'], options, async (name, server) => {
      const figures = named(name, await load(server, { resource, body }))
      if (name !== 'engine') return figures
      // A subscriber of another version: every dispatch is written anew.
      const other = await load(server, { resource: ['other'], body, make: line, bindAs: line06, ms: 400 })
      return { ...figures, ...named('engine 0.5→0.6', other) }
    })
  },
  judged: [
    { name: 'jstp / engine, CPU', of: (r) => r['jstp µs'] / r['engine µs'], least: 4 },
    { name: 'engine / lines, CPU', of: (r) => r['engine µs'] / r['lines µs'] },
  ],
}

export const fanout = {
  title:
    'TCP publisher → 100 subscribers, 20 under way (µs of server CPU for a delivery, deliveries a second)',
  async round(options) {
    return each(['jstp', 'engine', 'lines'], options, async (name, server) =>
      named(name, await load(server, { resource, body, subscribers: 100, most: 20, size: 5 })),
    )
  },
  judged: [
    { name: 'jstp / engine, CPU', of: (r) => r['jstp µs'] / r['engine µs'], least: 6 },
    { name: 'engine / lines, CPU', of: (r) => r['engine µs'] / r['lines µs'] },
  ],
}

const totals = [10, 1000, 10_000, 100_000]

export const match = {
  title: 'The same relay with N more wildcard subscriptions that match nothing (µs of server CPU)',
  async round(options) {
    return each(['engine'], options, async (_name, server) => {
      const figures = {}
      for (const total of totals) {
        figures['µs a bind'] = await server.ask('fill', total)
        const options = { resource: ['a', 'x', 'match'], pattern: ['a', '*', 'match'], body, ms: 600 }
        figures[`µs with ${total}`] = (await load(server, options)).cpu
      }
      return figures
    })
  },
  judged: [{ name: 'with 100000 / with 10', of: (r) => r['µs with 100000'] / r['µs with 10'], most: 1.5 }],
}
