// Where a dispatch with `to` goes (spec §5, §9.4; design §9.14).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Hop } from '../../src/core/dispatch.ts'
import { nameOf, type Routes, route } from '../../src/core/route.ts'
import type { JstpError } from '../../src/core/status.ts'

const ROUTES: Routes = {
  name: 'own',
  selves: new Set(['tcp:127.0.0.1:33333', 'tcp:localhost:33333']),
  allow: [['10.0.0.1', 1, 'tcp'], ['*.lan', 2, 'ws'], 'cocina', 'elsewhere', 'unknown', 'odd'],
  hosts: {
    cocina: [['10.0.0.2', 3, 'TCP']],
    closed: [['10.0.0.3', 3, 'tcp']],
    me: [['127.0.0.1', 33333, 'tcp']],
    elsewhere: ['cocina'],
    odd: [['10.0.0.2', 3, 'pigeon']],
    empty: [],
  },
  transports: new Set(['ws', 'tcp']),
}

/** The target in one word, `self`, or the status of the refusal. */
function to(hop: Hop, stranger = true, routes = ROUTES): string | number {
  try {
    const target = route(hop, routes, stranger)
    return target ? nameOf(target) : 'self'
  } catch (error) {
    return (error as JstpError).status
  }
}

function why(hop: Hop): string {
  try {
    route(hop, ROUTES, true)
    return 'allowed'
  } catch (error) {
    return (error as Error).message
  }
}

test('§5 a stranger is forwarded only to what is allowed: 506', () => {
  assert.is(to(['10.0.0.1', 1, 'tcp']), 'tcp:10.0.0.1:1')
  for (const hop of [
    ['10.0.0.1', 2, 'tcp'],
    ['10.0.0.1', 1, 'ws'],
    ['10.0.0.11', 1, 'tcp'],
    ['x10.0.0.1', 1, 'tcp'],
    ['10.0.0.2', 3, 'tcp'],
  ] as Hop[]) {
    assert.is(to(hop), 506, JSON.stringify(hop))
    assert.is(typeof to(hop, false), 'string', 'we ourselves may go anywhere')
  }
  assert.is(to(['10.0.0.1', 1, 'tcp'], true, { ...ROUTES, allow: [] }), 506, 'by default nowhere')
})

test('§5 an allowed address may begin with a star, port and transport count as well', () => {
  assert.is(to(['pi.lan', 2, 'ws']), 'ws:pi.lan:2')
  assert.is(to(['a.pi.lan', 2, 'ws']), 'ws:a.pi.lan:2')
  for (const address of ['pi.lan.evil', 'pilan', 'lan', 'pi.lan.', '*']) {
    assert.is(to([address, 2, 'ws']), 506, address)
  }
  assert.equal([to(['pi.lan', 3, 'ws']), to(['pi.lan', 2, 'tcp'])], [506, 506])
  const any: Routes = { ...ROUTES, allow: [['*', 9, 'tcp']] }
  assert.equal([to(['h', 9, 'tcp'], true, any), to(['h', 8, 'tcp'], true, any)], ['tcp:h:9', 506])
})

test('§9.4 an unknown transport is 409, before it is asked whether forwarding is allowed', () => {
  for (const stranger of [true, false]) assert.is(to(['10.9.9.9', 1, 'pigeon'], stranger), 409)
  assert.is(to(['10.0.0.1', 1, 'constructor']), 409)
  assert.match(why(['h', 1, 'pigeon']), 'unknown transport "pigeon", known are: tcp, ws')
  assert.ok(why(['h', 1, 'x'.repeat(5000)]).length < 200)
})

test('§5 the label of a transport has no case', () => {
  assert.is(to(['10.0.0.1', 1, 'TCP']), 'tcp:10.0.0.1:1')
  assert.is(to(['127.0.0.1', 33333, 'Tcp']), 'self')
})

test('§9.14 ourselves: an address that we listen at and our name, compared literally', () => {
  assert.equal(
    [to(['127.0.0.1', 33333, 'tcp']), to(['localhost', 33333, 'tcp']), to('own'), to('own', false)],
    Array(4).fill('self'),
  )
  assert.equal(
    [to(['127.0.0.1', 33334, 'tcp']), to(['127.0.0.1', 33333, 'ws']), to(['127.0.0.2', 33333, 'tcp'])],
    [506, 506, 506],
  )
  assert.equal([to('me', false), to('OWN')], ['self', 506])
})

test('§9.14 a name must be allowed to strangers, too; allowed but unknown is 502', () => {
  assert.equal([to('cocina'), to('closed'), to('nobody')], ['tcp:10.0.0.2:3', 506, 506])
  assert.equal([to('closed', false), to('nobody', false), to('empty', false)], ['tcp:10.0.0.3:3', 502, 502])
  assert.equal([to('unknown'), to('elsewhere'), to('odd')], [502, 502, 409])
  assert.match(why('unknown'), '"unknown"')
  assert.match(why('elsewhere'), 'has no address')
})

test('§5 what every object has is no host', () => {
  for (const name of ['constructor', '__proto__', 'toString']) assert.is(to(name, false), 502)
})

test('§5 a name that is allowed opens no address, and an address no name', () => {
  const routes: Routes = { ...ROUTES, allow: ['10.0.0.5', ['cocina', 3, 'tcp']] }
  assert.equal([to(['10.0.0.5', 1, 'tcp'], true, routes), to('cocina', true, routes)], [506, 506])
})

test.run()
