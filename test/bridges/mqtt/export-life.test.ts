// How our devices live in Home Assistant: they come, change, are used, go; connections break, strangers send what they like.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import ecam from '../../../devices/delonghi-ecam/device.ts'
import { simulator } from '../../../devices/delonghi-ecam/simulator.ts'
import { NODE } from './export-kit.ts'
import { problemsOf } from './export-schema.ts'
import { BASE, CONFIG, end, stage } from './export-stage.ts'

test('a device appears with all its states, and only what is behind no broker', async () => {
  const all = await stage()
  const { assistant, house, home, pass } = all
  assert.equal(home.devices(), ['cafetera'])
  for (const config of assistant.configs.values()) assert.equal(problemsOf(config), [])
  assert.is(assistant.state('state'), 'ready')
  assert.is(assistant.state('power'), 'ON')
  assert.is(assistant.state('progress'), '0')
  assert.is(assistant.state('alarms'), 'OFF')
  assert.is(assistant.state('profile'), 'None')
  assert.is(assistant.state('settings-hardness'), '2')
  assert.is(assistant.state('settings-autooff'), '30')
  assert.ok((assistant.find('brew-recipe').config.options as string[]).includes('espresso'))
  house.pretend('sensores', 'mqtt', 'up', [
    { resource: ['sensores', 'x'], methods: ['GET'], description: 'x', type: 'number' },
  ])
  await pass(1000)
  assert.equal(home.devices(), ['cafetera'])
  assert.ok(all.broker.log.every(({ qos }) => qos === 1))
  await end(all)
  assert.is(all.broker.kept.get(`${BASE}/status`), 'offline')
})

test('what can be chosen changes: the discovery is told anew, and a choice that is no more is none', async () => {
  const all = await stage()
  const { broker, house, pass, assistant } = all
  const owner = house.engine.own('robot')
  house.pretend('robot', 'serial', 'up', [
    { resource: ['robot', 'jobs'], methods: ['GET', 'BIND'], description: 'x', type: 'object' },
    {
      resource: ['robot', 'run'],
      methods: ['POST'],
      description: 'x',
      body: { job: { type: 'string', required: true, description: 'x' } },
    },
  ])
  await pass(500)
  assert.equal(assistant.find('run-job').config.options, [])
  owner.report(['jobs'], { a: {}, b: {} })
  await pass(500)
  assert.equal(assistant.find('run-job').config.options, ['a', 'b'])
  broker.say(`${BASE}/robot/run-job/set`, 'b')
  await pass(500)
  assert.is(assistant.state('run-job'), 'b')
  owner.report(['jobs'], { a: {} })
  await pass(500)
  assert.is(assistant.state('run-job'), 'None')
  broker.say(`${BASE}/robot/run/set`, 'PRESS')
  await pass(500)
  assert.match(String(assistant.state('robot_last_refusal')), /choose "Job" first/)
  owner.close()
  await end(all)
})

test('a change is told once; a state that did not change is not', async () => {
  const all = await stage()
  const { assistant, machine, pass, broker } = all
  const before = broker.log.length
  await pass(5000)
  assert.is(broker.log.length, before)
  machine.raise('empty-water-tank')
  await pass(2000)
  assert.is(assistant.state('alarms'), 'ON')
  assert.equal(assistant.attributes('alarms'), { alarms: ['empty-water-tank'] })
  assert.is(assistant.state('state'), 'alarm')
  assert.is(broker.log.filter(({ topic }) => topic === `${BASE}/cafetera/alarms/state`).length, 2)
  await end(all)
})

test('C1 what the broker has kept is no command: ignored, counted, told', async () => {
  const all = await stage()
  const { broker, machine, meters, pass, lines } = all
  broker.say(`${BASE}/cafetera/power/set`, 'OFF', true)
  broker.say(`${BASE}/cafetera/brew-recipe/set`, 'espresso', true)
  broker.say(`${BASE}/cafetera/brew/set`, 'PRESS', true)
  await pass(3000)
  assert.is(meters.read()['homeassistant.retained'], 3)
  assert.is(meters.read()['homeassistant.command'], undefined)
  assert.is(all.assistant.state('power'), 'ON')
  assert.is(all.assistant.state('brew-recipe'), 'None')
  assert.is(machine.stops, 0)
  assert.match(lines.join('\n'), /kept by the broker/)
  await end(all)
})

test('what is no value of the entity is refused before anything is asked, and told', async () => {
  const all = await stage()
  const { broker, assistant, meters, pass } = all
  const hostile: [string, (string | Uint8Array)[]][] = [
    ['power', ['on', 'TOGGLE', '', 'true', '{"state":"ON"}', new Uint8Array([0xff, 0xfe]), 'O'.repeat(5000)]],
    ['profile', ['NaN', 'Infinity', '0x2', '1e999', '2.5', '', ' 2', '9'.repeat(40), '[2]']],
    ['settings-autooff', ['16', '-1', 'null']],
    ['settings-hardness', ['zwei']],
    ['brew-recipe', ['lava', '__proto__', 'constructor', '']],
    ['brew', ['PRESS', 'press', '{"recipe":"espresso"}']],
    ['stop', ['', 'STOP']],
  ]
  let count = 0
  for (const [id, payloads] of hostile) {
    for (const payload of payloads) {
      broker.say(`${BASE}/cafetera/${id}/set`, payload)
      count++
    }
  }
  await pass(500)
  assert.is(meters.read()['homeassistant.refused'], count)
  assert.is(meters.read()['homeassistant.command'], undefined)
  // What has the right form is checked by the device itself, as for anybody.
  broker.say(`${BASE}/cafetera/profile/set`, '9')
  broker.say(`${BASE}/cafetera/settings-hardness/set`, '77')
  await pass(500)
  assert.is(meters.read()['homeassistant.refused'], count + 2)
  assert.is(meters.read()['homeassistant.command'], 2)
  assert.match(String(assistant.state('last_refusal')), /77/)
  assert.equal(assistant.attributes('last_refusal'), {
    command: 'settings-hardness',
    status: 400,
    code: 'range',
  })
  await end(all)
})

test('what comes on other topics is no command', async () => {
  const all = await stage()
  const { broker, meters, pass } = all
  for (const topic of [
    `${BASE}/cafetera/power/state`,
    `${BASE}/robot/power/set`,
    'hormiga/ffff/cafetera/power/set',
    'x',
  ])
    broker.say(topic, 'OFF')
  await pass(500)
  assert.is(meters.read()['homeassistant.stray'], 4)
  assert.is(meters.read()['homeassistant.command'], undefined)
  await end(all)
})

test('commands of one device are bounded; stop is not held up by the others', async () => {
  const all = await stage()
  const { broker, meters, pass, machine } = all
  for (let i = 0; i < 50; i++) broker.say(`${BASE}/cafetera/profile/set`, '2')
  broker.say(`${BASE}/cafetera/stop/set`, 'PRESS')
  await pass(4000)
  assert.is(meters.read()['homeassistant.busy'], 42)
  assert.is(machine.stops, 1)
  await end(all)
})

test('after a lost connection, and when Home Assistant has started, all is told anew', async () => {
  const all = await stage()
  const { broker, pass, assistant, machine } = all
  const told = () => broker.log.filter(({ topic }) => topic === CONFIG).length
  broker.down()
  machine.raise('empty-water-tank')
  await pass(2000)
  const before = told()
  const length = broker.log.length
  broker.up()
  await pass(100)
  assert.is(told(), before + 1)
  assert.is(assistant.state('alarms'), 'ON')
  const order = broker.log.slice(length).map(({ topic }) => topic)
  assert.ok(order.indexOf(CONFIG) < order.indexOf(`${BASE}/status`))
  assert.ok(order.indexOf(`${BASE}/status`) < order.indexOf(`${BASE}/cafetera/state/state`))
  // A birth that is only remembered is none, and many are one.
  broker.say('homeassistant/status', 'online', true)
  broker.say('homeassistant/status', 'offline')
  await pass(4000)
  assert.is(told(), before + 1)
  for (let i = 0; i < 100; i++) broker.say('homeassistant/status', 'online')
  await pass(4000)
  assert.is(told(), before + 2)
  await end(all)
})

test('a device that goes is unavailable at once and out after a while; one that is only reloaded stays', async () => {
  const all = await stage()
  const { house, pass, assistant, broker, clock } = all
  const told = broker.log.filter(({ topic }) => topic === CONFIG).length
  await house.remove('cafetera')
  await pass(1000)
  assert.is(assistant.state('state'), 'unavailable')
  const machine = simulator(clock)
  machine.warm()
  house.add('cafetera', ecam, machine)
  await pass(9000)
  assert.is(assistant.state('state'), 'ready')
  assert.is(broker.log.filter(({ topic }) => topic === CONFIG).length, told)
  house.add('café', ecam, simulator(clock))
  await pass(9000)
  assert.equal(all.home.devices(), ['cafetera', 'café'])
  assert.is(assistant.configs.size, 2)
  for (const [topic, config] of assistant.configs) {
    assert.match(topic, /^homeassistant\/device\/[a-zA-Z0-9_-]+\/[a-zA-Z0-9_-]+\/config$/)
    assert.equal(problemsOf(config), [])
  }
  await house.remove('cafetera')
  await house.remove('café')
  await pass(6000)
  assert.equal(all.home.devices(), [])
  assert.is(assistant.entities.size, 0)
  assert.equal([...broker.kept.keys()], [`${BASE}/status`])
  await end(all)
})

test('a device that is offline is unavailable; its states are read when it is back', async () => {
  const all = await stage()
  const { machine, pass, assistant } = all
  machine.vanish('now', 20_000)
  await pass(2000)
  assert.is(assistant.state('state'), 'unavailable')
  assistant.use('power', 'turn_off')
  await pass(500)
  assert.is(assistant.state('last_refusal'), 'unavailable')
  assert.is(all.meters.read()['homeassistant.refused'], 1)
  await pass(60_000)
  assert.is(assistant.state('state'), 'ready')
  await end(all)
})

test('what an earlier life of ours has left in the broker is taken out, and nothing else', async () => {
  const all = await stage()
  const { broker, pass, assistant } = all
  const old = {
    components: { grinder: { platform: 'switch' }, power: { platform: 'switch' }, 'B/d': { platform: 'x' } },
  }
  broker.kept.set('homeassistant/device/other/config', '{}')
  broker.say(`homeassistant/device/hormiga-${NODE}/robot/config`, '{}', true)
  broker.say(CONFIG, JSON.stringify(old), true)
  broker.say(CONFIG, 'no JSON', true)
  await pass(500)
  assert.is(broker.log.at(-2)?.payload, '')
  assert.is(broker.log.at(-2)?.topic, `homeassistant/device/hormiga-${NODE}/robot/config`)
  const config = JSON.parse(String(broker.kept.get(CONFIG)))
  assert.equal(config.components.grinder, { platform: 'switch' })
  assert.is(config.components.power.name, 'Power')
  assert.is(config.components['B/d'], undefined)
  assert.equal(problemsOf(config), [])
  assert.is(assistant.has('grinder'), false)
  assert.ok(broker.kept.has('homeassistant/device/other/config'))
  await end(all)
})

test('a device that could not be started keeps its entities, but is unavailable', async () => {
  const all = await stage()
  const { broker, house, pass } = all
  house.pretend('robot', 'serial', 'failed')
  const config = `homeassistant/device/hormiga-${NODE}/robot/config`
  await pass(100)
  broker.say(config, '{"components":{"power":{"platform":"switch"}}}', true)
  await pass(500)
  assert.is(broker.log.filter(({ topic }) => topic === config).length, 0)
  assert.is(broker.kept.get(`${BASE}/robot/status`), 'offline')
  house.pretend('robot', 'serial', 'up', [
    { resource: ['robot'], methods: ['GET'], description: 'Microcontroller: all there is to know' },
    {
      resource: ['robot', 'arm', 'angle'],
      methods: ['GET', 'PUT', 'BIND'],
      description: 'x',
      type: 'integer',
      unit: '°',
    },
  ])
  await pass(500)
  assert.is(all.assistant.find('arm-angle').platform, 'number')
  assert.is(broker.kept.get(`${BASE}/robot/status`), 'online')
  await end(all)
})

test('only what the configuration names is shown', async () => {
  const all = await stage({ only: ['robot'] })
  assert.equal(all.home.devices(), [])
  assert.is(all.assistant.configs.size, 0)
  await end(all)
})

test('events are told one by one, are not kept, and are lost without a connection', async () => {
  const all = await stage()
  const { broker, house, pass, assistant, meters } = all
  const owner = house.engine.own('timbre')
  house.pretend('timbre', 'serial', 'up', [
    {
      resource: ['timbre', 'button'],
      methods: ['GET', 'BIND'],
      description: 'x',
      type: 'string',
      values: ['short', 'long'],
      event: true,
    },
  ])
  await pass(500)
  owner.report(['button'], { value: 'short', seq: 1 }, { event: true })
  owner.report(['button'], { value: 'short', seq: 2 }, { event: true })
  owner.report(['button'], { value: 'odd', seq: 3 }, { event: true })
  await pass(500)
  assert.equal(
    assistant.events.map(({ event_type, seq }) => [event_type, seq]),
    [
      ['short', 1],
      ['short', 2],
      ['button', 3],
    ],
  )
  assert.not(broker.kept.has(`${BASE}/timbre/button/state`))
  broker.down()
  owner.report(['button'], { value: 'long', seq: 4 }, { event: true })
  await pass(100)
  assert.is(meters.read()['homeassistant.dropped'], 1)
  broker.up()
  await pass(500)
  assert.is(assistant.events.length, 3)
  owner.close()
  await end(all)
})

test.run()
