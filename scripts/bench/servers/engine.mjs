// The engine as a server. argv: port, "engine", the library.

import { pathToFileURL } from 'node:url'
import { cpuOfEach, serve } from './serve.cjs'

const [port, , library] = process.argv.slice(2)
const { Engine } = await import(pathToFileURL(library).href)
const engine = new Engine({ name: 'bench' })
await engine.listen('tcp', { address: '127.0.0.1', port: Number(port) })
await engine.bind('GET#cafetera', () => ({ temp: 92.5 }))

let bound = 0

serve({
  /** Binds until there are `total` patterns that will match nothing. Returns µs of CPU for each new one. */
  async fill(total) {
    const before = process.cpuUsage()
    const start = bound
    for (; bound < total; bound++) await engine.bind(`POST#a/*/n${bound}`, () => {})
    const { user, system } = process.cpuUsage(before)
    return total > start ? (user + system) / (total - start) : 0
  },
  /** In process: one of `total` subscriptions matches. */
  async local({ total, body }) {
    for (; bound < total - 1; bound++) await engine.bind(`POST#a/*/n${bound}`, () => {})
    let hits = 0
    const binding = await engine.bind('POST#a/*/match', () => {
      hits++
    })
    const cpu = await cpuOfEach({
      run: () => engine.send('POST', ['a', 'x', 'match'], { body }),
      count: () => hits,
      batch: 200,
    })
    binding.release()
    return cpu
  },
})
