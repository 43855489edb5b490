// Who may do what without a key (design §9.15).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Access, isLoopback, type Rule } from '../../src/core/access.ts'
import type { Dispatch, Element, Hop } from '../../src/core/dispatch.ts'
import { bodyOf, Stage, settle } from './stage.ts'

const RULES: Rule[] = [
  { method: ['GET', 'bind'], resource: ['clima', '...'] },
  { method: ['*'], resource: ['libre', '*'] },
]

const may = (method: string, resource: Element[]) =>
  new Access(RULES).permits({ method, resource, timestamp: 1 })
const mayBind = (resource: Element[], method = '*') =>
  new Access(RULES).permits({ method: 'BIND', endpoint: { method, resource }, timestamp: 1 })

test('§9.15 a rule allows its methods on the resources that match', () => {
  assert.equal([may('GET', ['clima']), may('GET', ['clima', 'hoy', 3])], [true, true])
  assert.equal([may('PUT', ['clima', 'hoy']), may('GET', ['otro'])], [false, false])
  assert.equal(
    [may('BREW', ['libre', 'a']), may('BREW', ['libre']), may('BREW', ['libre', 'a', 'b'])],
    [true, false, false],
  )
})

test('§9.15 a BIND must be contained in what is allowed', () => {
  assert.equal([mayBind(['clima', ':x', '...']), mayBind(['clima'])], [true, true])
  assert.equal([mayBind(['...']), mayBind(['*']), mayBind(['*', 'hoy'])], [false, false, false])
  assert.equal([mayBind(['libre', 'a']), mayBind(['libre', '...'])], [true, false])
})

test('R15 no wildcard reaches what is about keys', () => {
  const may = (resource: Element[], rule: Element[]) =>
    new Access([{ method: ['*'], resource: rule }]).permits({ method: 'GET', resource, timestamp: 1 })
  assert.equal([may(['sec', 'stats'], ['...']), may(['sec', 'stats'], ['*', 'stats'])], [false, false])
  assert.equal([may(['sec', 'stats'], ['sec', 'stats']), may(['sec', 'stats'], ['sec', '*'])], [true, true])
  const bind = { method: 'BIND', endpoint: { method: 'PUT', resource: ['sec', '...'] }, timestamp: 1 }
  assert.not(new Access([{ method: ['*'], resource: ['...'] }]).permits(bind))
})

test('§9.15 what only ends something needs no right', () => {
  const endpoint = { method: '*', resource: ['secret'] }
  assert.ok(new Access([]).permits({ method: 'RELEASE', endpoint, timestamp: 1 } as Dispatch))
  assert.ok(new Access([]).permits({ method: 'ANSWER', resource: [200, 'tx', 'id'], timestamp: 1 }))
})

test('§9.15 loopback is what the machine can only call itself by', () => {
  for (const address of ['127.0.0.1', '127.1.2.3', '::1', 'localhost', '::ffff:127.0.0.1']) {
    assert.ok(isLoopback(address), address)
  }
  for (const address of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '1127.0.0.1',
    '127.0.0.1.evil.example',
    '127.evil.example',
    'localhost.evil.example',
    '',
  ]) {
    assert.not(isLoopback(address), address)
  }
})

test('§9.15 a listener on loopback is open, any other denies all and says so', () => {
  const stage = new Stage()
  stage.engine.own('luz').handle('GET', [], () => 'on')
  const near = stage.pipe()
  assert.equal(near.told(near.ask('GET', ['luz'])), [[200, 'on'], [101]])
  assert.not(stage.lines.some((line) => line.startsWith('warn')))
  const far = stage.pipe({ address: '192.168.1.5' })
  assert.ok(stage.lines.some((line) => line.startsWith('warn: 192.168.1.5 is not loopback')))
  const [status, body] = far.told(far.ask('GET', ['luz']))[0] ?? []
  assert.is(status, 401)
  assert.match(bodyOf({ body }).message, 'access')
  assert.equal(far.subscribe('BIND', '*', ['...'])[0]?.[0], 401)
  assert.equal([stage.counted('refused.401'), stage.engine.sizes.subscriptions], [2, 0])
})

test('§9.15 rules hold everywhere, on loopback too', () => {
  const stage = new Stage({ access: RULES })
  for (const address of ['127.0.0.1', '0.0.0.0']) {
    const peer = stage.pipe({ address })
    assert.equal(peer.statuses(peer.ask('GET', ['clima'])), [404])
    assert.equal(peer.statuses(peer.ask('GET', ['otro'])), [401])
    assert.equal(peer.subscribe('BIND', '*', ['...'])[0]?.[0], 401)
    assert.equal(peer.subscribe('BIND', 'PUT', ['clima', '*'])[0]?.[0], 200)
    assert.equal(peer.subscribe('RELEASE', 'PUT', ['clima', '*'])[0]?.[0], 200)
  }
})

test('§9.15 going through our own name changes nothing', () => {
  const stage = new Stage({ access: RULES })
  const peer = stage.pipe()
  assert.equal(peer.statuses(peer.ask('GET', ['otro'], { to: ['own', 'own'] })), [401])
  assert.equal(peer.statuses(peer.ask('GET', ['clima'], { to: ['own', 'own'] })), [404])
})

test('§9.15 a triggered stranger may answer', () => {
  const stage = new Stage({ access: RULES })
  const [asker, answerer] = stage.pipes(2) as [ReturnType<Stage['pipe']>, ReturnType<Stage['pipe']>]
  answerer.bind('GET', ['clima'])
  const id = asker.ask('GET', ['clima'])
  answerer.answer(answerer.next())
  assert.equal(asker.statuses(id), [200, 101])
})

test('§9.15 a host that we have dialed is a stranger, too, but for what was bound there', async () => {
  const stage = new Stage({ name: 'own' })
  const { engine, net } = stage
  engine.own('luz').handle('PUT', [], () => {})
  const seen: unknown[] = []
  const bound = engine.bind(
    'jstp:BIND#*#10.0.0.9:1:fake//luz',
    ({ dispatch }) => void seen.push(dispatch.body),
  )
  await settle(stage)
  const host = net.last
  host.say({ method: 'ANSWER', resource: [200, host.next().token?.[0] as string, 'x'] })
  await bound
  host.say({ method: 'PUT', resource: ['luz'], body: 'theirs' })
  assert.equal(seen, ['theirs'])
  assert.equal(host.statuses(host.ask('PUT', ['luz'], { body: 'ours' })), [401])
  assert.equal(host.statuses(host.ask('GET', ['other'])), [401])
  assert.equal(seen, ['theirs'])
})

test('§9.15 a host where we are bound may not use us to reach others', async () => {
  const [PI, TELE]: [Hop, Hop] = [
    ['pi.lan', 1, 'fake'],
    ['tele.lan', 1, 'fake'],
  ]
  const stage = new Stage({ forward: { allow: [PI, TELE] } })
  const asker = stage.pipe()
  asker.say({ method: 'BIND', endpoint: { method: '*', resource: ['luz'] }, to: [PI] })
  await settle(stage)
  const host = stage.net.last
  host.say({ method: 'PUT', resource: ['luz'], to: [TELE] })
  host.say({ method: 'PUT', resource: ['luz'], to: ['own'] })
  await settle(stage)
  assert.equal([stage.net.dialed, stage.counted('refused.401'), asker.heard], [['pi.lan:1'], 2, []])
})

test.run()
