import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { JstpError } from '../../src/core/status.ts'
import {
  type Command,
  type Context,
  type DeviceStatus,
  type Driver,
  defineDevice,
  LinkError,
  startDevice,
} from '../../src/device/index.ts'
import { bytes, FakeOwner, HandLink, pass, SILENT, TestClock } from './rig.ts'

/** A kettle with a button: the smallest device that has everything. */
function bench(changes: Partial<Driver> = {}, options?: Record<string, number>) {
  const clock = new TestClock()
  const owner = new FakeOwner('kettle')
  const link = new HandLink()
  const states: DeviceStatus[] = []
  let context: Context | undefined
  let downs = 0
  const write = async (value: unknown, command: Command) => command.write(Uint8Array.of(Number(value)))
  const kettle = defineDevice({
    name: 'kettle',
    title: 'A kettle',
    match: [{ medium: 'ble', name: 'kettle' }],
    link: { medium: 'ble', service: '1', characteristic: '2', write: 'with-response' },
    silence: 5000,
    options: { poll: { type: 'integer', range: [1, 10], default: 5, description: 'Poll' } },
    points: {
      state: { methods: ['GET'], type: 'string', description: 'State' },
      target: {
        methods: ['GET', 'PUT'],
        type: 'integer',
        range: [40, 100],
        unit: '°C',
        description: 'Target',
      },
      stock: { methods: ['GET'], type: 'integer', description: 'Read on demand' },
      secret: { methods: ['PUT'], type: 'string', description: 'Can not be read' },
      settings: {
        methods: ['GET', 'PATCH'],
        type: 'object',
        description: 'Settings',
        fields: { beep: { type: 'boolean', description: 'Beeps' } },
      },
      button: { methods: ['GET'], type: 'string', event: true, description: 'Pressed' },
    },
    actions: {
      boil: { description: 'Boils', body: { seconds: { type: 'integer', description: 'How long' } } },
      stop: { description: 'Stops', urgent: true },
    },
    create(given) {
      context = given
      return {
        up() {},
        data: (data) => {
          given.heard()
          given.set('target', data[0] ?? 0)
        },
        down: () => void downs++,
        close() {},
        write: { target: write, settings: async () => ({ confirmed: false }) },
        act: {
          boil: async (_body, command) => command.write(Uint8Array.of(1)),
          stop: async (_body, command) => command.write(Uint8Array.of(0)),
        },
        ...changes,
      }
    },
    simulate: () => Promise.reject(new Error('none')),
  })
  const device = startDevice({
    name: 'kettle',
    profile: kettle,
    link,
    owner,
    clock,
    log: SILENT,
    answerTimeout: 10_000,
    options,
    onChange: (status) => states.push(status),
  })
  return { clock, owner, link, device, states, context: context as unknown as Context, downs: () => downs }
}

test('§9.1 one handler per method and point, and none for anything else', async () => {
  const { owner } = bench()
  assert.equal([...owner.handlers.keys()].sort(), [
    'GET ',
    'GET button',
    'GET settings',
    'GET state',
    'GET stock',
    'GET target',
    'PATCH settings',
    'POST boil',
    'POST stop',
    'PUT secret',
    'PUT target',
  ])
})

test('§9.5 GET of the root is always 200, with what is known and for how long', async () => {
  const { owner, link, clock } = bench()
  const empty = { state: null, target: null, stock: null, settings: null, button: null }
  assert.equal((await owner.ask('GET', '')).body, { online: false, age: null, ...empty })
  link.up()
  link.events?.data(bytes('5a'))
  await clock.advance(1500)
  assert.equal((await owner.ask('GET', '')).body, { online: true, age: 1500, ...empty, target: 90 })
  link.down()
  assert.equal((await owner.ask('GET', '')).body, { online: false, age: 1500, ...empty, target: 90 })
})

test('§9.5 GET of a point: value, unit, age, retained, online', async () => {
  const { owner, link, clock } = bench()
  const offline = await owner.ask('GET', 'target')
  assert.is(offline.status, 500, 'nothing is known, and nobody can say')
  assert.is(offline.body.code, 'offline')
  link.up()
  const unknown = { value: null, unit: '°C', age: null, retained: false, online: true }
  assert.equal((await owner.ask('GET', 'target')).body, unknown)
  link.events?.data(bytes('5a'))
  await clock.advance(300)
  const known = { value: 90, unit: '°C', age: 300, retained: false, online: true }
  assert.equal((await owner.ask('GET', 'target')).body, known)
  link.down()
  assert.equal((await owner.ask('GET', 'target')).body, { ...known, retained: true, online: false })
  link.up()
  assert.equal((await owner.ask('GET', 'target')).body, { ...known, retained: true }, 'not heard since')
  link.events?.data(bytes('5a'))
  assert.equal((await owner.ask('GET', 'target')).body, { ...known, age: 0 })
})

test('§9.5 reports carry the bare value, on change only', () => {
  const { owner, link } = bench()
  link.up()
  for (const byte of ['5a', '5a', '5b', '5a']) link.events?.data(bytes(byte))
  assert.equal(owner.reported('target'), [90, 91, 90])
  assert.ok(owner.reports.every(({ event }) => !event))
})

test('§9.3 an event is reported at every occurrence, with its number', () => {
  const { owner, context } = bench()
  for (let press = 0; press < 3; press++) context.set('button', 'single')
  assert.equal(
    owner.reports,
    [1, 2, 3].map((seq) => ({ point: 'button', value: { value: 'single', seq }, event: true })),
  )
})

test('the state of what is not heard is unknown, and that is reported once', async () => {
  const { owner, link, context } = bench()
  link.up()
  context.set('state', 'ready')
  link.down()
  link.down()
  assert.equal(owner.reported('state'), ['ready', 'unknown'])
  const { body } = await owner.ask('GET', 'state')
  assert.is(body.value, 'unknown')
  assert.is(body.retained, true)
})

test('§9.6 PUT is checked before a byte reaches the link', async () => {
  const { owner, link } = bench()
  link.up()
  for (const body of [39, 101, 50.5, '50', null, undefined, {}]) {
    const { status, body: said } = await owner.ask('PUT', 'target', body)
    assert.is(status, 400)
    assert.is(said.code, 'range')
  }
  assert.is((await owner.ask('PATCH', 'settings', { bep: true })).status, 400)
  assert.is((await owner.ask('POST', 'boil', { minutes: 1 })).status, 400)
  assert.is(link.written.length, 0)
  assert.is((await owner.ask('PUT', 'target', 50)).status, 200)
  assert.equal((await owner.ask('PATCH', 'settings', { beep: true })).body, { confirmed: false })
  assert.is(link.written.length, 1)
})

test('§9.6 offline: 500 at once, with when it was last seen', async () => {
  const { owner, link, clock } = bench()
  for (const [method, point, body] of [
    ['PUT', 'target', 50],
    ['POST', 'boil', {}],
    ['POST', 'stop', undefined],
  ] as const) {
    const { status, body: said } = await owner.ask(method, point, body)
    assert.is(status, 500)
    assert.is(said.code, 'offline')
    assert.is(said.lastSeen, null)
  }
  link.up()
  link.events?.data(bytes('5a'))
  await clock.advance(1000)
  link.down('the battery is empty; charge it')
  const { body } = await owner.ask('PUT', 'target', 50)
  assert.is(body.lastSeen, 1_700_000_000_000)
  assert.match(String(body.message), 'kettle is offline: the battery is empty; charge it')
})

test('§9.6 what the link says becomes its status; only bytes that may have arrived are uncertain', async () => {
  const { owner, link } = bench()
  link.up()
  const outcomes = [
    [new LinkError('offline', 'x'), 500, 'offline'],
    [new LinkError('refused', 'x'), 400, 'device'],
    [new LinkError('lost', 'x'), 504, 'uncertain'],
    [new LinkError('timeout', 'x'), 504, 'uncertain'],
    [new JstpError(400, 'no', { code: 'busy' }), 400, 'busy'],
  ] as const
  for (const [error, status, code] of outcomes) {
    link.outcome = () => Promise.reject(error)
    const answer = await owner.ask('PUT', 'target', 50)
    assert.is(answer.status, status, error.message)
    assert.is(answer.body.code, code)
  }
})

test('§9.6 a driver that does not come to an end: not written is 500, written is 504, and nothing is written after', async () => {
  let late: Promise<void> | undefined
  const { owner, link, clock } = bench({
    act: {
      boil: (_body, command) =>
        new Promise((_resolve, reject) => {
          void command.left()
          clockOf().after(9500, () => {
            late = command.write(Uint8Array.of(7))
            late.catch(reject)
          })
        }),
      stop: async (_body, command) => {
        await command.write(Uint8Array.of(0))
        await new Promise(() => {})
      },
    },
  })
  function clockOf() {
    return clock
  }
  link.up()
  const from = clock.now()
  const boiled = await pass(clock, owner.ask('POST', 'boil', {}))
  assert.is(boiled.status, 500)
  assert.is(boiled.body.code, 'not-executed')
  assert.ok(clock.now() - from <= 9010, 'before the engine gives up')
  await clock.advance(2000)
  assert.ok(late, 'it has tried')
  assert.is(link.written.length, 0)
  const stopped = await pass(clock, owner.ask('POST', 'stop'))
  assert.is(stopped.status, 504)
  assert.is(stopped.body.code, 'uncertain')
})

test('a GET that reads: fresh, else what is known, else 504', async () => {
  let read: () => Promise<void> = async () => {}
  const { owner, link, clock, context } = bench({ read: { stock: () => read() } })
  link.up()
  read = () => Promise.reject(new LinkError('timeout', 'no reply'))
  const failed = await owner.ask('GET', 'stock')
  assert.is(failed.status, 504)
  assert.is(failed.body.code, 'timeout')
  read = async () => context.set('stock', 3)
  assert.is((await owner.ask('GET', 'stock')).body.value, 3)
  read = () => new Promise(() => {})
  const old = await pass(clock, owner.ask('GET', 'stock'))
  assert.is(old.body.value, 3)
  assert.is(old.body.age, 8000)
  assert.is(clock.pending, 0, 'the watchdog has barked, the deadline is gone')
})

test('§9.7 a repeated command is executed once; stop always', async () => {
  const { owner, link } = bench()
  link.up()
  for (let time = 0; time < 3; time++) await owner.ask('POST', 'boil', {}, { id: 't', channel: `${time}` })
  assert.is(link.written.length, 1)
  for (let time = 0; time < 3; time++) await owner.ask('POST', 'stop', undefined, { id: 's' })
  assert.is(link.written.length, 4)
  link.down()
  assert.is((await owner.ask('POST', 'boil', {}, { id: 't' })).status, 200, 'its answer outlives the link')
  assert.is((await owner.ask('POST', 'boil', {}, { id: 'u' })).status, 500)
  link.up()
  assert.is((await owner.ask('POST', 'boil', {}, { id: 'u' })).status, 200, 'a refusal is not remembered')
})

test('supervision: connecting, up, silent, down, closed, each with its cause', async () => {
  const { device, link, clock, states, owner, downs } = bench()
  assert.is(device.status().state, 'connecting')
  assert.is(device.status().lastSeen, null)
  link.up()
  await clock.advance(4999)
  assert.is(device.status().state, 'up')
  await clock.advance(1)
  assert.is(device.status().state, 'silent')
  assert.match(device.status().cause, /nothing for 5 s/)
  assert.is((await owner.ask('PUT', 'target', 50)).body.code, 'offline')
  link.events?.data(bytes('5a'))
  assert.is(device.status().state, 'up')
  assert.is(device.status().lastSeen, clock.wall())
  assert.is((await owner.ask('PUT', 'target', 50)).status, 200)
  link.down('out of range')
  assert.is(device.status().cause, 'out of range')
  assert.is(downs(), 1)
  await device.close()
  assert.equal(
    states.map(({ state }) => state),
    ['up', 'silent', 'up', 'down', 'closed'],
  )
  assert.ok(owner.closed && link.closed)
  assert.is(clock.pending, 0)
})

test('interest: somebody is bound, or has asked in the last ten seconds', async () => {
  const { owner, clock, context } = bench()
  assert.is(context.wanted(), false)
  await owner.ask('GET', '')
  assert.is(context.wanted(), true)
  await clock.advance(10_000)
  assert.is(context.wanted(), false)
  owner.bound.add('target')
  assert.is(context.wanted(), true)
})

test('options: defaults, ranges, and no unknown ones', () => {
  assert.equal(bench().context.options, { poll: 5 })
  assert.equal(bench({}, { poll: 7 }).context.options, { poll: 7 })
  assert.throws(() => bench({}, { poll: 11 }), /devices\/kettle: poll: 11 can't be/)
  assert.throws(() => bench({}, { pol: 7 }), /did you mean "poll"/)
})

test('a point that the profile does not have is a mistake of the driver', () => {
  assert.throws(() => bench().context.set('colour', 1), /no point "colour"/)
})

test.run()
