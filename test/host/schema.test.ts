// The schema as data: a general validator reads it, and agrees with our own walker about every configuration.

import Ajv from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError, loadConfig, readConfig } from '../../src/host/config.ts'
import { configSchema, type Schema } from '../../src/host/schema.ts'
import { PROFILES } from './profiles.ts'

const schema = configSchema(PROFILES)
const validate = new Ajv({ discriminator: true, allowUnionTypes: true, strictTuples: false }).compile(schema)

/** What no schema can say, so that only our own check finds it. */
const BEYOND =
  /nobody can serve it|name of this engine|is in "hosts" too|needs (a key|a port|a broker|"user")|speaks no TLS|broker in this engine|there is no port|outlives this engine|belongs to a broker|allowed: from 1 ms to 1 h|in an endpoint/

function verdict(config: unknown): 'fits' | 'beyond' | 'refused' {
  try {
    readConfig(JSON.stringify(config), 'h.json', PROFILES)
    return 'fits'
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.every(({ message }) => BEYOND.test(message)) ? 'beyond' : 'refused'
  }
}

const WHOLE = {
  $schema: 'x',
  name: 'cocina',
  listen: { tcp: '0.0.0.0:33333', tcps: '[::]:33334', http: false, tls: { key: 'k', cert: 'c' } },
  mode: 'strict',
  answerTimeout: '1.5s',
  devices: {
    cafetera: { profile: 'delonghi-ecam', address: '00:a0:50:12:34:56', pin: 1234, power: 'on', poll: 3 },
    wired: { profile: 'delonghi-ecam', simulated: true, language: 'es', model: 'ECAM1', wires: { tx: 3 } },
    plain: { profile: 'simple' },
    line: { profile: 'grbl', port: '/dev/ttyUSB0', speed: 115200 },
    sensors: {
      profile: 'mqtt-discovery',
      broker: 'mqtts://broker.example',
      user: 'hormiga',
      passwordFile: 'p',
      tls: { ca: 'ca.pem' },
      allow: ['kitchen/#'],
      bases: { homie: 'casa' },
      devices: {
        well: {
          availability: { topic: 'well/status', on: 'yes' },
          properties: {
            level: { topic: 'well/level', type: ['number'], unit: 'm', range: [0, 9], expireAfter: 5000 },
          },
        },
      },
    },
  },
  bluetooth: { source: 'hci1' },
  forward: { allow: [['127.0.0.1', 33340, 'tcp'], ['*.lan', 33333, 'tcp'], 'robot'] },
  hosts: { robot: [['robot.lan', 33333, 'ws']] },
  services: {
    docs: {
      replicas: [['10.0.0.7', 33333, 'tcp']],
      announced: ['did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'],
      retry: ['GET', 'put'],
      scale: { command: ['systemctl', 'start'], stop: ['systemctl'], coolDown: '60s', drainAfter: 5 },
    },
    maps: { announced: true },
  },
  announce: ['casa'],
  peers: [['relay.example', 33333, 'tcps']],
  mqtt: { broker: 'embedded', listen: '127.0.0.1:1883', user: 'hormiga', passwordFile: 'p' },
  access: [
    { method: ['GET', '*'], resource: ['cafetera', 1, null, true, '...'] },
    { method: ['*'], resource: ['...'], listen: ['tcp', 'http'] },
  ],
  http: { origins: ['https://a.example'], hosts: ['casa.example'] },
  limits: { frame: 2048, nesting: 64, hops: 3 },
  log: { level: 'debug', format: 'json' },
  state: '/var/lib/hormiga',
  trust: 'trust.json',
}

/** Values to put in the place of others. */
const STRANGE: unknown[] = [
  ...[null, true, false, 0, 1, -1, 1.5, 33333, 65_536, 1e9],
  ...[
    '',
    'x',
    'on',
    'en',
    'a:1',
    ':1',
    '10s',
    '5',
    '*',
    'engine',
    'tcp',
    'simple',
    'grbl',
    'ñandú',
    'a b',
    '\n',
  ],
  ...[[], [1], ['a', 1, 'tcp'], ['*.a', 1, 'ws'], [['a', 1, 'tcp']], {}, { x: 1 }, { profile: 'simple' }],
]

/** Every way to every value inside. */
function paths(value: unknown): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [[]]
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value)
  return [[], ...keys.flatMap((key) => paths((value as never)[key]).map((rest) => [key, ...rest]))]
}

/** A copy with the value at that place replaced, taken out, or with one more beside it. */
function mutate(
  value: unknown,
  path: (string | number)[],
  how: 'replace' | 'remove' | 'add',
  by: unknown,
): unknown {
  const [key, ...rest] = path
  if (key === undefined) return by
  const copy = structuredClone(value) as Record<string | number, unknown>
  if (rest.length > 0) copy[key] = mutate(copy[key], rest, how, by)
  else if (how === 'remove') Array.isArray(copy) ? copy.splice(Number(key), 1) : delete copy[key]
  else if (how === 'add' && Array.isArray(copy)) copy.push(by)
  else copy[how === 'add' ? `${key}x` : key] = by
  return copy
}

test('a configuration that says everything fits', () => {
  assert.is(verdict(WHOLE), 'fits')
  assert.ok(validate(WHOLE), JSON.stringify(validate.errors))
})

test('§9.20 our walker and a general validator agree on every change of one value', () => {
  let refused = 0
  for (const path of paths(WHOLE)) {
    for (const by of STRANGE) {
      for (const how of ['replace', 'remove', 'add'] as const) {
        const config = mutate(WHOLE, path, how, by)
        const ours = verdict(config)
        if (ours === 'refused') refused++
        const message = `${how} ${path.join('.')} ${JSON.stringify(by)}: ours ${ours}, ajv ${validate(config)}`
        assert.is(ours !== 'refused', validate(config), message)
      }
    }
  }
  assert.ok(refused > 1000)
})

test('… and on any number of changes', () => {
  const places = paths(WHOLE)
  const change = fc.record({
    place: fc.nat(places.length - 1),
    how: fc.constantFrom('replace' as const, 'remove' as const, 'add' as const),
    by: fc.oneof(fc.constantFrom(...STRANGE), fc.jsonValue({ maxDepth: 2 }), fc.string()),
  })
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      let config: unknown = WHOLE
      for (const { place, how, by } of changes) {
        const known = new Set(paths(config).map((path) => path.join('.')))
        const path = places[place] as (string | number)[]
        if (known.has(path.join('.'))) config = mutate(config, path, how, by)
      }
      assert.is(verdict(config) !== 'refused', validate(config))
    }),
    { numRuns: 1000 },
  )
})

test('the defaults that the schema tells are those that hold', () => {
  const config = loadConfig({
    profiles: {},
    read: () => {
      throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
    },
  })
  const of = (name: string): Schema => schema.properties?.[name] as Schema
  assert.is(of('name').default, config.name)
  assert.is(of('mode').default, config.mode)
  assert.is(of('bluetooth').properties?.source?.default, config.bluetooth.source)
  assert.equal(readConfig(JSON.stringify({ listen: of('listen').default }), '/h', {}).listen, config.listen)
  assert.is(
    readConfig(JSON.stringify({ answerTimeout: of('answerTimeout').default }), '/h', {}).answerTimeout,
    config.answerTimeout,
  )
  for (const [name, limit] of Object.entries(config.limits)) {
    const { default: value, minimum = 0, maximum = 0 } = of('limits').properties?.[name] ?? {}
    assert.is(value, limit)
    assert.ok(limit >= minimum && limit <= maximum, name)
  }
})

test('with no profile at all no device is possible', () => {
  assert.throws(
    () => readConfig('{"devices":{"a":{"profile":"x"}}}', 'h', {}),
    /allowed: nothing, as there are none/,
  )
})

test.run()
