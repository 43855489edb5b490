// First boot on a computer in memory: what it does with a card, that the next start does nothing, and that no file on a card
// can harm the system or keep the engine from its default configuration.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { firstBoot } from '../../src/firstboot/boot.ts'
import { readConfig } from '../../src/host/config.ts'
import { PROFILES as profiles } from '../host/profiles.ts'
import { APPLIANCE, boot, CARD, CONFIG, HOME_KEY, PI_OS, PSK, PSK_OF_CASA } from './card.ts'
import { CutMachine, type Files } from './machine.ts'

const REPORT = `${CARD}/hormiga-report.txt`
const WPA = '/etc/wpa_supplicant/wpa_supplicant-wlan0.conf'
const NM = '/etc/NetworkManager/system-connections/hormiga.nmconnection'

const toml = (text: string): Files => ({ ...APPLIANCE, [`${CARD}/hormiga.toml`]: text })
const config = (files: Files) => readConfig(files[CONFIG] as string, CONFIG, profiles)
const names = (machine: CutMachine) => machine.commands.map((words) => words.join(' '))

test('without settings on the card the engine is reached by the name of the computer, and nobody may do anything', async () => {
  const { machine, outcome } = await boot(APPLIANCE)
  assert.equal(outcome.problems, [])
  const { name, listen, access, devices } = config(machine.files)
  assert.is(name, 'hormiga')
  assert.equal(listen.http, { address: '::', port: 8080 })
  assert.is(access, undefined)
  assert.equal(devices, {})
  assert.match(machine.files[REPORT] ?? '', /No problems.*http:\/\/hormiga\.local:8080\//s)
})

test('a whole hormiga.toml on our own image', async () => {
  const { machine, outcome } = await boot(
    toml(`name = "cocina"
[wifi]
ssid = "Casa"
password = "12345678"
country = "ES"
[ssh]
keys = ["${HOME_KEY}"]
[engine.devices]
cafetera = { profile = "delonghi-ecam", simulated = true }
`),
  )
  assert.equal(outcome.problems, [])
  const { files, modes } = machine
  assert.is(files['/etc/hostname'], 'cocina\n')
  assert.is(files['/etc/hosts'], '127.0.0.1\tlocalhost\n127.0.1.1\tcocina\n')
  assert.is(config(files).name, 'cocina')
  assert.is(config(files).listen.http?.port, 8080)
  assert.ok(config(files).devices.cafetera)
  assert.match(
    files[WPA] ?? '',
    new RegExp(`country=ES\nnetwork=\\{\n  ssid=43617361\n  scan_ssid=0\n  psk=${PSK_OF_CASA}\n`),
  )
  assert.is(modes[WPA], 0o600)
  assert.is(files['/root/.ssh/authorized_keys'], `${HOME_KEY}\n`)
  assert.is(modes['/root/.ssh/authorized_keys'], 0o600)
  assert.is(files['/etc/ssh/sshd_config.d/hormiga.conf'], 'PasswordAuthentication no\n')
  for (const command of [
    'hostname cocina',
    'ssh-keygen -A',
    'systemctl enable ssh.service',
    'systemctl enable wpa_supplicant@wlan0.service',
    'systemctl --no-block try-restart hormiga.service',
  ]) {
    assert.ok(names(machine).includes(command), `${command} is missing in:\n${names(machine).join('\n')}`)
  }
  assert.not.match(files[`${CARD}/hormiga.toml`] ?? '', /12345678/)
  assert.not.match(JSON.stringify([files, machine.commands]), /12345678/)
})

test('the next start writes nothing and runs nothing', async () => {
  const first = await boot(
    toml('name = "cocina"\n[wifi]\nssid = "Casa"\npassword = "12345678"\ncountry = "ES"\n'),
  )
  const second = await boot(first.machine.files)
  assert.is(second.outcome.isNew, false)
  assert.is(second.machine.writes, 0)
  assert.equal(second.machine.commands, [])
})

test('a changed file is taken over again; a password that the device has already stays', async () => {
  const first = await boot(
    toml('name = "cocina"\n[wifi]\nssid = "Casa"\npassword = "12345678"\ncountry = "ES"\n'),
  )
  const left = first.machine.files[`${CARD}/hormiga.toml`] as string
  const renamed = { ...first.machine.files, [`${CARD}/hormiga.toml`]: left.replace('cocina', 'salon') }
  const second = await boot(renamed)
  assert.equal(second.outcome.problems, [])
  assert.is(config(second.machine.files).name, 'salon')
  assert.match(second.machine.files[WPA] ?? '', new RegExp(PSK_OF_CASA))
  const other = { ...first.machine.files, [`${CARD}/hormiga.toml`]: left.replace('Casa', 'Calle') }
  const third = await boot(other)
  assert.match(third.outcome.problems.join(), /wifi: its password was taken over for another network/)
  assert.match(third.machine.files[WPA] ?? '', new RegExp(PSK_OF_CASA))
})

test('a configuration that its owner has edited on the device stays, unless the card has a new one', async () => {
  const first = await boot(toml('name = "cocina"'))
  const own = '{ "name": "mine", "devices": {} }'
  const second = await boot({
    ...first.machine.files,
    [CONFIG]: own,
    [`${CARD}/hormiga.toml`]: 'name = "salon"',
  })
  assert.is(second.machine.files[CONFIG], own)
  const third = await boot({ ...second.machine.files, [`${CARD}/hormiga.toml`]: '[engine]\nname = "bar"' })
  assert.is(config(third.machine.files).name, 'bar')
  const fourth = await boot({ ...APPLIANCE, [CONFIG]: own })
  assert.is(fourth.machine.files[CONFIG], own)
})

test("Imager's file, on our image: account, key, network; elsewhere it is another's", async () => {
  const preseed = `config_version = "1.0"
[system]
hostname = "cocina"
[user]
name = "ana"
password = "$y$j9T$abcdefgh$ijklmnopqrst"
password_encrypted = true
[ssh]
enabled = true
password_authentication = true
authorized_keys = [ "${HOME_KEY}", ]
[wlan]
ssid = "Casa"
password = "${PSK}"
password_encrypted = true
country = "ES"
`
  const { machine, outcome } = await boot({ ...APPLIANCE, [`${CARD}/rpi-preseed.toml`]: preseed })
  assert.equal(outcome.problems, [])
  assert.ok(names(machine).includes('useradd --create-home --shell /bin/bash --groups sudo ana'))
  assert.ok(machine.inputs.includes('ana:$y$j9T$abcdefgh$ijklmnopqrst\n'))
  assert.not.match(names(machine).join(), /\$y\$/)
  assert.is(machine.files['/home/ana/.ssh/authorized_keys'], `${HOME_KEY}\n`)
  assert.is(machine.files['/etc/ssh/sshd_config.d/hormiga.conf'], 'PasswordAuthentication yes\n')
  assert.match(machine.files[WPA] ?? '', new RegExp(`psk=${PSK}`))
  assert.not.match(machine.files[`${CARD}/rpi-preseed.toml`] ?? '', /\$y\$|abcdef0123/)
  const elsewhere = await boot({ ...PI_OS, [`${CARD}/rpi-preseed.toml`]: preseed })
  assert.is(elsewhere.machine.files[`${CARD}/rpi-preseed.toml`], preseed)
  assert.is(elsewhere.machine.files['/etc/hostname'], 'raspberrypi\n')
})

test('on Raspberry Pi OS: a network for NetworkManager, keys for its first user, nothing of its SSH', async () => {
  const { machine, outcome } = await boot({
    ...PI_OS,
    [`${CARD}/hormiga.toml`]: `[wifi]\nssid = "Casa"\npassword = "12345678"\ncountry = "ES"\n[ssh]\nkeys = ["${HOME_KEY}"]`,
  })
  assert.equal(outcome.problems, [])
  assert.match(
    machine.files[NM] ?? '',
    new RegExp(
      `ssid=67;97;115;97;\nhidden=false\n\n\\[wifi-security\\]\nkey-mgmt=wpa-psk\npsk=${PSK_OF_CASA}\n`,
    ),
  )
  assert.is(machine.modes[NM], 0o600)
  assert.is(machine.files[WPA], undefined)
  assert.is(machine.files['/home/pi/.ssh/authorized_keys'], `${HOME_KEY}\n`)
  assert.ok(names(machine).includes('raspi-config nonint do_wifi_country ES'))
  assert.not.ok(names(machine).includes('ssh-keygen -A'))
  assert.is(config(machine.files).name, 'raspberrypi')
})

/** What somebody might put on a card, and what is said of it. In each case the engine has the configuration of a first boot. */
const HOSTILE: [what: string, content: string, problem: RegExp][] = [
  ['a script', '#!/bin/sh\nrm -rf /\n', /hormiga\.toml: line 2/],
  ['rubbish', '\u0000\u0001\u00ff'.repeat(100), /hormiga\.toml: it is no UTF-8|hormiga\.toml: line 1/],
  ['too much', `# ${'x'.repeat(70_000)}`, /larger than 65536 bytes/],
  ['a prototype', '__proto__.listen = 1', /line 1/],
  ['a device that no one has', '[engine.devices.x]\nprofile = "evil"', /engine\.devices\.x/],
  ['a listener at all ends', '[engine]\nlisten = 5', /engine\.listen/],
  ['a device over one of ours', '[engine.devices.engine]\nprofile = "simple"', /engine\.devices\.engine/],
  ['an unknown key', '[engine]\nrun = "reboot"', /engine\.run/],
  ['a number that is none', '[engine.limits]\nframe = nan', /engine\.limits\.frame/],
  ['an infinite list', `[engine]\nannounce = [${'"a",'.repeat(9000)}]`, /engine\.announce/],
  [
    'a network with the end of a file in it',
    '[wifi]\nssid = "a\\n}\\nnetwork={"\npassword = "1234567"\ncountry="ES"',
    /wifi\.password/,
  ],
]

for (const [what, content, problem] of HOSTILE) {
  test(`hostile: ${what}`, async () => {
    const { machine, outcome } = await boot(toml(content))
    assert.match(outcome.problems.join('\n'), problem)
    const first = await boot(APPLIANCE)
    assert.is(machine.files[CONFIG], first.machine.files[CONFIG])
    assert.is(machine.files[`${CARD}/hormiga.toml`], content)
    assert.match(machine.files[REPORT] ?? '', /Problems/)
    const changed = Object.keys(machine.files).filter(
      (path) => machine.files[path] !== first.machine.files[path],
    )
    assert.equal(changed.sort(), [
      `${CARD}/hormiga-report.txt`,
      `${CARD}/hormiga.toml`,
      '/var/lib/hormiga-firstboot/state.json',
    ])
    assert.equal((await boot(machine.files)).machine.commands, [])
  })
}

test('a name of a network that looks like a configuration is only bytes', async () => {
  const ssid = 'a"\n}\nnetwork={\n'
  const { machine } = await boot(toml(`[wifi]\nssid = ${JSON.stringify(ssid)}\ncountry = "ES"`))
  assert.match(
    machine.files[WPA] ?? '',
    /ssid=61220a7d0a6e6574776f726b3d7b0a\n {2}scan_ssid=0\n {2}key_mgmt=NONE\n/,
  )
})

test('a wrong [engine] keeps neither the network nor the configuration that is in force', async () => {
  const first = await boot(toml('[engine]\nname = "bar"\nlog.level = "warn"'))
  const { machine, outcome } = await boot({
    ...first.machine.files,
    [`${CARD}/hormiga.toml`]: '[engine]\nname = "b a r"\n[wifi]\nssid = "Casa"\ncountry = "ES"',
  })
  assert.match(outcome.problems.join(), /hormiga\.toml: engine\.name: /)
  assert.is(machine.files[CONFIG], first.machine.files[CONFIG])
  assert.match(machine.files[WPA] ?? '', /ssid=43617361/)
})

test('hormiga/hormiga.json is taken as it is, or refused with its line; not beside [engine]', async () => {
  const path = `${CARD}/hormiga/hormiga.json`
  const good = '// mine\n{ "name": "cocina" }\n'
  assert.is((await boot({ ...APPLIANCE, [path]: good })).machine.files[CONFIG], good)
  const wrong = await boot({ ...APPLIANCE, [path]: '{\n "nmae": "cocina" }' })
  assert.match(wrong.outcome.problems.join(), /hormiga\/hormiga\.json:2: nmae: .*did you mean "name"/i)
  const both = await boot({ ...toml('[engine]\nname = "bar"'), [path]: good })
  assert.match(both.outcome.problems.join(), /keep one of them/)
  assert.is(config(both.machine.files).name, 'hormiga')
})

test('a file that can not be read is told, and read at the next start', async () => {
  const path = `${CARD}/hormiga.toml`
  const machine = new CutMachine(toml('name = "cocina"'))
  machine.broken[path] = 'EIO: i/o error, read'
  const first = await firstBoot({ machine, card: CARD, profiles })
  assert.match(first.problems.join(), /hormiga\.toml: it can't be read: EIO/)
  machine.broken = {}
  const second = await firstBoot({ machine, card: CARD, profiles })
  assert.is(second.isNew, true)
  assert.is(machine.files['/etc/hostname'], 'cocina\n')
})

test('a card that can not be written: all is applied, the rest of it is told, and tried again at the next start', async () => {
  const machine = new CutMachine(toml('[wifi]\nssid = "Casa"\npassword = "12345678"\ncountry = "ES"\n'))
  machine.broken[`${CARD}/hormiga.toml.new`] = 'EROFS: read-only file system'
  const first = await firstBoot({ machine, card: CARD, profiles })
  assert.match(first.problems.join(), /passwords may still be on the card.*EROFS/)
  assert.match(machine.files[WPA] ?? '', new RegExp(PSK_OF_CASA))
  machine.broken = {}
  await firstBoot({ machine, card: CARD, profiles })
  assert.not.match(machine.files[`${CARD}/hormiga.toml`] ?? '', /12345678/)
})

test('what could not be applied keeps its password on the card, and is tried again at the next start', async () => {
  const machine = new CutMachine(
    toml('name = "cocina"\n[wifi]\nssid = "Casa"\npassword = "12345678"\ncountry = "ES"\n'),
  )
  machine.broken[`${WPA}.new`] = 'EROFS: read-only file system'
  const { problems } = await firstBoot({ machine, card: CARD, profiles })
  assert.match(problems.join(), /wifi: EROFS/)
  assert.match(machine.files[`${CARD}/hormiga.toml`] ?? '', /12345678/)
  assert.is(machine.files['/etc/hostname'], 'cocina\n')
  machine.broken = {}
  assert.equal((await firstBoot({ machine, card: CARD, profiles })).problems, [])
  assert.match(machine.files[WPA] ?? '', new RegExp(PSK_OF_CASA))
  assert.not.match(machine.files[`${CARD}/hormiga.toml`] ?? '', /12345678/)
  assert.is((await firstBoot({ machine, card: CARD, profiles })).isNew, false)
})

test('a system that is read-only: all is told, and the engine has what it had', async () => {
  const before = toml('name = "cocina"\n[wifi]\nssid = "Casa"\npassword = "12345678"\ncountry = "ES"\n')
  const machine = new CutMachine(before)
  const written = ['/etc/hosts', WPA, CONFIG, '/var/lib/hormiga-firstboot/state.json']
  for (const path of written) machine.broken[`${path}.new`] = 'EROFS: read-only file system'
  const { problems } = await firstBoot({ machine, card: CARD, profiles })
  assert.is(problems.length, 4, problems.join('\n'))
  const after = { ...machine.files }
  delete after[REPORT]
  assert.equal(after, before)
})

test('a card that is mounted read-only is writable for a moment', async () => {
  const { machine } = await boot({
    ...toml('[wifi]\nssid = "Casa"\npassword = "12345678"\ncountry = "ES"\n'),
    '/proc/self/mounts': `/dev/mmcblk0p2 / ext4 rw 0 0\n/dev/mmcblk0p1 ${CARD} vfat ro,noatime 0 0\n`,
  })
  const mounts = names(machine).filter((command) => command.startsWith('mount'))
  assert.equal(mounts, [`mount -o remount,rw ${CARD}`, `mount -o remount,ro ${CARD}`])
})

test.run()
