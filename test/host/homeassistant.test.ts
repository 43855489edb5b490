// "homeassistant" in the configuration: what it means, and what is refused.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError, readConfig } from '../../src/host/config.ts'
import { PROFILES } from './profiles.ts'

const broker = 'mqtt://localhost:1883'
const devices = { a: { profile: 'simple' } }

function read(homeassistant: unknown, more: object = { broker }) {
  return readConfig(JSON.stringify({ devices, mqtt: { ...more, homeassistant } }), 'h.json', PROFILES).mqtt
}

function complaint(homeassistant: unknown, more?: object): string {
  try {
    read(homeassistant, more)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'nothing was refused'
}

test('§9.20 it is off unless it is wanted', () => {
  assert.is(read(undefined).homeassistant, undefined)
  assert.is(read(false).homeassistant, undefined)
  assert.is(read(false, {}).homeassistant, undefined)
  assert.equal(read(true).homeassistant, {})
  assert.equal(read(true, { broker: 'embedded' }).homeassistant, {})
  assert.equal(read({ prefix: 'ha', devices: ['a'] }).homeassistant, { prefix: 'ha', devices: ['a'] })
})

test('§7 what is wrong with it is told', () => {
  assert.match(complaint(true, {}), /mqtt.homeassistant: it needs a broker: write "broker" beside it/)
  assert.match(complaint({ devices: ['a', 'b'] }), /mqtt.homeassistant: there is no device "b" in "devices"/)
  assert.match(complaint('yes'), /mqtt.homeassistant: found "yes"; allowed: true, false, or an object/)
  for (const prefix of ['', 'a/', '#', 'a b', '/a', '$SYS'])
    assert.match(complaint({ prefix }), /mqtt.homeassistant/)
  assert.match(complaint({ device: [] }), /mqtt.homeassistant/)
})

test.run()
