// Inside one process: a dispatch that one of 1, 100 or 10,000 subscriptions matches calls its callback.

import { startServer } from '../servers.mjs'

const body = { value: 92.5, unit: 'C', seq: 123456, state: 'ready' }
const totals = [1, 100, 10_000]

export const local = {
  title: 'In process: dispatch → callback, one of N subscriptions matches (µs of CPU each)',
  async round(options) {
    const figures = {}
    const servers = { engine: await startServer('engine', options), jstp: await startServer('jstp') }
    for (const total of totals) {
      for (const [name, server] of Object.entries(servers)) {
        figures[`${name} ${total}`] = await server.ask('local', { total, body })
      }
    }
    for (const server of Object.values(servers)) await server.stop()
    return figures
  },
  judged: [
    ...totals.map((total) => ({
      name: `jstp / engine at ${total}`,
      of: (r) => r[`jstp ${total}`] / r[`engine ${total}`],
      least: total === 10_000 ? 1000 : undefined,
    })),
    { name: 'engine at 10000 / at 1', of: (r) => r['engine 10000'] / r['engine 1'] },
  ],
}
