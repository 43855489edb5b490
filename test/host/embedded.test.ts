// "broker": "embedded" in the configuration: what it means for who uses it, and what is refused.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError, readConfig } from '../../src/host/config.ts'
import { findEmbeddedProblems } from '../../src/host/embedded.ts'
import { PROFILES } from './profiles.ts'

function mqttOf(mqtt: object) {
  return readConfig(JSON.stringify({ mqtt }), '/casa/h.json', PROFILES).mqtt
}

function complaint(config: object): string {
  try {
    readConfig(JSON.stringify(config), 'h.json', PROFILES)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'nothing was refused'
}

test('it is a broker at an address like any other, on loopback by default', () => {
  assert.equal(mqttOf({ broker: 'embedded' }), {
    broker: 'mqtt://127.0.0.1:1883',
    embedded: { address: '127.0.0.1', port: 1883 },
  })
  const known = { user: 'casa', passwordFile: 'word' }
  const at = (listen: string) => mqttOf({ broker: 'embedded', listen, ...known }).broker
  assert.is(at('0.0.0.0:1884'), 'mqtt://127.0.0.1:1884')
  assert.is(at('[::]:1884'), 'mqtt://[::1]:1884')
  assert.is(at('192.168.1.5:1883'), 'mqtt://192.168.1.5:1883')
  assert.is(at('[fd00::5]:1883'), 'mqtt://[fd00::5]:1883')
  const { passwordFile, embedded } = mqttOf({ broker: 'embedded', listen: '0.0.0.0:1883', ...known })
  assert.equal([passwordFile, embedded], ['/casa/word', { address: '0.0.0.0', port: 1883 }])
})

test('devices use it without a word more', () => {
  const config = { mqtt: { broker: 'embedded' }, devices: { sensores: { profile: 'mqtt-discovery' } } }
  assert.is(
    readConfig(JSON.stringify(config), 'h.json', PROFILES).devices.sensores?.profile,
    'mqtt-discovery',
  )
})

test('beyond loopback it needs user and password; it speaks no TLS; "listen" is for it only', () => {
  const open = { broker: 'embedded', listen: '0.0.0.0:1883' }
  for (const more of [{}, { user: 'casa' }, { passwordFile: 'word' }])
    assert.match(
      complaint({ mqtt: { ...open, ...more } }),
      /mqtt\.listen: beyond loopback it needs "user" and "passwordFile"/,
    )
  assert.match(
    complaint({ mqtt: { broker: 'embedded', tls: { ca: 'ca.pem' } } }),
    /mqtt\.tls: .*speaks no TLS/,
  )
  assert.match(
    complaint({ mqtt: { broker: 'mqtt://pi', listen: '127.0.0.1:1' } }),
    /mqtt\.listen: .*"broker": "embedded"/,
  )
  assert.match(
    complaint({ mqtt: { broker: 'embedded', listen: '127.0.0.1:0' } }),
    /mqtt\.listen: .*an address and a port/,
  )
  assert.match(complaint({ mqtt: { broker: 'embedded', listen: '127.0.0.1:70000' } }), /no port 70000/)
  assert.match(complaint({ mqtt: { broker: 'embeded' } }), /mqtt\.broker: .*or "embedded"/)
})

test('§9.24 replicas over it are refused', () => {
  const problems = (replica: unknown[], more = {}) =>
    findEmbeddedProblems({ broker: 'embedded', ...more }, { cocina: { replicas: [replica] } })
  const [problem] = problems(['127.0.0.1', 1883, 'mqtt'])
  assert.equal(problem?.path, ['services', 'cocina'])
  assert.match(problem?.message ?? '', /a broker that outlives this engine/)
  assert.is(problems(['localhost', 1883, 'mqtt']).length, 1)
  const listen = { listen: '10.0.0.1:1884', user: 'a', passwordFile: 'b' }
  assert.is(problems(['10.0.0.1', 1884, 'mqtt'], listen).length, 1)
  assert.equal(problems(['127.0.0.1', 1884, 'mqtt']), [])
  assert.equal(problems(['127.0.0.1', 1883, 'tcp']), [])
  assert.equal(problems(['10.0.0.9', 1883, 'mqtt']), [])
})

test.run()
