// The load: raw sockets that write ready-made lines and count what comes back, so that the server is what costs.

import { once } from 'node:events'
import { connect } from 'node:net'
import { now, percentile, sleep, watch } from './measure.mjs'

const LINE_END = 10
/** jstp@1.1.5 confirms no BIND, so all targets are given this time, in ms. */
const CONFIRMED = 50

/** A dispatch as a line. All targets read version 0.5, so it is what they are compared in. */
export function line(
  method,
  { resource, endpoint, token = [], from = ['bench', 'cocina'], body = null, seq = 0 },
) {
  const protocol = ['JSTP', '0.5']
  const timestamp = 1364220000000 + seq
  return `${JSON.stringify({ method, resource, endpoint, protocol, timestamp, token, referer: from, body })}\n`
}

/** 0.6: no empty token, no empty `from`, no body where there is none. */
export function line06(method, { resource, endpoint, token, body, seq = 0 }) {
  const protocol = ['JSTP', '0.6']
  const timestamp = 1364220000000 + seq
  return `${JSON.stringify({ protocol, method, resource, endpoint, timestamp, token, body })}\n`
}

/** Some writes of `size` dispatches each, no two dispatches the same. */
export function batches(size, make) {
  let seq = 0
  return Array.from({ length: 20 }, () =>
    Buffer.from(Array.from({ length: size }, () => make(seq++)).join('')),
  )
}

/** Connects. `onLines(n)` is called with the number of lines that have come. */
export async function open(port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const client = { socket, onLines: () => {} }
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    let lines = 0
    for (let at = chunk.indexOf(LINE_END); at >= 0; at = chunk.indexOf(LINE_END, at + 1)) lines++
    if (lines > 0) client.onLines(lines)
  })
  return client
}

/**
 * Publisher → server → subscribers, at most `most` dispatches under way, `size` in a write.
 * @returns as `watch`, for each delivery.
 */
export async function relay(server, options) {
  const { resource, pattern = resource, body, subscribers = 1, most = 200, size = 50, ms } = options
  const { make = line, bindAs = make } = options
  const readers = []
  for (let i = 0; i < subscribers; i++) readers.push(await open(server.port))
  for (const { socket } of readers)
    socket.write(bindAs('BIND', { endpoint: { method: 'POST', resource: pattern } }))
  await sleep(CONFIRMED)
  const publisher = await open(server.port)
  const writes = batches(size, (seq) => make('POST', { resource, body, seq }))
  let sent = 0
  let received = 0
  let stopped = false
  const pump = () => {
    while (!stopped && sent - received / subscribers + size <= most) {
      publisher.socket.write(writes[(sent / size) % writes.length])
      sent += size
    }
  }
  for (const reader of readers) {
    reader.onLines = (lines) => {
      received += lines
      pump()
    }
  }
  pump()
  try {
    return await watch(server.pid, () => received, { ms })
  } finally {
    stopped = true
    await close([publisher, ...readers])
  }
}

/**
 * Requests on one socket, `most` under way. `isAnswer`: what the line of an answer holds, where other lines come too.
 * @returns `{rate, cpu, p50, p99}`, the latter in µs.
 */
export async function roundTrips(server, { request, isAnswer, most, warm = 250, ms = 600 }) {
  const client = await open(server.port)
  const times = []
  let done = 0
  let latencies = []
  let stopped = false
  let seq = 0
  const fire = () => {
    times.push(now())
    client.socket.write(request(seq++))
  }
  const finish = () => {
    latencies.push((now() - times.shift()) * 1000)
    done++
    if (!stopped) fire()
  }
  client.socket.removeAllListeners('data')
  let rest = ''
  client.socket.setEncoding('latin1').on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const each of lines) if (each.includes(isAnswer)) finish()
  })
  for (let i = 0; i < most; i++) fire()
  setTimeout(() => {
    latencies = []
  }, warm)
  try {
    const { rate, cpu } = await watch(server.pid, () => done, { warm, ms })
    return { rate, cpu, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) }
  } finally {
    stopped = true
    await close([client])
  }
}

export async function close(clients) {
  await sleep(40)
  for (const { socket } of clients) socket.destroy()
}
