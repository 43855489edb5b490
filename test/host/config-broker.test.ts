// What the configuration says of engines that meet at a broker (design §9.20).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError, difference, readConfig } from '../../src/host/config.ts'
import { PROFILES } from './profiles.ts'

const read = (config: object) => readConfig(JSON.stringify(config), 'h.json', PROFILES)

function complaint(config: object): string {
  try {
    read(config)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return ''
}

test('`listen.mqtt` is where the broker is, whatever it is called by', () => {
  const at = (broker: string) => read({ listen: { mqtt: true }, mqtt: { broker } }).listen.mqtt
  assert.equal(at('mqtt://192.168.1.5'), { address: '192.168.1.5', port: 1883 })
  assert.equal(at('mqtts://broker.example'), { address: 'broker.example', port: 8883 })
  assert.equal(at('mqtt://[::1]:2000'), { address: '::1', port: 2000 })
  assert.equal(at('embedded'), { address: '127.0.0.1', port: 1883 })
  assert.is(read({ mqtt: { broker: 'mqtt://b' } }).listen.mqtt, undefined)
  assert.is(read({ listen: { mqtt: false } }).listen.mqtt, undefined)
  assert.is(read({ mqtt: { broker: 'mqtt://b', realm: 'casa' } }).mqtt.realm, 'casa')
})

test('what is missing or wrong is told with what to write', () => {
  assert.match(
    complaint({ listen: { mqtt: true } }),
    'listen.mqtt: it needs a broker: write "mqtt": { "broker"',
  )
  assert.match(complaint({ mqtt: { broker: 'mqtt://b', realm: 'a/b' } }), 'mqtt.realm: found "a/b"')
  assert.match(
    complaint({ listen: { mqtt: 'yes' }, mqtt: { broker: 'mqtt://b' } }),
    'listen.mqtt: found "yes"',
  )
  // A broker is no engine: it stands where engines are passed on to, not for one.
  assert.match(complaint({ peers: [['b', 1883, 'mqtt']] }), 'peers[0][2]: found "mqtt"')
  assert.equal(
    read({
      forward: {
        allow: [
          ['b', 1883, 'mqtt'],
          ['b', 8883, 'mqtts'],
        ],
      },
    }).forward.allow.length,
    2,
  )
  const replicas = [['b', 1883, 'mqtt']]
  assert.equal(read({ services: { docs: { replicas } } }).services.docs?.replicas, replicas)
  assert.is(read({ access: [{ method: ['GET'], resource: ['...'], listen: ['mqtt'] }] }).access?.length, 1)
})

test('a reload opens and closes it', () => {
  const [off, on] = [
    read({ mqtt: { broker: 'mqtt://b' }, listen: {} }),
    read({ mqtt: { broker: 'mqtt://b' }, listen: { mqtt: true } }),
  ]
  assert.equal(difference(off, on).listen, ['mqtt'])
  assert.equal(difference(on, on).listen, [])
})

test.run()
