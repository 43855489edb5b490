// Asking a name that stands for several engines (design §5, §9.18): who is asked, and what happens when he dies.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import { codeOf, pair, Town, told, watch } from './town.ts'

test('§5 a name with several engines: each dispatch goes to one of them, and all get some', async () => {
  const { town, one, two, relay } = await pair()
  const asked = Array.from({ length: 100 }, () => watch(relay.ask('POST')))
  await town.pass(100)
  for (const { value } of asked)
    assert.match(String(value?.map(({ status, body }) => `${status} ${body}`)), /^200 (one|two)$/)
  assert.is(one.done.length + two.done.length, 100)
  assert.ok(Math.min(one.done.length, two.done.length) > 30, `${one.done.length} and ${two.done.length}`)
  await town.end()
})

test('§9.14 a stranger may use the name only if it is in forward.allow', async () => {
  const { town, relay } = await pair()
  const other = await town.node('other')
  const open = await town.node('open', {
    forward: { allow: ['docs'] },
    services: { docs: { replicas: [['one', 1, 'memory']] } },
  })
  const refused = watch(other.ask('GET', { to: [relay.at, 'docs'] }))
  const allowed = watch(other.ask('GET', { to: [open.at, 'docs'] }))
  await town.pass(1000)
  assert.is(refused.value?.[0]?.status, 506)
  assert.equal(told(allowed.value ?? []), [[200, 'one']])
  await town.end()
})

test('§3 what is sent on by a name is one hop further', async () => {
  const { town, one, two } = await pair()
  const other = await town.node('other')
  const open = await town.node('open', {
    forward: { allow: ['docs'] },
    services: { docs: { replicas: [one.at, two.at] } },
  })
  let hops: Json | undefined
  for (const replica of [one, two]) {
    replica.serve = ({ dispatch }) => {
      hops = dispatch.hops
    }
  }
  const answer = watch(other.ask('GET', { to: [open.at, 'docs'] }))
  await town.pass(100)
  assert.equal([answer.value?.[0]?.status, hops], [200, 1])
  await town.end()
})

test('§5 one that can not be reached has done nothing: every method is tried elsewhere', async () => {
  const { town, one, two, relay } = await pair()
  await one.kill()
  for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']) {
    const answers = Array.from({ length: 5 }, () => watch(relay.ask(method)))
    await town.pass(100)
    for (const { value } of answers) assert.equal(told(value ?? []), [[200, 'two']])
  }
  assert.is(two.done.length, 25)
  assert.ok(relay.counted('mesh.retry') > 0)
  await town.end()
})

for (const retry of [undefined, ['GET', 'put']]) {
  test(`§9.18 one that dies while it is asked: ${retry ?? 'GET'} is tried elsewhere, the rest is 502 uncertain`, async () => {
    const { town, one, two, relay } = await pair(retry ? { retry } : {})
    one.serve = two.serve = () => new Promise<never>(() => {})
    const asked = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE'].flatMap((method) =>
      Array.from({ length: 8 }, (_, index) => ({
        method,
        index,
        seen: watch(relay.ask(method, { body: index })),
      })),
    )
    await town.pass(100)
    const dead = one.done.map(({ method, body }) => `${method} ${body}`)
    assert.ok(dead.length > 5 && two.done.length > 5)
    two.serve = () => 'two'
    await one.kill()
    await town.pass(100)
    const repeated = new Set(['GET', ...(retry ? ['PUT'] : [])])
    for (const { method, index, seen } of asked) {
      if (!dead.includes(`${method} ${index}`)) continue
      if (repeated.has(method)) assert.equal(told(seen.value ?? []), [[200, 'two']], method)
      else
        assert.equal(
          [seen.value?.length, seen.value?.[0]?.status, codeOf(seen.value ?? [])],
          [1, 502, 'uncertain'],
        )
    }
    await town.pass(15_000)
    assert.ok(
      asked.every(({ seen }) => seen.value),
      'the others have ended too',
    )
    await town.end()
  })
}

test('§9.18 after the first answer nothing is tried elsewhere', async () => {
  const { town, one, two, relay } = await pair()
  // Two subscribers, so that the first answer is not the last.
  const bound = [one, two].flatMap(({ engine }) => [
    engine.bind('GET#plain', ({ answer }) => answer(100)),
    engine.bind('GET#plain', () => new Promise<never>(() => {})),
  ])
  await town.pass(10)
  const seen = watch(relay.say({ method: 'GET', resource: ['plain'], timestamp: 1, to: ['docs'] }))
  await town.pass(100)
  assert.is(seen.value, undefined, 'one more answer is to come')
  await Promise.all([one.kill(), two.kill()])
  await town.pass(100)
  const [first, last, ...more] = seen.value ?? []
  assert.equal(
    [first?.status, last?.status, codeOf(last ? [last] : []), more.length],
    [100, 502, 'uncertain', 0],
  )
  assert.is(relay.counted('mesh.retry'), 0)
  for (const binding of bound) (await binding).release()
  await town.end()
})

test('§5 what a host answers is an answer, whatever it says', async () => {
  const { town, one, two, relay } = await pair()
  for (const code of ['lost', 'unreachable', 'uncertain']) {
    one.serve = two.serve = ({ answer }) => answer(502, { code, message: 'mine' })
    const seen = watch(relay.ask('GET'))
    await town.pass(400)
    assert.equal(told(seen.value ?? []), [[502, { code, message: 'mine' }]])
  }
  assert.is(one.done.length + two.done.length, 3)
  await town.end()
})

test('§5 who says that it takes no new work has done nothing: a POST is tried elsewhere', async () => {
  const { town, one, relay } = await pair()
  one.serve = ({ answer }) => answer(502, { code: 'draining', message: 'this engine is stopping' })
  const asked = Array.from({ length: 20 }, () => watch(relay.ask('POST')))
  await town.pass(100)
  for (const { value } of asked) assert.equal(told(value ?? []), [[200, 'two']])
  const before = one.done.length
  const later = Array.from({ length: 20 }, () => watch(relay.ask('POST')))
  await town.pass(100)
  assert.is(one.done.length, before, 'it is not asked any more')
  for (const { value } of later) assert.equal(told(value ?? []), [[200, 'two']])
  await one.kill()
  await town.pass(100)
  const again = await town.replica('one')
  await town.pass(5000)
  const last = Array.from({ length: 40 }, () => watch(relay.ask('POST')))
  await town.pass(100)
  assert.ok(last.every(({ value }) => value?.[0]?.status === 200))
  assert.ok(again.done.length > 5, 'when it has started again it is asked again')
  await town.end()
})

test('§5 one that does not let us watch it: it is asked, and for a second after a failure it is not', async () => {
  const town = new Town()
  const access = [{ method: ['*'], resource: ['docs', '...'] }]
  const one = await town.replica('one', { access })
  const two = await town.replica('two', { access })
  const relay = await town.node('relay', { services: { docs: { replicas: [one.at, two.at] } } })
  const ask = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const seen = watch(relay.ask('GET'))
      await town.pass(1)
      assert.is(seen.value?.[0]?.status, 200)
    }
  }
  await ask(40)
  assert.ok(one.done.length > 5 && two.done.length > 5)
  await one.kill()
  await ask(100)
  assert.is(relay.counted('mesh.retry'), 1)
  await town.pass(1000)
  await ask(100)
  assert.is(relay.counted('mesh.retry'), 2)
  await town.end()
})

test('§5 the time that there is for an answer holds for all tries together', async () => {
  const { town, one, two, relay } = await pair()
  one.serve = two.serve = () => new Promise<never>(() => {})
  const seen = watch(relay.ask('GET'))
  await town.pass(8000)
  const [busy, other] = one.done.length > 0 ? [one, two] : [two, one]
  await busy.kill()
  await town.pass(3000)
  assert.equal([other.done.length, seen.value], [1, undefined])
  await town.pass(600)
  assert.equal([seen.value?.length, seen.value?.[0]?.status, codeOf(seen.value ?? [])], [1, 504, 'uncertain'])
  await town.end()
})

test('§2 a dispatch that expires is asked elsewhere with what is left of its life, and not after that', async () => {
  const { town, one, two, relay } = await pair()
  const left: (number | undefined)[] = []
  one.serve = two.serve = ({ dispatch }) => {
    left.push(dispatch.expires)
    return new Promise<never>(() => {})
  }
  const seen = watch(relay.ask('GET', { expires: 5000 }))
  await town.pass(2000)
  await (one.done.length > 0 ? one : two).kill()
  await town.pass(100)
  assert.equal(left, [5000, 3000])
  await town.pass(4000)
  for (const replica of [one, two]) await replica.kill()
  await town.pass(1000)
  assert.equal(told(seen.value ?? []), [[504, { message: 'expired', expired: true }]])
  await town.end()
})

test('§5 none can be reached: 502 that says so, once', async () => {
  const { town, one, two, relay } = await pair()
  await one.kill()
  await two.kill()
  const seen = watch(relay.ask('POST'))
  await town.pass(100)
  assert.equal(
    [seen.value?.length, seen.value?.[0]?.status, codeOf(seen.value ?? [])],
    [1, 502, 'unreachable'],
  )
  const body = seen.value?.[0]?.body
  assert.equal(body, { message: 'no replica of "docs" can be reached', code: 'unreachable' })
  await town.end()
})

test('§5 one that has fallen silent gets nothing new, until it is heard again', async () => {
  const { town, one, two, relay } = await pair()
  const ask = async (count: number) => {
    const asked = Array.from({ length: count }, () => watch(relay.ask('GET')))
    await town.pass(100)
    return asked.filter(({ value }) => value?.[0]?.body === 'two').length
  }
  await ask(1)
  await town.pass(2000)
  one.freeze()
  await town.pass(6000)
  assert.is(await ask(20), 20, 'all at the other one')
  one.thaw()
  await town.pass(2000)
  assert.ok((await ask(40)) < 35)
  assert.ok(two.done.length > 0)
  await town.end()
})

test('§5 one that is back is used again within a second', async () => {
  const town = new Town()
  const one = await town.replica('one')
  const two = await town.replica('two')
  const relay = await town.node('relay', { services: { docs: { replicas: [one.at, two.at] } } })
  watch(relay.ask('GET'))
  await town.pass(1000)
  await one.kill()
  await town.pass(500)
  const again = await town.replica('one')
  await town.pass(2000)
  const asked = Array.from({ length: 40 }, () => watch(relay.ask('GET')))
  await town.pass(100)
  assert.ok(asked.every(({ value }) => value?.[0]?.status === 200))
  assert.ok(again.done.length > 5)
  await town.end()
})

test('§5 what wants no answer goes to one of them', async () => {
  const { town, one, two, relay } = await pair()
  for (let i = 0; i < 20; i++) relay.engine.send('POST', ['docs', 'page'])
  assert.is(one.done.length + two.done.length, 0, 'without the name it is for this engine')
  for (let i = 0; i < 20; i++) relay.engine.send('POST', 'docs//docs/page', { body: i })
  await town.pass(100)
  assert.is(one.done.length + two.done.length, 20)
  await town.end()
})

test('§9.17 what is protected is not ours to choose for: it goes to the first', async () => {
  const { town, one, two, relay } = await pair()
  const seen: string[] = []
  const bound = [one, two].map(({ name, engine }) =>
    engine.bind('POST#sealed/...', () => void seen.push(name)),
  )
  for (let i = 0; i < 10; i++) {
    watch(relay.say({ method: 'POST', resource: ['sealed', 'x'], timestamp: 1, sec: 'x', to: ['docs'] }))
  }
  await town.pass(100)
  assert.equal([seen.length, new Set(seen)], [10, new Set(['one'])])
  for (const binding of bound) (await binding).release()
  await town.end()
})

test.run()
