// The REST face: GET of a point of a simulated device, at the program as it is installed, against a server on node:http that
// answers the same JSON and does nothing else.

import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { projectRoot } from '../../build.mjs'
import { cpuOf, median, now, sleep } from '../measure.mjs'
import { accepts, freePort, startProgram } from '../servers.mjs'

const connections = 32
const turns = 16
/** Requests of a turn, so that both have run equally often when it begins: what is not warm yet costs several times as much. */
const perTurn = 2000
const warm = 15_000
const turnLimit = 30_000
const path = '/cafetera/state'

export const http = {
  title: `GET ${path}, ${connections} connections, one request under way on each (a second; µs of server CPU)`,
  async round() {
    const engine = await startHormiga()
    const text = await (await fetch(`http://127.0.0.1:${engine.port}${path}`)).text()
    const bare = await startBare(text)
    const costs = { engine: [], bare: [] }
    for (const server of [engine, bare]) await load(server, warm)
    for (let turn = 0; turn < turns; turn++) {
      for (const name of turn % 2 ? ['engine', 'bare'] : ['bare', 'engine'])
        costs[name].push(await load({ engine, bare }[name], perTurn))
    }
    await engine.stop()
    await bare.stop()
    const of = (name, key) => median(costs[name].map((cost) => cost[key]))
    const ratio = (key) => median(costs.engine.map((cost, turn) => costs.bare[turn][key] / cost[key]))
    return {
      'engine /s': of('engine', 'rate'),
      'bare /s': of('bare', 'rate'),
      'engine µs': of('engine', 'cpu'),
      'bare µs': of('bare', 'cpu'),
      'bare / engine, CPU': ratio('cpu'),
      'engine / bare, by the clock': 1 / ratio('rate'),
    }
  },
  judged: [{ name: 'engine / bare, requests by CPU', of: (r) => r['bare / engine, CPU'], least: 0.5 }],
}

async function startHormiga() {
  const folder = mkdtempSync(join(tmpdir(), 'hormiga-bench-'))
  const config = join(folder, 'hormiga.json')
  const port = await freePort()
  const cafetera = { profile: 'delonghi-ecam', address: '00:a0:50:12:34:56', simulated: true }
  const listen = { tcp: false, http: `127.0.0.1:${port}` }
  writeFileSync(config, JSON.stringify({ name: 'bench', listen, devices: { cafetera } }))
  const program = startProgram([
    join(projectRoot, 'dist/hormiga.js'),
    ...['run', '--config', config, '--state', folder],
  ])
  const stop = async () => {
    await program.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  await accepts(port, program)
  // The machine introduces itself.
  await sleep(1000)
  return { port, pid: program.pid, stop }
}

async function startBare(text) {
  const port = await freePort()
  const file = fileURLToPath(new URL('../servers/http-bare.mjs', import.meta.url))
  const program = startProgram([file, String(port), text])
  await accepts(port, program)
  return { port, pid: program.pid, stop: program.stop }
}

/** Answers `most` requests: `{rate, cpu}`. */
async function load({ port, pid }, most) {
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: */*\r\n\r\n`)
  let count = 0
  let start
  const sockets = []
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${count} answers in ${turnLimit} ms`)), turnLimit)
    const answered = (socket) => {
      if (++count < most) return socket.write(request)
      clearTimeout(timer)
      resolve()
    }
    const begin = async () => {
      for (let i = 0; i < connections; i++) sockets.push(await open(port, answered))
      start = { at: now(), cpu: cpuOf(pid) }
      for (const socket of sockets) socket.write(request)
    }
    begin().catch(reject)
  })
  const [cpu, ms] = [cpuOf(pid) - start.cpu, now() - start.at]
  for (const socket of sockets) socket.destroy()
  return { rate: (count / ms) * 1000, cpu: cpu / count }
}

/** Calls `onAnswer` for every whole response with the status 200. */
async function open(port, onAnswer) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.on('error', () => {})
  let rest = ''
  socket.on('data', (chunk) => {
    rest += chunk.toString('latin1')
    for (let end = endOf(rest); end > 0; end = endOf(rest)) {
      if (!rest.startsWith('HTTP/1.1 200')) throw new Error(`answered with ${rest.slice(0, 40)}`)
      rest = rest.slice(end)
      onAnswer(socket)
    }
  })
  return socket
}

/** Where the first response ends; 0: it is not whole. */
function endOf(text) {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return 0
  const end = head + 4 + Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1])
  return text.length >= end ? end : 0
}
