// What the configuration says when something is wrong: the place, what was found, what is allowed (design §7).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { suggest } from '../../src/core/suggest.ts'
import { ConfigError, readConfig } from '../../src/host/config.ts'
import { PROFILES } from './profiles.ts'

/** The lines of the error, without the name of the file. */
function complaints(text: string | object): string[] {
  try {
    readConfig(typeof text === 'string' ? text : JSON.stringify(text), 'h.json', PROFILES)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message.split('\n').map((line) => line.replace(/^h\.json:/, ''))
  }
}

/** That there is one complaint, with these parts. */
function complains(text: string | object, ...parts: string[]): void {
  const found = complaints(text)
  assert.is(found.length, 1, found.join('\n') || 'nothing was refused')
  for (const part of parts) assert.ok(found[0]?.includes(part), `${found[0]}\nlacks ${part}`)
}

test('§7 an error names line, column, path, what was found and what is allowed', () => {
  const text = '{\n  "name": "cocina",\n  "mode": "strikt"\n}'
  assert.equal(complaints(text), [
    '3:11: mode: found "strikt"; allowed: "quirks", "strict". Did you mean "strict"?',
  ])
})

test('§7 an unknown key is an error with a "did you mean"', () => {
  complains(
    { lisen: {} },
    '1:2: lisen: there is no "lisen" here',
    'Did you mean "listen"?',
    'allowed: name, listen',
  )
  complains({ log: { levle: 'info' } }, 'log.levle', 'allowed: level, format. Did you mean "level"?')
  complains({ xyzzy: 1 }, 'there is no "xyzzy" here')
  assert.not.ok(complaints({ xyzzy: 1 })[0]?.includes('mean'))
})

test('§9.20 keys of later features are told apart', () => {
  for (const key of ['discovery', 'update']) {
    complains({ [key]: {} }, `${key}: "${key}" comes with a later version`)
  }
})

test('§5 a warning above what is critical makes no sense', () => {
  const cpu = { warning: 0.9, critical: 0.5 }
  complains(
    { saturation: { thresholds: { cpu } } },
    'saturation.thresholds.cpu: "warning" (0.9) must not be above',
  )
  complains({ saturation: { period: 'often' } }, 'saturation.period: found "often"')
})

test('an unknown profile is an error that lists the known ones', () => {
  complains(
    '{ "devices": {\n "cafetera": { "profile": "delongi-ecam" } } }',
    '2:27: devices.cafetera.profile: found "delongi-ecam"; allowed: "delonghi-ecam", "simple", "strict"',
    'Did you mean "delonghi-ecam"?',
  )
  complains({ devices: { a: {} } }, 'devices.a: "profile" is missing; allowed: "delonghi-ecam"')
  complains({ devices: { a: { profile: 3 } } }, 'devices.a.profile: found 3')
  complains({ devices: { a: 'simple' } }, 'devices.a: found "simple"; allowed: an object')
})

test("a profile's own settings are checked by its own rules", () => {
  const device = (settings: object, profile = 'delonghi-ecam') => ({
    devices: { a: { profile, ...settings } },
  })
  assert.equal(complaints(device({ pin: 1, language: 'es', power: 'on', poll: '1', wires: { tx: 1 } })), [])
  complains(device({ pin: 10_000 }), 'devices.a.pin: found 10000; allowed: a whole number from 0 to 9999')
  complains(device({ pin: 1.5 }), 'devices.a.pin: found 1.5')
  complains(device({ language: 'fr' }), 'allowed: "es", "en"')
  complains(device({ power: 'maybe' }), 'allowed: true or false, or "on", "off"')
  complains(device({ poll: true }), 'allowed: a number or a string')
  complains(device({ model: 'XECAM1' }), 'allowed: a string like')
  complains(device({ wires: {} }), 'devices.a.wires: "tx" is missing; allowed: a whole number')
  complains(device({ wires: { tx: 1, xt: 1 } }), 'Did you mean "tx"?')
  complains(device({ pin: 1 }, 'simple'), 'there is no "pin" here; allowed: profile, address, simulated')
  complains(device({}, 'strict'), '"wire" is missing')
  complains(device({ address: '00:a0' }), 'devices.a.address', 'a Bluetooth address')
})

test('§4 what a device needs to be reached is said when it is missing', () => {
  const device = (settings: object, more = {}) => ({ ...more, devices: { a: settings } })
  const mqtt = { broker: 'mqtt://localhost:1883' }
  complains(device({ profile: 'grbl' }), 'devices.a: it needs a port: write "port"', 'hormiga scan serial')
  assert.equal(complaints(device({ profile: 'grbl', simulated: true })), [])
  assert.equal(complaints(device({ profile: 'grbl', port: 'usb:2341:0043', speed: 57_600 })), [])
  complains(
    device({ profile: 'grbl', port: 'ttyUSB0' }),
    'devices.a.port: found "ttyUSB0"; allowed: a serial port',
  )
  complains(device({ profile: 'mqtt-discovery' }), 'devices.a: it needs a broker: write "mqtt"')
  assert.equal(complaints(device({ profile: 'mqtt-discovery' }, { mqtt })), [])
  assert.equal(complaints(device({ profile: 'mqtt-discovery', ...mqtt, user: 'h' })), [])
  complains(
    device({ profile: 'mqtt-discovery', user: 'h' }, { mqtt }),
    'devices.a.user: it belongs to a broker',
  )
  complains({ mqtt: { broker: 'mqtt://ana:secret@localhost' } }, 'mqtt.broker', 'the address of a broker')
  complains({ mqtt: { broker: 'localhost' } }, 'mqtt.broker', 'such as "mqtt://192.168.1.5:1883"')
})

test('§9.1 the roots of the engine are no device names', () => {
  for (const name of ['engine', 'sec', 'sealed', 'metrics', 'health']) {
    complains(
      { devices: { [name]: { profile: 'simple' } } },
      `devices.${name}: found "${name}"`,
      'is none of engine',
    )
  }
  complains({ devices: { '': { profile: 'simple' } } }, 'devices[""]')
  complains({ devices: { 'a/b': { profile: 'simple' } } }, 'devices["a/b"]')
  complains('{"devices":{"__proto__":{"profile":"simple"}}}', 'devices.__proto__')
  assert.equal(complaints({ devices: { máquina_2: { profile: 'simple' } } }), [])
})

test('a key that is there twice is an error with both lines, anywhere', () => {
  const text = '{ "devices": {\n "a": { "profile": "simple" },\n\n "a": { "profile": "simple" } } }'
  complains(text, '4:2: devices.a: it is there twice, on lines 2 and 4')
  complains('{"name":"a","name":"b"}', '1:13: name: it is there twice, on lines 1 and 1')
  complains(
    '{"access":[{"method":["GET"],"method":["GET"],"resource":["a"]}]}',
    'access[0].method: it is there twice',
  )
})

test('invalid JSON says what was expected, and where', () => {
  complains('{\n "name": "a"\n "mode": "strict"\n}', '3:2: invalid JSON: found "mode", expected a comma (,)')
  complains('{ "name" "a" }', '1:10: invalid JSON: found "a", expected a colon')
  complains('{ "name": "a"', 'found the end of the file, expected a closing brace')
  complains('{ name: "a" }', 'found name, expected')
  complains('{ "name": "a\n" }', 'expected a double quote (") at the end of the text')
  complains('{ "name": "a\tb" }', 'expected no control characters')
  complains('{ "name": "a" } x', 'expected')
  complains('', 'the file is empty')
  complains(' // nothing', 'invalid JSON')
  complains('"x"', '1:1: found "x"; allowed: an object')
  complains('[', 'expected')
  complains('[]', 'found a list; allowed: an object')
})

test('what could choke a parser is refused all the same', () => {
  complains(`{"name":${'['.repeat(500_000)}`, 'the file')
  complains(`{"name":"${'a'.repeat(1 << 20)}"}`, 'the file is longer than')
  complains('{"limits":{"frame":1e400}}', 'limits.frame')
})

test('all that is wrong is said at once, in the order of the file, up to 20', () => {
  const found = complaints({ nmae: 1, mode: 'x', log: { level: 1 }, listen: { tcp: 5 } })
  assert.equal(
    found.map((line) => line.split(': ')[1]),
    ['nmae', 'mode', 'log.level', 'listen.tcp'],
  )
  const many = complaints(Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`key${at}`, 1])))
  assert.is(many.length, 21)
  assert.is(many[20], ' and 10 more')
})

test('addresses', () => {
  const tcp = (text: unknown) => complaints({ listen: { tcp: text } })
  for (const good of ['127.0.0.1:33333', '[::1]:0', 'localhost:65535', 'pi.lan:80', false])
    assert.equal(tcp(good), [], String(good))
  for (const bad of ['127.0.0.1', ':80', '::1:80', 'a:65536', 'a:', 'a b:1', 80, true, null, 'a:1:tcp'])
    assert.is(tcp(bad).length, 1, String(bad))
  complains({ listen: { tcp: '127.0.0.1' } }, 'found "127.0.0.1"; allowed: an address and a port, such as')
})

test('TLS needs its files', () => {
  complains({ listen: { tcps: '0.0.0.0:33334' } }, 'listen.tcps: it needs a key')
  complains({ listen: { tls: { key: 'k' } } }, 'listen.tls: "cert" is missing')
  assert.equal(complaints({ listen: { tcps: false } }), [])
})

test('durations', () => {
  for (const bad of ['0s', '2h', '10', '10 s', '-1s', '1d', 0, 3_600_001, true, '', '1..5s'])
    assert.is(complaints({ answerTimeout: bad }).length, 1, String(bad))
  complains({ answerTimeout: '2h' }, 'found "2h"; allowed: from 1 ms to 1 h')
})

test('hops', () => {
  complains({ forward: { allow: [['a', 0, 'tcp']] } }, 'forward.allow[0][1]: found 0; allowed: a port from 1')
  complains({ forward: { allow: [['a', 1, 'tpc']] } }, 'forward.allow[0][2]', 'Did you mean "tcp"?')
  complains({ forward: { allow: [['a', 1]] } }, 'forward.allow[0]: found a list of 2; allowed: 3 elements')
  complains({ forward: { allow: ['no name'] } }, 'forward.allow[0]: found "no name"; allowed: an address')
  complains({ forward: { allow: [['a*', 1, 'tcp']] } }, 'forward.allow[0][0]')
  complains(
    { hosts: { cocina: [['*.lan', 1, 'tcp']] } },
    'hosts.cocina[0][0]: found "*.lan"; allowed: an address',
  )
  complains({ hosts: { 'a b': [['a', 1, 'tcp']] } }, 'hosts["a b"]')
  complains({ hosts: { a: [] } }, 'hosts.a: found a list of 0')
})

test('§5 services', () => {
  const at: [string, number, string] = ['a', 1, 'tcp']
  complains({ services: { docs: {} } }, 'services.docs: nobody can serve it')
  complains({ name: 'x', services: { x: { announced: true } } }, 'services.x: it is the name of this engine')
  complains(
    { services: { docs: { replicas: [at] } }, hosts: { docs: [at] } },
    'services.docs: it is in "hosts" too',
  )
  complains({ services: { docs: { replicas: ['a'] } } }, 'services.docs.replicas[0]: found "a"')
  complains(
    { services: { docs: { announced: ['me'] } } },
    'services.docs.announced[0]: found "me"; allowed: a key',
  )
  complains(
    { services: { docs: { replicas: [at], scale: {} } } },
    'services.docs.scale: "command" is missing',
  )
  complains(
    { services: { docs: { replicas: [at], scale: { command: 'start' } } } },
    'services.docs.scale.command: found "start"; allowed: a program and its arguments',
  )
  complains({ services: { docs: { replica: [at] } } }, 'Did you mean "replicas"?')
  complains({ peers: ['relay'] }, 'peers[0]: found "relay"')
  complains({ announce: 'docs' }, 'announce: found "docs"; allowed: a list of names')
})

test('rules of access must mean what they say', () => {
  const rule = (resource: unknown[], method = ['GET']) => ({ access: [{ method, resource }] })
  assert.equal(complaints(rule(['...', 'x', 3, null, ':name'], ['*', 'bind'])), [])
  complains(rule(['...', '*']), 'access[0].resource: "*" right after "..."')
  complains(rule([]), 'access[0].resource')
  complains(rule([['x']]), 'access[0].resource[0]: found a list; allowed: a string, number, boolean or null')
  complains(rule(['x'], []), 'access[0].method')
  complains(rule(['x'], ['GE T']), 'access[0].method[0]')
  complains({ access: [{ method: ['GET'] }] }, 'access[0]: "resource" is missing')
})

test('Bluetooth sources', () => {
  const source = (text: string) => complaints({ bluetooth: { source: text } }).length
  const good = ['kernel', 'hci1', 'unix:/run/bt.sock', 'tcp:[::1]:4000', 'serial:/dev/ttyUSB0@115200']
  assert.equal(good.map(source), [0, 0, 0, 0, 0])
  assert.equal(
    ['hci', 'unix:x', 'tcp:host', 'tcp:host:0', 'serial:/dev/x@fast', 'usb'].map(source),
    [1, 1, 1, 1, 1, 1],
  )
})

test('names, origins, limits', () => {
  complains({ name: 'mi cocina' }, 'name: found "mi cocina"; allowed: a name of up to 63 letters')
  complains({ name: '-a' }, 'name')
  complains({ name: 'a'.repeat(64) }, 'name', '…; allowed')
  complains({ http: { origins: ['https://a.example/'] } }, 'http.origins[0]', 'an origin, such as')
  complains(
    { limits: { nesting: 4096 } },
    'limits.nesting: found 4096; allowed: a whole number from 8 to 1024',
  )
  complains({ state: '' }, 'state: found ""; allowed: a path')
})

test('what is suggested is near', () => {
  assert.is(suggest('lsiten', ['tcp', 'listen', 'limits']), 'listen')
  assert.is(suggest('Name', ['name']), 'name')
  assert.is(suggest('ab', ['xy']), undefined)
  assert.is(suggest('strikt', ['quirks', 'strict']), 'strict')
  assert.is(suggest('x'.repeat(41), ['x'.repeat(40)]), undefined)
})

test.run()
