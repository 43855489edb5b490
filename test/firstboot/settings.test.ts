// The settings on the card as data: what people write, what Imager writes, and what somebody might write to do harm.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readPreseed, readSettings, type Settings } from '../../src/firstboot/settings.ts'
import { withoutSecrets } from '../../src/firstboot/strip.ts'
import { LONGEST, readToml } from '../../src/firstboot/toml.ts'

const KEY = `ssh-ed25519 ${Buffer.concat([
  Buffer.from([0, 0, 0, 11]),
  Buffer.from('ssh-ed25519'),
  Buffer.from([0, 0, 0, 32]),
  Buffer.alloc(32, 7),
]).toString('base64')}`

const COUNTRY =
  'hormiga.toml: wifi.country: is missing: which channels may be used depends on it, and without it the Wi-Fi stays off. ' +
  'Expected two letters, such as "ES"'

function tableOf(text: string) {
  const read = readToml(Buffer.from(text))
  if ('problem' in read) throw new Error(read.problem)
  return read.table
}

const ours = (text: string): Settings => readSettings(tableOf(text))
const imagers = (text: string): Settings => readPreseed(tableOf(text))

/** What is wrong with the file as such. */
function fault(content: string | Uint8Array): string {
  const read = readToml(Buffer.from(content as string))
  return 'problem' in read ? read.problem : 'nothing'
}

test('a whole hormiga.toml', () => {
  const found = ours(
    `
    name = "cocina"   # a comment
    [wifi]
    ssid = "Casa de Ana ☕"
    password = 'it''s'
    country = "es"
    [ssh]
    keys = ["${KEY} ana@portátil"]
    [engine]
    log.level = "debug"
    [engine.devices]
    cafetera = { profile = "delonghi-ecam", address = "00:a0:50:12:34:56" }
  `.replace("'it''s'", `"la \\"mejor\\""`),
  )
  assert.equal(found.problems, [])
  assert.is(found.name, 'cocina')
  assert.is(Buffer.from(found.wifi?.ssid ?? []).toString(), 'Casa de Ana ☕')
  assert.equal(found.wifi?.secret, { phrase: 'la "mejor"' })
  assert.is(found.wifi?.country, 'ES')
  assert.is(found.wifi?.hidden, false)
  assert.equal(found.ssh, { keys: [`${KEY} ana@portátil`], passwords: false })
  assert.equal(JSON.parse(JSON.stringify(found.engine)), {
    log: { level: 'debug' },
    devices: { cafetera: { profile: 'delonghi-ecam', address: '00:a0:50:12:34:56' } },
  })
})

test('what Imager 2 writes for an image of the kind rpi-preseed', () => {
  const found = imagers(`config_version = "1.0"

[system]
hostname = "cocina"

[user]
name = "ana"
password = "$y$j9T$abcdefghijklmnop$0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
password_encrypted = true
groups = ["sudo"]

[ssh]
enabled = true
password_authentication = false
authorized_keys = [
  "${KEY} ana",
]

[wlan]
ssid_hex = "436173e1"
password = "${'0123456789ABCDEF'.repeat(4)}"
password_encrypted = true
hidden = true
country = "ES"

[locale]
keymap = "es"
timezone = "Europe/Madrid"

[connect]
enabled = true
mode = "token"
token = "secret"
`)
  assert.equal(found.problems, [])
  assert.is(found.name, 'cocina')
  assert.is(found.user?.name, 'ana')
  assert.match(found.user?.password ?? '', /^\$y\$/)
  assert.equal(found.ssh, { keys: [`${KEY} ana`], passwords: false })
  assert.equal(found.wifi, {
    ssid: Buffer.from([0x43, 0x61, 0x73, 0xe1]),
    secret: { key: '0123456789abcdef'.repeat(4) },
    hidden: true,
    country: 'ES',
  })
  assert.equal(found.notes, [
    'rpi-preseed.toml: locale is not used here',
    'rpi-preseed.toml: connect is not used here',
    'rpi-preseed.toml: groups is not used here',
  ])
})

test('a network without a password is open; "" is the password that the device has already', () => {
  assert.is(ours('[wifi]\nssid = "a"\ncountry = "ES"').wifi?.secret, 'open')
  assert.is(ours('[wifi]\nssid = "a"\ncountry = "ES"\npassword = ""').wifi?.secret, 'kept')
  assert.is(imagers('[ssh]\nenabled = false').ssh, undefined)
})

/** A file, and what is said about it; nothing of that section may be left. */
const REFUSED: [text: string, problem: string | RegExp, gone: keyof Settings][] = [
  ['[wifi]\nssid = "Casa"\npassword = "12345678"', COUNTRY, 'wifi'],
  [
    '[wifi]\nssid = "Casa"\ncountry = "España"',
    'hormiga.toml: wifi.country: expected two letters, such as "ES"',
    'wifi',
  ],
  [
    '[wifi]\nssid = "Casa"\ncontry = "ES"',
    /wifi\.contry: is not known here: did you mean "country"\?/,
    'wifi',
  ],
  ['[wifi]\ncountry = "ES"', /wifi\.ssid: is missing: it says which network/, 'wifi'],
  [`[wifi]\nssid = "${'x'.repeat(33)}"\ncountry = "ES"`, /wifi\.ssid: expected .* 1 to 32 bytes/, 'wifi'],
  ['[wifi]\nssid = ""\ncountry = "ES"', /wifi\.ssid: expected/, 'wifi'],
  ['[wifi]\nssid = 5\ncountry = "ES"', /wifi\.ssid: expected/, 'wifi'],
  ['[wifi]\nssid = "a"\ncountry = "ES"\npassword = "short"', /wifi\.password: expected 8 to 63/, 'wifi'],
  ['[wifi]\nssid = "a"\ncountry = "ES"\npassword = "12345678\\n}\\nnetwork={"', /wifi\.password/, 'wifi'],
  [`[wifi]\nssid = "a"\ncountry = "ES"\npassword = "${'x'.repeat(65)}"`, /wifi\.password/, 'wifi'],
  ['[wifi]\nssid = "a"\ncountry = "ES"\nhidden = "no"', /wifi\.hidden: expected true or false/, 'wifi'],
  ['wifi = "Casa"', 'hormiga.toml: wifi: expected a table', 'wifi'],
  ['wifi = [1, 2]', 'hormiga.toml: wifi: expected a table', 'wifi'],
  ['wifi = 2026-01-01', 'hormiga.toml: wifi: expected a table', 'wifi'],
  ['name = "co cina"', /name: expected a name of up to 63/, 'name'],
  ['name = "$(reboot)"', /name: expected/, 'name'],
  ['name = "-rf"', /name: expected/, 'name'],
  ['name = "a;b"', /name: expected/, 'name'],
  ['name = "../../etc"', /name: expected/, 'name'],
  ['name = "cocina\\n127.0.0.1 banco.es"', /name: expected/, 'name'],
  ['name = "Localhost"', /name: expected/, 'name'],
  [`name = "${'x'.repeat(64)}"`, /name: expected/, 'name'],
  ['name = ["cocina"]', /name: expected/, 'name'],
  ['nombre = "cocina"', /nombre: is not known here/, 'name'],
  ['[ssh]\nkeys = "ssh-ed25519 AAAA"', /ssh\.keys: expected a list/, 'ssh'],
  ['[ssh]\nkeys = ["ssh-ed25519 AAAA"]', /ssh\.keys: expected a list/, 'ssh'],
  [`[ssh]\nkeys = ['command="reboot" ${KEY}']`, /ssh\.keys: expected .* without options/, 'ssh'],
  [`[ssh]\nkeys = ["${KEY}\\n${KEY} evil"]`, /ssh\.keys/, 'ssh'],
  [`[ssh]\nkeys = ["${KEY.replace('ssh-ed25519', 'ssh-rsa')}"]`, /ssh\.keys/, 'ssh'],
  [`[ssh]\nkeys = [${`"${KEY}",`.repeat(65)}]`, /ssh\.keys: expected a list of up to 64/, 'ssh'],
  ['[ssh]', /ssh\.keys: is missing/, 'ssh'],
  ['engine = "rm -rf /"', 'hormiga.toml: engine: expected a table', 'engine'],
]

for (const [text, problem, gone] of REFUSED) {
  test(`refused: ${JSON.stringify(text.slice(0, 60))}`, () => {
    const found = ours(text)
    assert.is(found[gone], undefined)
    const said = found.problems.join('\n')
    if (typeof problem === 'string') assert.is(said, problem)
    else assert.match(said, problem)
  })
}

const IMAGERS_REFUSED: [text: string, problem: RegExp, gone: keyof Settings][] = [
  [
    '[user]\nname = "root"\npassword = "$5$aaaaaaaaaa$bbbbbbbbbb"',
    /user\.name: expected .* not "root"/,
    'user',
  ],
  ['[user]\nname = "a:0:0"', /user\.name/, 'user'],
  ['[user]\nname = "ana\\nroot"', /user\.name/, 'user'],
  ['[user]\npassword = "$5$aaaaaaaaaa$bbbbbbbbbb"', /user\.name: is missing/, 'user'],
  ['[user]\nname = "ana"\npassword = "plain text"', /user\.password: expected .* hashed already/, 'user'],
  ['[user]\nname = "ana"\npassword = "$6$a:b\\nroot:x"', /user\.password/, 'user'],
  ['[wlan]\nssid_hex = "zz"\ncountry = "ES"', /wlan\.ssid_hex: expected/, 'wifi'],
  ['[wlan]\nssid_hex = "abc"\ncountry = "ES"', /wlan\.ssid_hex: expected/, 'wifi'],
  ['[wlan]\nssid = "Casa"', /wlan\.country: is missing/, 'wifi'],
  ['[system]\nhostname = "a b"', /system\.hostname: expected/, 'name'],
]

for (const [text, problem, gone] of IMAGERS_REFUSED) {
  test(`refused in Imager's: ${JSON.stringify(text.slice(0, 60))}`, () => {
    const found = imagers(text)
    assert.is(found[gone], undefined)
    assert.match(found.problems.join('\n'), problem)
  })
}

test('a mistake in one section leaves the others', () => {
  const found = ours('name = "a b"\n[wifi]\nssid = "Casa"\ncountry = "ES"\n[ssh]\nkeys = [3]')
  assert.is(found.problems.length, 2)
  assert.ok(found.wifi)
})

test('a file that is no TOML is told by its place, and without a word of what is in it', () => {
  assert.match(fault('[wifi]\npassword = "geheimnis\n'), /^line 2, column \d+: /)
  assert.not.match(fault('[wifi]\npassword = "geheimnis\n'), /geheim/)
  assert.match(fault('name = "a"\nname = "b"'), /^line 2/)
  assert.match(fault('__proto__ = { admin = true }'), /^line 1/)
  assert.match(fault('[constructor.prototype]\nx = 1'), /^line 1/)
  assert.match(fault(`x = ${'['.repeat(5000)}`), /^line 1/)
  assert.match(fault(`a${'.a'.repeat(20)} = 1`), /nothing|line 1/)
  assert.is(fault(Buffer.from([0x6e, 0x3d, 0x22, 0xff, 0x22])), 'it is no UTF-8: save it as UTF-8')
  assert.is(fault(Buffer.alloc(LONGEST + 1, 0x20)), `it is larger than ${LONGEST} bytes`)
  assert.is(fault('\uFEFFname = "a"\r\n[wifi]\r\n'), 'nothing')
  assert.match(fault('#!/bin/sh\nrm -rf /\n'), /^line 2/)
})

test('names of keys that a terminal would obey are not printed as they are', () => {
  const [problem = ''] = ours(`"\\u001b[2J\\u0007${'x'.repeat(200)}" = 1`).problems
  const isPlain = [...problem].every((letter) => letter >= ' ' && (letter <= '~' || letter > '\u009f'))
  assert.ok(isPlain, JSON.stringify(problem))
  assert.ok(problem.length < 200)
})

test('every prefix and every flipped byte of a good file is read or refused, never more', () => {
  const good = `name = "cocina"\n[wifi]\nssid = "Casa"\npassword = "12345678"\ncountry = "ES"\n[ssh]\nkeys = ["${KEY}"]\n`
  for (let at = 0; at < good.length; at++) {
    const flipped = Buffer.from(good)
    flipped[at] = (flipped[at] as number) ^ (1 << (at % 8))
    for (const bytes of [Buffer.from(good.slice(0, at)), flipped]) {
      const read = readToml(bytes)
      if ('problem' in read) continue
      const { problems } = readSettings(read.table)
      assert.ok(problems.every((line) => line.startsWith('hormiga.toml: ')))
    }
  }
})

test('secrets are taken out of the sections that were taken over, and only there', () => {
  const table = tableOf(`
    # the old one was "ancient-secret"
    name = "cocina"
    wifi = { ssid = "Casa", password = "quite secret", country = "ES" }
    [engine.devices.cafetera]
    profile = "delonghi-ecam"`)
  assert.is(withoutSecrets(table, []), undefined)
  const text = withoutSecrets(table, ['wifi']) as string
  assert.not.match(text, /secret/)
  const again = readSettings(tableOf(text))
  assert.equal(again.problems, [])
  assert.is(again.wifi?.secret, 'kept')
  assert.is(again.name, 'cocina')
  assert.is(JSON.stringify(again.engine), '{"devices":{"cafetera":{"profile":"delonghi-ecam"}}}')
  assert.is(withoutSecrets(tableOf(text), ['wifi']), undefined)
})

test.run()
