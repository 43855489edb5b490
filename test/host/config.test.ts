// The configuration: where it comes from, what it becomes, and what a reload has to touch (design §7).

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LIMITS } from '../../src/core/limits.ts'
import { type ConfigError, difference, loadConfig, readConfig } from '../../src/host/config.ts'
import { toSettings } from '../../src/host/saturation/index.ts'
import { PROFILES } from './profiles.ts'

const read = (value: object) => readConfig(JSON.stringify(value), '/etc/hormiga/hormiga.json', PROFILES)

const disk = (files: Record<string, string>) => (path: string) => {
  const text = files[path]
  if (text === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
  return Buffer.from(text)
}

const load = (files: Record<string, string>, argument?: string) =>
  loadConfig({ argument, profiles: PROFILES, cwd: '/home/pi', read: disk(files) })

test('§7 --config comes first, then ./hormiga.json, then /etc/hormiga/hormiga.json', () => {
  const files = {
    '/home/pi/mine.json': '{"name":"mine"}',
    '/home/pi/hormiga.json': '{"name":"here"}',
    '/etc/hormiga/hormiga.json': '{"name":"system"}',
  }
  assert.is(load(files, 'mine.json').name, 'mine')
  assert.is(load(files).name, 'here')
  assert.is(load({ '/etc/hormiga/hormiga.json': '{"name":"system"}' }).name, 'system')
  assert.is(load(files).file, '/home/pi/hormiga.json')
})

test('§7 with no file all is as by default', () => {
  const config = load({})
  assert.equal(config, {
    file: undefined,
    name: 'hormiga',
    listen: { tcp: { address: '127.0.0.1', port: 33333 }, http: { address: '127.0.0.1', port: 8080 } },
    mode: 'quirks',
    answerTimeout: 10_000,
    devices: {},
    bluetooth: { source: 'kernel' },
    forward: { allow: [] },
    hosts: {},
    services: {},
    announce: [],
    peers: [],
    mqtt: {},
    history: { keep: 21_600_000, step: 10_000, series: 200, save: false },
    access: undefined,
    http: { origins: [], hosts: [] },
    limits: LIMITS,
    saturation: toSettings({}, Number),
    log: { level: 'info', format: 'auto' },
    state: undefined,
    trust: undefined,
  })
})

test('§7 the trust file stands beside the configuration, unless it says where', () => {
  assert.is(read({}).trust, '/etc/hormiga/trust.json')
  assert.is(read({ trust: 'keys/who.json' }).trust, '/etc/hormiga/keys/who.json')
  assert.is(read({ trust: '/srv/who.json' }).trust, '/srv/who.json')
  assert.is(load({ '/home/pi/hormiga.json': '{}' }).trust, '/home/pi/trust.json')
})

test('§9.15 a rule of access may be for some listeners only', () => {
  const rule = { method: ['GET'], resource: ['engine'], listen: ['http' as const] }
  assert.equal(read({ access: [rule] }).access, [rule])
})

test('§5 services, and what they are when little is said', () => {
  const replicas: [string, number, string][] = [['10.0.0.7', 33333, 'tcp']]
  const { services, announce, peers } = read({
    services: {
      docs: { replicas },
      maps: {
        announced: true,
        retry: ['GET', 'PUT'],
        scale: { command: ['start'], stop: ['stop'], coolDown: '2min', drainAfter: 500 },
      },
      news: { announced: true, scale: { command: ['start', 'one'] } },
    },
    announce: ['casa'],
    peers: replicas,
  })
  assert.equal(services.docs, { replicas, announced: false, retry: ['GET'], scale: undefined })
  const scale = { command: ['start'], stop: ['stop'], coolDown: 120_000, drainAfter: 500 }
  assert.equal(services.maps, { replicas: [], announced: true, retry: ['GET', 'PUT'], scale })
  const usual = { command: ['start', 'one'], stop: undefined, coolDown: 60_000, drainAfter: 300_000 }
  assert.equal(services.news?.scale, usual)
  assert.equal([announce, peers], [['casa'], replicas])
})

test('a file that --config names must be there', () => {
  assert.throws(
    () => load({}, 'absent.json'),
    (error: ConfigError) => error.message === '/home/pi/absent.json:1:1: there is no such file',
  )
})

test('a file that is there and cannot be read is an error, not a reason to take the next', () => {
  const read = (path: string): Uint8Array => {
    if (path === '/home/pi/hormiga.json') throw Object.assign(new Error('EACCES: no'), { code: 'EACCES' })
    return Buffer.from('{}')
  }
  assert.throws(
    () => loadConfig({ profiles: PROFILES, cwd: '/home/pi', read }),
    /hormiga\.json:1:1: it can't be read/,
  )
})

test('a real file is read from the disk, with its comments, trailing commas and byte order mark', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'hormiga-config-'))
  try {
    const text = '\uFEFF// mine\r\n{\r\n  "name": "cocina", /* yes */\r\n  "devices": {},\r\n}\r\n'
    writeFileSync(join(cwd, 'hormiga.json'), text)
    assert.is(loadConfig({ profiles: PROFILES, cwd }).name, 'cocina')
    mkdirSync(join(cwd, 'folder'))
    assert.throws(() => loadConfig({ argument: 'folder', profiles: PROFILES, cwd }), /can't be read: EISDIR/)
    writeFileSync(join(cwd, 'latin.json'), Buffer.from('{"name":"caf\xe9"}', 'latin1'))
    assert.throws(() => loadConfig({ argument: 'latin.json', profiles: PROFILES, cwd }), /save it as UTF-8/)
  } finally {
    rmSync(cwd, { recursive: true })
  }
})

test('§7 the example of the design becomes addresses, milliseconds and devices', () => {
  const config = read({
    name: 'cocina',
    listen: { tcp: '0.0.0.0:33333', tcps: '[::]:33334', http: false, tls: { key: 'k.pem', cert: '/c.pem' } },
    mode: 'strict',
    answerTimeout: '1.5s',
    devices: { cafetera: { profile: 'delonghi-ecam', address: '00:a0:50:12:34:56', pin: 1234 } },
    bluetooth: { source: 'tcp:127.0.0.1:4000' },
    forward: { allow: [['127.0.0.1', 33340, 'tcp'], ['*.lan', 33333, 'tcp'], 'robot'] },
    hosts: { robot: [['robot.lan', 33333, 'tcp']] },
    access: [{ method: ['GET', 'BIND'], resource: ['cafetera', '...'] }],
    http: { hosts: ['casa.example'] },
    limits: { channels: 5 },
    log: { level: 'debug' },
    state: 'state',
  })
  assert.equal(config.listen, {
    tcp: { address: '0.0.0.0', port: 33333 },
    tcps: { address: '::', port: 33334 },
    tls: { key: '/etc/hormiga/k.pem', cert: '/c.pem' },
  })
  assert.is(config.mode, 'strict')
  assert.is(config.answerTimeout, 1500)
  assert.equal(config.devices, {
    cafetera: {
      profile: 'delonghi-ecam',
      address: '00:a0:50:12:34:56',
      simulated: false,
      settings: { pin: 1234 },
    },
  })
  assert.is(config.bluetooth.source, 'tcp:127.0.0.1:4000')
  assert.equal(config.forward.allow, [['127.0.0.1', 33340, 'tcp'], ['*.lan', 33333, 'tcp'], 'robot'])
  assert.equal(config.access, [{ method: ['GET', 'BIND'], resource: ['cafetera', '...'] }])
  assert.equal(config.http, { origins: [], hosts: ['casa.example'] })
  assert.equal(config.limits, { ...LIMITS, channels: 5 })
  assert.equal(config.log, { level: 'debug', format: 'auto' })
  assert.is(config.state, '/etc/hormiga/state')
})

test('`listen` replaces the defaults as a whole', () => {
  assert.equal(read({ listen: { tcp: '127.0.0.1:0' } }).listen, { tcp: { address: '127.0.0.1', port: 0 } })
  assert.equal(read({ listen: {} }).listen, {})
})

test('durations have units', () => {
  const ms = (answerTimeout: string | number) => read({ answerTimeout }).answerTimeout
  assert.equal(
    ['10s', '500ms', '2min', '1h', '0.5s', 250].map(ms),
    [10_000, 500, 120_000, 3_600_000, 500, 250],
  )
})

test('§7 a reload touches only what changed', () => {
  const base = {
    name: 'cocina',
    listen: { tcp: '127.0.0.1:1', http: '127.0.0.1:2', tcps: '127.0.0.1:3', tls: { key: 'k', cert: 'c' } },
    devices: { a: { profile: 'simple' }, b: { profile: 'simple' }, c: { profile: 'delonghi-ecam', pin: 1 } },
    access: [{ method: ['GET'], resource: ['a'] }],
  }
  const none = { sections: [], listen: [], devices: { added: [], removed: [], changed: [] } }
  const { access, ...rest } = base
  assert.equal(difference(read(base), read({ access, ...rest })), none, 'the order of keys is nothing')
  const after = {
    ...base,
    listen: { tcp: '127.0.0.1:1', tcps: '127.0.0.1:3', tls: { key: 'other', cert: 'c' } },
    devices: { a: { profile: 'simple' }, d: { profile: 'simple' }, c: { profile: 'delonghi-ecam', pin: 2 } },
    access: [],
    limits: { hops: 3 },
  }
  assert.equal(difference(read(base), read(after)), {
    sections: ['access', 'limits'],
    listen: ['tcps', 'http'],
    devices: { added: ['d'], removed: ['b'], changed: ['c'] },
  })
})

test('a device may be called as what every object has', () => {
  const before = read({})
  const after = read({ devices: { constructor: { profile: 'simple' } } })
  assert.equal(difference(before, after).devices, { added: ['constructor'], removed: [], changed: [] })
})

test.run()
