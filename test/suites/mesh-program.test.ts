// needs dist
// heavy
// time limit: 120 s
// The program in the mesh (design §5, §6): a relay of the configuration, engines that announce themselves to it, and their
// end by SIGTERM, which nobody who asks or listens notices.

import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Client, cleanUp, freePort, until } from './mesh-rig.ts'
import { config, Engine, endAll, hormiga } from './rig.ts'

const CAFETERA = { profile: 'delonghi-ecam', simulated: true }

test.after.each(async () => {
  endAll()
  await cleanUp()
})

/** A relay for `casa`, and engines with a coffee machine that serve it. */
async function house(names: string[]) {
  const port = await freePort()
  const listen = { tcp: `127.0.0.1:${port}`, http: false }
  const services = { casa: { announced: true, retry: ['GET'] } }
  const relay = await new Engine({ name: 'relay', listen, services, forward: { allow: ['casa'] } }).runs()
  const start = (name: string) => {
    const more = {
      name,
      devices: { cafetera: CAFETERA },
      announce: ['casa'],
      peers: [['127.0.0.1', port, 'tcp']],
    }
    return new Engine(config(more)).runs()
  }
  const engines = await Promise.all(names.map(start))
  for (const engine of engines) await engine.says(/announced to 127\.0\.0\.1:\d+: casa/)
  return { port, relay, engines, start }
}

test('§6 the program announces a name to its peers, and is reached by it from the command line', async () => {
  const { port, relay, engines } = await house(['uno'])
  const { out, code, err } = await hormiga(['get', `127.0.0.1:${port}:tcp,casa//cafetera/state`, '--json'])
  assert.is(code, 0, err)
  assert.is(JSON.parse(out).status, 200)
  const [casa] = await relay.get('engine/services')
  assert.equal([casa.name, casa.replicas.length, casa.replicas[0].standing], ['casa', 1, 'good'])
  await engines[0]?.end('SIGTERM')
  const late = await hormiga(['get', `127.0.0.1:${port}:tcp,casa//cafetera/state`, '--json'])
  assert.equal([late.code, JSON.parse(late.out).body.code], [1, 'unreachable'])
  for (const engine of [relay, ...engines]) await engine.stop()
})

test('§5 SIGTERM of one of two: every question has its answer, a subscriber goes on', async () => {
  const { port, relay, engines } = await house(['uno', 'dos'])
  const client = new Client({})
  const hop: [string, number, string] = ['127.0.0.1', port, 'tcp']
  const got: number[] = []
  await client.engine.bind(`BIND#PUT#127.0.0.1:${port}:tcp,casa//engine/saturation`, () =>
    got.push(performance.now()),
  )
  const asking = client.load(3000, 300, () => 'GET', { to: [hop, 'casa'], resource: ['cafetera', 'state'] })
  await pause(3000)
  const [casa] = await relay.get('engine/services')
  const index = casa.replicas.findIndex(({ bound }: { bound: number }) => bound > 0)
  const ended = await engines[index]?.end('SIGTERM')
  const endedAt = performance.now()
  await asking
  await client.allEnded()
  assert.is(ended, 0)
  const failed = client.questions.filter(({ answers }) => answers.length !== 1 || answers[0]?.[0] !== 200)
  assert.equal(failed.slice(0, 3), [])
  await until(() => got.some((at) => at > endedAt), 5000)
  const gap = Math.max(...got.slice(1).map((at, i) => at - (got[i] as number)))
  assert.ok(gap < 2500, `no report for ${gap} ms`)
  await client.engine.close(0)
  for (const engine of [relay, ...engines]) await engine.stop()
})

test('§5 `POST ["engine","drain"]`: the program says so, and gets nothing new by the name', async () => {
  const { port, relay, engines } = await house(['uno', 'dos'])
  const [uno] = engines as [Engine, Engine]
  const place = await uno.at()
  const drained = await hormiga(['post', `${place}:tcp//engine/drain`, '--json'])
  assert.equal(JSON.parse(drained.out).body, { draining: true })
  assert.is((await uno.get('engine/saturation')).draining, true)
  const before = (await relay.get('engine/services'))[0].replicas.map(({ given }: { given: number }) => given)
  for (let i = 0; i < 5; i++) {
    const { code } = await hormiga(['get', `127.0.0.1:${port}:tcp,casa//cafetera/state`])
    assert.is(code, 0)
  }
  const [{ replicas }] = await relay.get('engine/services')
  const more = replicas.map(({ given }: { given: number }, i: number) => given - before[i]).sort()
  assert.equal([more[0], more[1] >= 5], [0, true], JSON.stringify(replicas))
  for (const engine of [relay, ...engines]) await engine.stop()
})

test('§7 a service that nobody can serve, and names that are taken, are refused with their place', async () => {
  const services = { docs: {}, relay: { announced: true }, casa: { announced: true } }
  const engine = new Engine({ name: 'relay', services, hosts: { casa: [['a', 1, 'tcp']] } })
  assert.is(await engine.end(), 1)
  for (const line of [
    /services\.docs: nobody can serve it/,
    /services\.relay: it is the name of this engine/,
    /services\.casa: it is in "hosts" too/,
  ]) {
    assert.match(engine.err, line)
  }
  await engine.stop()
})

test.run()
