// Subscriptions to a name that stands for several engines (design §5): bound at one, moved when that dies or is to end;
// nothing is lost that the new one has, nothing comes twice.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Binding } from '../../src/core/asking.ts'
import type { Json } from '../../src/core/dispatch.ts'
import { type Node, pair, type Replica, Town, watch } from './town.ts'

const NEWS = 'BIND#*#docs//news/...'

/** A watcher of `news`: what it got, and which replica it is bound at. */
async function follow(relay: Node) {
  const got: Json[] = []
  const seen = watch(relay.engine.bind(NEWS, ({ dispatch }) => void got.push(dispatch.body ?? null)))
  await relay.town.pass(50)
  return { got, binding: seen.value as Binding }
}

/** What happens outside and every replica hears of, each a little later or earlier: the same dispatch. */
function happen(replicas: Replica[], number: number, stamp = 1000 + number): void {
  for (const { engine } of replicas) {
    const dispatch = { method: 'PUT', resource: ['news', 1], timestamp: stamp, body: number }
    const inside = engine as unknown as { dispatch(...it: unknown[]): void }
    const nobody = { subscriptions: new Map(), triggerings: new Map(), trigger() {} }
    inside.dispatch(dispatch, { open: 0, answered() {}, ended() {} }, nobody)
  }
}

/** The replica that the watcher is bound at, and the other. */
function sides(one: Replica, two: Replica): [Replica, Replica] {
  const own = (replica: Replica) => replica.engine.sizes.subscriptions
  return own(one) > own(two) ? [one, two] : [two, one]
}

test('§5 a BIND is held at one of the engines, and is confirmed', async () => {
  const { town, one, two, relay } = await pair()
  const { got, binding } = await follow(relay)
  assert.is(binding.confirmed, true)
  happen([one, two], 1)
  await town.pass(50)
  assert.equal(got, [1])
  binding.release()
  await town.pass(50)
  happen([one, two], 2)
  await town.pass(50)
  assert.equal([got, relay.mesh.sizes.bounds, relay.mesh.sizes.legs], [[1], 0, 0])
  await town.end()
})

test('§5 it stays where it is, however full that gets', async () => {
  const { town, one, two, relay } = await pair()
  const { got, binding } = await follow(relay)
  const [home] = sides(one, two)
  home.report({ state: 'critical', cause: 'disk', saturation: 1 })
  await town.pass(10_000)
  happen([home], 1)
  await town.pass(50)
  assert.equal([got, relay.counted('mesh.moved')], [[1], 0])
  binding.release()
  await town.end()
})

test('§5 when its engine dies it is bound at another at once', async () => {
  const { town, one, two, relay } = await pair()
  const { got, binding } = await follow(relay)
  const [home, other] = sides(one, two)
  await home.kill()
  await town.pass(20)
  happen([other], 1)
  await town.pass(50)
  assert.equal([got, relay.counted('mesh.moved')], [[1], 1])
  binding.release()
  await town.end()
})

test('§5 what the dead one has reported already is not reported again', async () => {
  const { town, one, two, relay } = await pair()
  const { got, binding } = await follow(relay)
  const [home, other] = sides(one, two)
  happen([home], 1)
  await town.pass(10)
  await home.kill()
  await town.pass(20)
  happen([other], 1)
  happen([other], 2)
  await town.pass(50)
  assert.equal([got, relay.counted('mesh.double')], [[1, 2], 1])
  binding.release()
  await town.end()
})

test('§5 an engine that drains is left only when another has confirmed: reports go on all the time, each once', async () => {
  const { town, one, two, relay } = await pair()
  const { got, binding } = await follow(relay)
  const [home, other] = sides(one, two)
  let number = 0
  for (let step = 0; step < 400; step++) {
    if (step === 100) home.report({ draining: true })
    // One replica hears of it 5 ms later than the other, in turns.
    const [first, second] = step % 2 ? [home, other] : [other, home]
    number++
    happen([first], number)
    await town.pass(5)
    happen([second], number)
    await town.pass(5)
  }
  assert.equal(
    got,
    Array.from({ length: 400 }, (_, i) => i + 1),
  )
  assert.equal(
    [relay.counted('mesh.moved'), home.engine.sizes.subscriptions],
    [1, 1],
    'only the watch is left there',
  )
  assert.ok(relay.counted('mesh.double') > 10)
  binding.release()
  await town.end()
})

test('§5 two reports of one engine that look alike are two', async () => {
  const { town, one, two, relay } = await pair()
  const { got, binding } = await follow(relay)
  const [home, other] = sides(one, two)
  home.report({ draining: true })
  await town.pass(20)
  for (let i = 0; i < 3; i++) happen([other], 7)
  await town.pass(20)
  assert.equal(got, [7, 7, 7])
  happen([home, home, home, home], 7)
  await town.pass(20)
  assert.equal(got, [7, 7, 7, 7], 'three of the four were there')
  binding.release()
  await town.end()
})

test('§5 the engine to which it moves dies before it has confirmed: the old one is kept, and left later', async () => {
  const { town, one, two, relay } = await pair()
  const { got, binding } = await follow(relay)
  const [home, other] = sides(one, two)
  other.freeze()
  home.report({ draining: true })
  await town.pass(100)
  await other.kill()
  happen([home], 1)
  await town.pass(50)
  assert.equal(got, [1])
  const back = await town.replica(other.name)
  await town.pass(15_000)
  happen([home, back], 2)
  await town.pass(50)
  assert.equal([got, relay.counted('mesh.moved')], [[1, 2], 1])
  binding.release()
  await town.end()
})

test('§5 the old engine dies while it is moved: nothing is doubled, nothing is left', async () => {
  const { town, one, two, relay } = await pair()
  const { got, binding } = await follow(relay)
  const [home, other] = sides(one, two)
  other.freeze()
  home.report({ draining: true })
  await town.pass(100)
  await home.kill()
  await town.pass(100)
  other.thaw()
  await town.pass(100)
  happen([other], 1)
  await town.pass(50)
  assert.equal([got, relay.counted('mesh.moved')], [[1], 1])
  binding.release()
  await town.end()
})

test('§5 it comes back to the one that it has just left, where it is bound still', async () => {
  const { town, one, two, relay } = await pair()
  const { got, binding } = await follow(relay)
  const [home, other] = sides(one, two)
  home.report({ draining: true })
  await town.pass(500)
  await other.kill()
  for (const number of [1, 2]) {
    await town.pass(5000)
    happen([home], number)
  }
  await town.pass(50)
  assert.equal([got, relay.mesh.sizes.legs], [[1, 2], 1])
  binding.release()
  await town.end()
})

test('§5 nothing is heard of its engine any more: it is moved, and what comes late comes once', async () => {
  const { town, one, two, relay } = await pair()
  const { got, binding } = await follow(relay)
  const [home, other] = sides(one, two)
  await town.pass(2000)
  home.freeze()
  await town.pass(7000)
  happen([home, other], 1)
  await town.pass(50)
  assert.equal(got, [1])
  home.thaw()
  await town.pass(50)
  assert.equal(got, [1])
  binding.release()
  await town.end()
})

test('§5 all engines are gone: it comes back by itself with the first that does', async () => {
  const { town, one, two, relay } = await pair()
  const { got, binding } = await follow(relay)
  await one.kill()
  await two.kill()
  await town.pass(60_000)
  const back = await town.replica('two')
  await town.pass(12_000)
  happen([back], 1)
  await town.pass(50)
  assert.equal(got, [1])
  binding.release()
  await town.end()
})

test('§5 the first BIND finds nobody: 502, and nothing is bound', async () => {
  const { town, one, two, relay } = await pair()
  await one.kill()
  await two.kill()
  let error: unknown
  relay.engine
    .bind(NEWS, () => {})
    .catch((it) => {
      error = it
    })
  await town.pass(1000)
  assert.match(String(error), 'no replica of "docs" can be reached')
  assert.equal(relay.mesh.sizes, { bounds: 0, legs: 0, open: 0, announced: 0 })
  await town.end()
})

test('§5 an engine that refuses the BIND has said so for all', async () => {
  const town = new Town()
  const rule = [{ method: ['BIND'], resource: ['engine', '...'] }]
  const one = await town.replica('one', { access: rule })
  const relay = await town.node('relay', { services: { docs: { replicas: [one.at] } } })
  let error: unknown
  relay.engine
    .bind(NEWS, () => {})
    .catch((it) => {
      error = it
    })
  await town.pass(1000)
  assert.is((error as { status: number }).status, 401)
  assert.is(relay.mesh.sizes.bounds, 0)
  await town.end()
})

test('§5 a subscriber that goes away leaves nothing behind, also while its BIND is under way', async () => {
  const { town, one, two } = await pair()
  const open = await town.node('open', {
    forward: { allow: ['docs'] },
    services: { docs: { replicas: [one.at, two.at] } },
  })
  const client = await town.node('client')
  const other = await town.node('other')
  watch(client.engine.bind('BIND#*#open:1:memory,docs//news', () => {}))
  await town.pass(50)
  assert.is(open.mesh.sizes.bounds, 1)
  one.freeze()
  two.freeze()
  watch(other.engine.bind('BIND#*#open:1:memory,docs//news', () => {}).catch(() => {}))
  await town.pass(50)
  await client.kill()
  await other.kill()
  one.thaw()
  two.thaw()
  await town.pass(1000)
  assert.equal(open.mesh.sizes, { bounds: 0, legs: 0, open: 0, announced: 0 })
  assert.is(one.engine.sizes.subscriptions + two.engine.sizes.subscriptions, 2, 'the two watches')
  await town.end()
})

test('§3 RELEASE by the name: 200, and 406 where nothing is bound', async () => {
  const { town, relay, one, two } = await pair()
  const open = await town.node('open', {
    forward: { allow: ['docs'] },
    services: { docs: { replicas: [one.at, two.at] } },
  })
  const endpoint = { method: '*', resource: ['news'] }
  const say = (method: string) => watch(relay.say({ method, endpoint, timestamp: 1, to: [open.at, 'docs'] }))
  const all = async (methods: string[], ms: number) => {
    const seen = []
    for (const method of methods) {
      seen.push(say(method))
      await town.pass(ms)
    }
    await town.pass(100)
    return seen.map(({ value }) => value?.[0]?.status)
  }
  const methods = ['RELEASE', 'BIND', 'BIND', 'RELEASE', 'RELEASE']
  assert.equal(await all(methods, 50), [406, 200, 200, 200, 406])
  assert.equal(await all(methods, 0), [406, 200, 200, 200, 406])
  one.freeze()
  two.freeze()
  assert.equal(await all(methods, 0), [406, 502, 502, 200, 406], 'what was not bound yet has an end, too')
  one.thaw()
  two.thaw()
  await town.pass(100)
  assert.is(open.mesh.sizes.bounds, 0)
  await town.end()
})

test('§4 what an engine of the service asks its subscribers is answered by them', async () => {
  const { town, one, two, relay } = await pair()
  const binding = watch(relay.engine.bind('BIND#GET#docs//luz', () => 'on'))
  await town.pass(50)
  const [home] = sides(one, two)
  const answers = watch(home.engine.get('luz').all())
  await town.pass(50)
  assert.equal(
    answers.value?.map(({ status, body }) => [status, body]),
    [[200, 'on']],
  )
  binding.value?.release()
  await town.end()
})

test('§4 the same for subscribers of another engine', async () => {
  const { town, one, two } = await pair()
  const docs = { replicas: [one.at, two.at] }
  const open = await town.node('open', { forward: { allow: ['docs'] }, services: { docs } })
  const client = await town.node('client')
  const binding = watch(client.engine.bind('BIND#GET#open:1:memory,docs//luz', () => 'on'))
  await town.pass(50)
  const [home] = sides(one, two)
  const answers = watch(home.engine.get('luz').all())
  await town.pass(50)
  assert.equal(
    answers.value?.map(({ status, body }) => [status, body]),
    [[200, 'on']],
  )
  binding.value?.release()
  await town.pass(50)
  assert.equal(open.mesh.sizes.legs, 0)
  await town.end()
})

test('§9.2 an observer stays one wherever it is moved to', async () => {
  const { town, one, two, relay } = await pair()
  const binding = watch(relay.engine.bind('BIND#GET#docs//luz', () => 'on', { observe: true }))
  await town.pass(50)
  for (const replica of [one, two]) {
    const answer = watch(replica.engine.get('luz').first())
    await town.pass(50)
    assert.is(answer.value?.status, 404)
  }
  const [home] = sides(one, two)
  await home.kill()
  await town.pass(100)
  const answer = watch((home === one ? two : one).engine.get('luz').first())
  await town.pass(50)
  assert.is(answer.value?.status, 404)
  binding.value?.release()
  await town.end()
})

test('§2 no more subscriptions than the limit allows', async () => {
  const { town, one, two } = await pair()
  const docs = { replicas: [one.at, two.at] }
  const relay = await town.node('small', {
    limits: { subscriptions: 2 },
    forward: { allow: ['docs'] },
    services: { docs },
  })
  const client = await town.node('client')
  const say = (resource: string[]) =>
    watch(
      client.say({
        method: 'BIND',
        endpoint: { method: '*', resource },
        timestamp: 1,
        to: [relay.at, 'docs'],
      }),
    )
  const statuses = [say(['a']), say(['b']), say(['c'])]
  await town.pass(1000)
  assert.equal(
    statuses.map(({ value }) => value?.[0]?.status),
    [200, 200, 400],
  )
  await client.kill()
  await town.end()
})

test.run()
