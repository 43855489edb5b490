// What keys cost: against the bare primitives, to the traffic that uses none, and to the traffic that does.

import { measureSealed } from '../ends.mjs'
import { median } from '../measure.mjs'
import { bundleParts } from '../parties.mjs'
import { startServer } from '../servers.mjs'
import { asking, inTurns, relaying } from '../turns.mjs'

const body = { p: 'x'.repeat(100) }
const duelTurns = 12
const unsigned = { turns: 24, relay: 8000, rtt: 3000, local: 40_000 }
/** `gc` to be called, and no other threads: what is counted is one core's. */
const flags = ['--expose-gc', '--single-threaded-gc']

export const identity = {
  title:
    'Keys, 200 bytes of body (µs of CPU each): in process, against node:crypto; with a guard, without; sealed, clear',
  async round(options) {
    const own = { ...options, engine: await bundleParts() }
    return { ...(await duels(own)), ...(await engines(own)) }
  },
  judged: [
    { name: 'bare / ctx protect', of: (r) => r['protect ratio'], least: 0.5 },
    { name: 'bare / ctx unprotect', of: (r) => r['unprotect ratio'], least: 0.4 },
    { name: 'bare / sign', of: (r) => r['sign ratio'], least: 0.6 },
    { name: 'bare / verify', of: (r) => r['verify ratio'], least: 0.8 },
    { name: 'handshake / bare', of: (r) => 1 / r['handshake ratio'], most: 2.5 },
    { name: 'seal / bare', of: (r) => 1 / r['seal ratio'] },
    { name: 'unseal / bare', of: (r) => 1 / r['unseal ratio'] },
    { name: 'ctx protect, thousands a second', of: (r) => 1000 / r['protect µs'] },
    { name: 'ctx unprotect, thousands a second', of: (r) => 1000 / r['unprotect µs'] },
    { name: 'unsigned relay, no guard / guard', of: (r) => r['relay ratio'], least: 0.97 },
    { name: 'unsigned request, no guard / guard', of: (r) => r['rtt ratio'], least: 0.97 },
    { name: 'in process, no guard / guard', of: (r) => r['local ratio'], least: 0.97 },
    { name: 'sealed / clear request, CPU at 64', of: (r) => r['sealed request µs'] / r['clear request µs'] },
    { name: 'sealed / clear request, p50 at 1', of: (r) => r['sealed p50'] / r['clear p50'] },
    { name: 'sealed / clear delivery, CPU', of: (r) => r['sealed delivery µs'] / r['clear delivery µs'] },
  ],
}

async function duels(options) {
  const server = await startServer('crypto', { ...options, flags })
  const figures = {}
  try {
    for (const [name, { ours, bare }] of Object.entries(await server.ask('duels', duelTurns))) {
      figures[`${name} µs`] = median(ours)
      figures[`${name}, bare µs`] = median(bare)
      figures[`${name} ratio`] = median(bare.map((cost, turn) => cost / ours[turn]))
    }
  } finally {
    await server.stop()
  }
  return figures
}

async function engines(options) {
  const plain = await startServer('identity', options)
  try {
    const guarded = { ...plain, port: await plain.ask('port') }
    return {
      ...(await unprotected(plain, guarded)),
      ...(await measureSealed(plain, guarded, options.engine)),
    }
  } finally {
    await plain.stop()
  }
}

/** What comes without a key, at both engines in turns. */
async function unprotected(plain, guarded) {
  const { turns } = unsigned
  const both = (make, settings) => Promise.all([plain, guarded].map((server) => make(server, settings)))
  const relays = await both(relaying, { resource: ['a', 'b', 'c'], body })
  const requests = await both(asking, { resource: 'cafetera' })
  const locals = ['plain', 'guarded'].map((name) => ({
    cost: (count) => plain.ask('local', { name, count }),
  }))
  try {
    return {
      ...named('relay', await inTurns(relays, { turns, count: unsigned.relay })),
      ...named('rtt', await inTurns(requests, { turns, count: unsigned.rtt })),
      ...named('local', await inTurns(locals, { turns, count: unsigned.local })),
    }
  } finally {
    await Promise.all([...relays, ...requests].map((load) => load.close()))
  }
}

function named(name, { first, second, ratio }) {
  return { [`${name}, no guard µs`]: first, [`${name}, guard µs`]: second, [`${name} ratio`]: ratio }
}
