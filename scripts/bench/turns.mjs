// Two servers side by side, each in many short turns: for differences of a few per cent, which two longer measurements
// would lose in what else the machine does.

import { batches, close, line, open } from './load.mjs'
import { cpuOf, median, sleep } from './measure.mjs'

const CONFIRMED = 50
const LIMIT = 20_000

/**
 * Lets both work in turns: A B B A or B A A B as it happens, so that neither always meets the garbage collector or comes
 * after a pause. `loads`: two that have `cost(count)`, µs of CPU for each of `count`.
 * @returns the medians of both, and of first / second within a turn
 */
export async function inTurns(loads, { turns, count, warm = 2 }) {
  const costs = [[], []]
  for (let turn = -warm; turn < turns; turn++) {
    const begins = Math.random() < 0.5 ? 0 : 1
    const cost = [0, 0]
    for (const which of [begins, 1 - begins, 1 - begins, begins])
      cost[which] += (await loads[which].cost(count)) / 2
    if (turn >= 0) for (const which of [0, 1]) costs[which].push(cost[which])
  }
  const [first, second] = costs
  const ratio = median(first.map((cost, turn) => cost / second[turn]))
  return { first: median(first), second: median(second), ratio }
}

/** Publisher → subscriber over TCP. */
export async function relaying({ port, pid }, { resource, body, most = 200, size = 50 }) {
  const reader = await open(port)
  reader.socket.write(line('BIND', { endpoint: { method: 'POST', resource } }))
  await sleep(CONFIRMED)
  const publisher = await open(port)
  const writes = batches(size, (seq) => line('POST', { resource, body, seq }))
  const work = counted(pid, (count, done) => {
    let sent = 0
    let received = 0
    const pump = () => {
      for (; sent < count && sent - received + size <= most; sent += size)
        publisher.socket.write(writes[(sent / size) % writes.length])
    }
    reader.onLines = (lines) => {
      received += lines
      if (received >= count) done()
      else pump()
    }
    pump()
  })
  return { ...work, close: () => close([publisher, reader]) }
}

/** Request → ANSWER over TCP, `most` under way. */
export async function asking({ port, pid }, { resource, most = 64 }) {
  const client = await open(port)
  let seq = 0
  const work = counted(pid, (count, done) => {
    let sent = 0
    let received = 0
    const fire = () => {
      client.socket.write(
        line('GET', { resource: [resource], token: [`t-${process.pid}-${seq}`], seq: seq++ }),
      )
      sent++
    }
    client.onLines = (lines) => {
      received += lines
      if (received >= count) done()
      else for (let i = 0; i < lines && sent < count; i++) fire()
    }
    while (sent < Math.min(most, count)) fire()
  })
  return { ...work, close: () => close([client]) }
}

/** What a server spends on work that calls `done` when all of it has come back. */
export function counted(pid, work) {
  return {
    async cost(count) {
      const before = cpuOf(pid)
      await Promise.race([new Promise((done, fail) => work(count, done, fail)), late()])
      return (cpuOf(pid) - before) / count
    },
  }
}

async function late() {
  await sleep(LIMIT, undefined, { ref: false })
  throw new Error(`something did not come back within ${LIMIT} ms`)
}
