// One subscriber stops reading while 40,000 dispatches of 1 KB pass: memory must not grow, and the other subscriber
// must get every one of them.

import { batches, close, line, open } from '../load.mjs'
import { memoryOf, now, sleep } from '../measure.mjs'
import { startServer } from '../servers.mjs'

const dispatches = 40_000
const size = 20
const underWay = 400
const resources = 8
const limitMs = 20_000
const body = { p: 'x'.repeat(1024) }
const most = 4.2
/** V8 makes its young generation bigger when it likes: here it is as big as it gets from the start. */
const flags = ['--min-semi-space-size=16', '--max-semi-space-size=16']
const kinds = {
  /** What must not be dropped. */
  commands: { method: 'POST', wanted: '...' },
  /** Of these the newest counts. */
  reports: { method: 'PUT', from: ['bench', 'stuck'], wanted: '...' },
  /** One line of a chunk waits: the chunk must not wait with it. */
  few: { method: 'POST', wanted: 0 },
}

export const stuck = {
  title: `One reader stops while ${dispatches} dispatches of 1 KB pass (MB; lost by the other reader)`,
  async round(options) {
    const figures = {}
    for (const [name, kind] of Object.entries(kinds)) {
      const server = await startServer('engine', { ...options, flags })
      const frozen = await bound(server, kind.method, kind.wanted)
      const healthy = await bound(server, kind.method, '...')
      const publisher = await open(server.port)
      // The heap first grows to what the traffic needs; then highest is compared with highest.
      await pass(publisher, healthy, kind, dispatches / 4)
      const before = await highest(server, () => pass(publisher, healthy, kind, dispatches / 2))
      frozen.socket.pause()
      const after = await highest(server, () => pass(publisher, healthy, kind, dispatches))
      figures[`${name}, lost`] = after.lost
      figures[`${name}, growth`] = after.memory - before.memory
      await close([frozen, healthy, publisher])
      await server.stop()
    }
    return figures
  },
  judged: Object.keys(kinds).flatMap((name) => [
    { name: `${name}: growth in MB`, of: (r) => r[`${name}, growth`], most },
    { name: `${name}: lost by the healthy reader`, of: (r) => r[`${name}, lost`], most: 0 },
  ]),
}

async function bound(server, method, element) {
  const client = await open(server.port)
  client.socket.write(line('BIND', { endpoint: { method, resource: ['stuck', element] } }))
  await sleep(30)
  return client
}

/** The most memory that a server takes while something runs that returns what was lost. */
async function highest({ pid }, run) {
  let memory = 0
  const look = () => {
    memory = Math.max(memory, memoryOf(pid))
  }
  const timer = setInterval(look, 20)
  const lost = await run()
  clearInterval(timer)
  look()
  return { memory, lost }
}

/** Sends `count` dispatches. Returns how many of them the reader did not get. */
async function pass(publisher, reader, { method, from }, count) {
  const writes = batches(size, (seq) =>
    line(method, { resource: ['stuck', seq % resources], from, body, seq }),
  )
  let sent = 0
  let received = 0
  const pump = () => {
    while (sent < count && sent - received + size <= underWay) {
      publisher.socket.write(writes[(sent / size) % writes.length])
      sent += size
    }
  }
  reader.onLines = (lines) => {
    received += lines
    pump()
  }
  pump()
  for (const end = now() + limitMs; received < count && now() < end; ) await sleep(10)
  return count - received
}
