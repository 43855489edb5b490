// heavy
// needs dist
// time limit: 90 s
// The program at a mosquitto that remembers 10,000 topics with their values: all are mapped or counted as refused, and its
// memory has a bound, with the short queue that mosquitto has by default and with an endless one.

import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Engine, endAll } from '../../suites/rig.ts'
import { client, endBenches } from './bench.ts'
import { freePort, Mosquitto } from './mosquitto.ts'

interface Root {
  devices: Record<string, unknown>
  refused: Record<string, number>
}

const TOPICS = 10_000
/** MB (10^6 bytes) that the program may have at its worst, and more than before the storm when it is over. */
const PEAK = 170
const MORE = 100

test.after.each(endBenches)
test.after(endAll)

/** MB. `VmRSS` now, `VmHWM` at its worst so far. */
function memoryOf(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  const kib = new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return (Number(kib) * 1024) / 1e6
}

async function remember(broker: Mosquitto): Promise<void> {
  const writer = await client(broker)
  const keep = (topic: string, said: string) => writer.publishAsync(topic, said, { retain: true, qos: 1 })
  for (let i = 0; i < TOPICS; i += 250) {
    const devices = Array.from({ length: 250 }, (_, j) => i + j)
    await Promise.all(
      devices.flatMap((n) => [
        keep(
          `homeassistant/sensor/n${n}/t/config`,
          JSON.stringify({
            dev: { ids: `n${n}`, name: `Sensor ${n}`, mf: 'Acme', mdl: 'T1' },
            stat_t: `tele/n${n}/t`,
            unit_of_meas: '°C',
            dev_cla: 'temperature',
            uniq_id: `n${n}t`,
          }),
        ),
        keep(`tele/n${n}/t`, String(n)),
      ]),
    )
  }
}

for (const [queue, lines] of [
  ['the usual queue', []],
  ['an endless queue', ['max_queued_messages 0', 'max_inflight_messages 0']],
] as const) {
  test(`10,000 retained topics on connect, ${queue}: bounded memory, all mapped or refused`, async () => {
    const broker = await Mosquitto.start(['allow_anonymous true', ...lines])
    await remember(broker)
    const listen = { tcp: `127.0.0.1:${await freePort()}`, http: false }
    const engine = await new Engine({ listen }).runs()
    const pid = engine.process.pid as number
    const before = memoryOf(pid, 'VmRSS')
    await engine.reload(
      { listen, devices: { sensores: { profile: 'mqtt-discovery', broker: broker.url } } },
      /sensores: up/,
    )
    const counted = ({ devices, refused }: Root) => Object.keys(devices).length + (refused.limit ?? 0)
    let seen: Root = await engine.get('sensores')
    for (const end = Date.now() + 20_000; counted(seen) < TOPICS && Date.now() < end; )
      seen = await engine.get('sensores')
    assert.equal([Object.keys(seen.devices).length, seen.refused.limit], [2000, 8000])
    const [last] = Object.keys(seen.devices).slice(-1)
    for (let value = null; value === null; ) value = (await engine.get(`sensores/${last}/t`)).value
    const peak = memoryOf(pid, 'VmHWM')
    const more = memoryOf(pid, 'VmRSS') - before
    console.log(
      `note: ${queue}: ${before.toFixed(0)} MB before, ${more.toFixed(0)} more, ${peak.toFixed(0)} at the worst`,
    )
    assert.ok(peak < PEAK, `${peak} MB`)
    assert.ok(more < MORE, `${more} MB more`)
    await engine.stop()
  })
}

test.run()
