// 1,000 devices behind a real mosquitto say 5,000 values a second: from the publication until the report is at a subscriber by
// TCP, with the program on one core. Beside it a client of mqtt.js that does no more than read the same messages.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import mqtt from 'mqtt'
import { projectRoot } from '../../build.mjs'
import { line06, open } from '../load.mjs'
import { cpuOf, memoryOf, now, percentile, sleep } from '../measure.mjs'
import { accepts, freePort, startMosquitto, startProgram } from '../servers.mjs'

const devices = 1000
const rate = 5000
const warmMs = 4000
const measuredMs = 8000
const tickMs = 4
const memoryMs = 200
const settledMs = 20_000
const config = (n) => ({
  dev: { ids: `s${n}`, name: `Sensor ${n}` },
  stat_t: `tele/s${n}/v`,
  unit_of_meas: 'ms',
  uniq_id: `s${n}`,
})

export const sensors = {
  title: `${rate} values a second of ${devices} devices through mosquitto (ms until the report; µs of CPU a value; MB)`,
  async round() {
    const folder = mkdtempSync(join(tmpdir(), 'hormiga-bench-'))
    const broker = await startMosquitto()
    const writer = await mqtt.connectAsync(broker.url)
    // What waits for an acknowledgement on the publisher's side is no part of the figures.
    writer.stream.setNoDelay(true)
    let engine
    let bare
    try {
      for (let n = 0; n < devices; n++)
        writer.publish(`homeassistant/sensor/s${n}/v/config`, JSON.stringify(config(n)), { retain: true })
      engine = await startHormiga(folder, broker.url)
      bare = await startBare(broker.url)
      return await measure(writer, engine, bare)
    } finally {
      await writer.endAsync(true)
      await bare?.stop()
      await engine?.stop()
      broker.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  },
  judged: [
    { name: 'p99 until the report, ms', of: (r) => r['p99 ms'], most: 50 },
    { name: 'reports missing', of: (r) => r.missing, most: 0 },
    { name: 'of one core', of: (r) => r['engine, of one core'], most: 1 },
    { name: 'memory at its highest, MB', of: (r) => r['MB at most'], most: 200 },
    { name: 'engine / bare mqtt.js, CPU', of: (r) => r['engine µs'] / r['bare µs'] },
  ],
}

async function measure(writer, engine, bare) {
  const reader = await open(engine.port)
  const delays = []
  let heard = 0
  let rest = ''
  reader.socket.on('data', (chunk) => {
    const at = stamp()
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop()
    for (const text of lines) {
      const sent = /"body":(\d+\.?\d*)/.exec(text)?.[1]
      if (sent === undefined || !text.includes('"PUT"')) continue
      heard++
      delays.push(at - Number(sent))
    }
  })
  reader.socket.write(line06('BIND', { endpoint: { method: 'PUT', resource: ['sensores', '*', 'v'] } }))
  try {
    // Until discovery has settled, values pass by.
    const giveUp = now() + settledMs
    do {
      heard = 0
      for (let n = 0; n < devices; n++) publish(writer, n)
      await sleep(500)
    } while (heard < devices && now() < giveUp)
    if (heard < devices) throw new Error(`only ${heard} of ${devices} devices report`)
    await publishFor(writer, warmMs)
    await sleep(300)
    heard = delays.length = 0
    const before = { cpu: cpuOf(engine.pid), bare: cpuOf(bare.pid), memory: memoryOf(engine.pid), at: now() }
    let highest = before.memory
    const watching = setInterval(() => {
      highest = Math.max(highest, memoryOf(engine.pid))
    }, memoryMs)
    const sent = await publishFor(writer, measuredMs)
    clearInterval(watching)
    const ms = now() - before.at
    await sleep(300)
    const cpu = cpuOf(engine.pid) - before.cpu
    return {
      'sent a second': (sent / ms) * 1000,
      'p50 ms': percentile(delays, 0.5),
      'p99 ms': percentile(delays, 0.99),
      missing: sent - heard,
      'engine µs': cpu / sent,
      'bare µs': (cpuOf(bare.pid) - before.bare) / sent,
      'engine, of one core': cpu / 1000 / ms,
      'MB before': before.memory,
      'MB at most': highest,
    }
  } finally {
    reader.socket.destroy()
  }
}

/** At the wanted rate; how many. */
async function publishFor(writer, ms) {
  const start = now()
  let sent = 0
  while (now() - start < ms) {
    for (const due = ((now() - start) / 1000) * rate; sent < due; sent++) publish(writer, sent % devices)
    await sleep(tickMs)
  }
  return sent
}

/** The value is when it was said: no two are the same, so each is reported. */
function publish(writer, n) {
  writer.publish(`tele/s${n}/v`, stamp().toFixed(4))
}

/** Milliseconds that a report's number keeps exactly. */
function stamp() {
  return performance.now()
}

/** The program as it is installed, on one core. */
async function startHormiga(folder, broker) {
  const port = await freePort()
  const file = join(folder, 'hormiga.json')
  const listen = { tcp: `127.0.0.1:${port}`, http: false }
  const written = {
    name: 'bench',
    listen,
    mqtt: { broker },
    devices: { sensores: { profile: 'mqtt-discovery' } },
  }
  writeFileSync(file, JSON.stringify(written))
  const program = startProgram([
    join(projectRoot, 'dist/hormiga.js'),
    ...['run', '--config', file, '--state', folder],
  ])
  spawnSync('taskset', ['-a', '-c', '-p', '0', String(program.pid)])
  await accepts(port, program)
  return { port, pid: program.pid, stop: program.stop }
}

async function startBare(broker) {
  const program = startProgram([fileURLToPath(new URL('../servers/mqtt-bare.mjs', import.meta.url)), broker])
  await sleep(800)
  if (program.ended) throw new Error(`the bare client ended: ${program.errors}`)
  return { pid: program.pid, stop: program.stop }
}
