// Over loopback TCP: request → ANSWER, against a bare echo of the same line.

import { line, roundTrips } from '../load.mjs'
import { startServer } from '../servers.mjs'

const request = (seq) =>
  line('GET', { resource: ['cafetera'], token: [`t-${process.pid}-${seq}`], body: {}, seq })
// jstp@1.1.5 sends a RELEASE line before each ANSWER.
const kinds = { jstp: '"resource":[200,', engine: '"resource":[200,', echo: '"GET"' }

export const rtt = {
  title: 'Request → ANSWER over TCP (p50, p99 in µs with 1 under way; a second and µs of server CPU with 64)',
  async round(options) {
    const servers = {}
    for (const name of Object.keys(kinds)) servers[name] = await startServer(name, options)
    const trips = (name, most, ms) =>
      roundTrips(servers[name], { request, isAnswer: kinds[name], most, warm: 150, ms })
    const figures = {}
    // Where the system puts two processes decides between 30 and 100 µs: so in turns, and the best turn counts.
    for (let turn = 0; turn < 3; turn++) {
      for (const name of ['engine', 'echo']) lower(figures, name, await trips(name, 1, 300))
    }
    lower(figures, 'jstp', await trips('jstp', 1, 400))
    for (const name of Object.keys(kinds)) {
      const { rate, cpu } = await trips(name, 64, 500)
      figures[`${name} 64 /s`] = rate
      figures[`${name} 64 µs`] = cpu
    }
    for (const server of Object.values(servers)) await server.stop()
    return figures
  },
  judged: [
    { name: 'engine / echo, p50 at 1', of: (r) => r['engine p50'] / r['echo p50'], most: 4 },
    { name: 'jstp / engine, p50 at 1', of: (r) => r['jstp p50'] / r['engine p50'] },
    { name: 'jstp / engine, CPU at 64', of: (r) => r['jstp 64 µs'] / r['engine 64 µs'] },
    { name: 'engine / echo, CPU at 64', of: (r) => r['engine 64 µs'] / r['echo 64 µs'] },
  ],
}

function lower(figures, name, { p50, p99 }) {
  if (figures[`${name} p50`] <= p50) return
  figures[`${name} p50`] = p50
  figures[`${name} p99`] = p99
}
