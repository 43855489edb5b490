// §9.28 The power goes at every step of a first boot, in every state that disk and card may then be in: each file is whole,
// the network's password is on the card or in the system, the engine has a configuration that holds, and the next start ends
// as if the power had never gone.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { firstBoot } from '../../src/firstboot/boot.ts'
import { readConfig } from '../../src/host/config.ts'
import { PROFILES as profiles } from '../host/profiles.ts'
import { APPLIANCE, boot, CARD, CONFIG, HOME_KEY, PI_OS, PSK_OF_CASA } from './card.ts'
import { CutMachine, type Files, PowerCut } from './machine.ts'

const SETTINGS = `${CARD}/hormiga.toml`
const HASH = '$y$j9T$abcdefgh$ijklmnopqrst'

const CARDS: Record<string, Files> = {
  'our image, all in hormiga.toml': {
    ...APPLIANCE,
    [SETTINGS]: `name = "cocina"\n[wifi]\nssid = "Casa"\npassword = "12345678"\ncountry = "ES"\n[ssh]\nkeys = ["${HOME_KEY}"]\n[engine.devices.cafetera]\nprofile = "delonghi-ecam"\n`,
  },
  "our image, Imager's file": {
    ...APPLIANCE,
    [`${CARD}/rpi-preseed.toml`]: `[system]\nhostname = "cocina"\n[user]\nname = "ana"\npassword = "${HASH}"\n[wlan]\nssid = "Casa"\npassword = "12345678"\ncountry = "ES"\n`,
  },
  'Raspberry Pi OS': {
    ...PI_OS,
    [SETTINGS]: 'name = "cocina"\n[wifi]\nssid = "Casa"\npassword = "12345678"\ncountry = "ES"\n',
    [`${CARD}/hormiga/hormiga.json`]: '{ "name": "cocina" }\n',
  },
  'no settings': APPLIANCE,
  'settings with mistakes': {
    ...APPLIANCE,
    [SETTINGS]: '[wifi]\nssid = "Casa"\npassword = "12345678"\n[engine]\nname = 5\n',
  },
}

/** Half-written files that the next start overwrites or that nobody reads. */
const lasting = (files: Files) =>
  Object.fromEntries(Object.entries(files).filter(([path]) => !path.endsWith('.new')))

/** What must be true whenever the power may go. */
function checkCut(state: Files, before: Files, after: Files, where: string): void {
  for (const [path, content] of Object.entries(lasting(state))) {
    const isWhole = content === before[path] || content === after[path] || path === '/etc/passwd'
    // An account that is made beside other settings leaves /etc/passwd as it was or as it is.
    assert.ok(isWhole, `${where}: ${path} is torn: ${JSON.stringify(content)}`)
  }
  for (const path of Object.keys(before)) assert.ok(state[path] !== undefined, `${where}: ${path} is lost`)
  readConfig(state[CONFIG] as string, CONFIG, profiles)
  const all = JSON.stringify(lasting(state))
  if (JSON.stringify(before).includes('12345678')) {
    assert.ok(all.includes('12345678') || all.includes(PSK_OF_CASA), `${where}: the password is lost`)
  }
}

for (const [what, before] of Object.entries(CARDS)) {
  test(`§9.28 ${what}: cut anywhere, started again`, async () => {
    const whole = await boot(before)
    const after = lasting(whole.machine.files)
    const known = new Set<string>()
    let isDone = false
    for (let steps = 0; !isDone; steps++) {
      const machine = new CutMachine(before, steps)
      await firstBoot({ machine, card: CARD, profiles }).catch((error) => {
        if (!(error instanceof PowerCut)) throw error
      })
      isDone = !machine.isCut
      for (const state of machine.afterCut()) {
        const key = JSON.stringify(Object.entries(state).sort())
        if (known.has(key)) continue
        known.add(key)
        checkCut(state, before, after, `step ${steps}`)
        const again = await boot(state)
        assert.equal(lasting(again.machine.files), after, `step ${steps}`)
      }
    }
    console.log(`note: ${what}: ${known.size} states`)
    assert.ok(known.size > 10, `only ${known.size} states`)
  })
}

test('§9.28 two cuts in a row', async () => {
  const before = CARDS['our image, all in hormiga.toml'] as Files
  const after = lasting((await boot(before)).machine.files)
  let count = 0
  for (let first = 0; first < 80; first += 3) {
    const machine = new CutMachine(before, first)
    await firstBoot({ machine, card: CARD, profiles }).catch(() => {})
    for (const state of machine.afterCut().slice(0, 3)) {
      for (let second = 1; second < 60; second += 7) {
        const next = new CutMachine(state, second)
        await firstBoot({ machine: next, card: CARD, profiles }).catch(() => {})
        for (const last of next.afterCut()) {
          checkCut(last, before, after, `steps ${first}, ${second}`)
          assert.equal(lasting((await boot(last)).machine.files), after)
          count++
        }
      }
    }
  }
  assert.ok(count > 200, `only ${count} states`)
})

test.run()
