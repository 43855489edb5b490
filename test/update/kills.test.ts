// needs dist
// time limit: 3000 s
// §9.28 The power is cut 200 times while updates are installed and tried out, and in the starts after that.

import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Machine } from './machine.ts'

const KILLS = 200
/** An update takes about five seconds with this trial. */
const TRIAL = ['--trial', '3s']
const LONGEST = 6000
const FIRST = '0.1.0-1'

test('§9.28 200 power cuts: always the old version or the new one, always the same key', async () => {
  if (process.env.HORMIGA_LONG === undefined) {
    console.log('skip: long: ./scripts/test --long runs it')
    return
  }
  const machine = new Machine(FIRST)
  const secret = () => readFileSync(machine.in('var/lib/hormiga/keys/identity.pem'), 'utf8')
  const outcomes = { old: 0, new: 0 }
  try {
    await machine.on()
    const key = secret()
    let old = FIRST
    for (let kill = 1, at = 0; kill <= KILLS; at++) {
      const version = `0.2.${at}-1`
      machine.start(machine.make(version), ...TRIAL)
      await pause(Math.random() * LONGEST)
      await machine.cut()
      kill++
      // Now and then it goes again while the computer starts.
      for (; Math.random() < 0.4; kill++) {
        machine.switchOn()
        await pause(Math.random() * 1000)
        await machine.cut()
      }
      await machine.on()
      const now = [...machine.log.matchAll(/this is (\S+)/g)].at(-1)?.[1] as string
      assert.ok([old, version].includes(now), `${now} runs, which is neither ${old} nor ${version}`)
      assert.is(machine.current ?? FIRST, now)
      assert.is(secret(), key)
      outcomes[now === version ? 'new' : 'old']++
      old = now
      machine.log = machine.log.slice(-10_000)
    }
    assert.ok(outcomes.old > 0 && outcomes.new > 0, JSON.stringify(outcomes))
    // After all that it can still be updated.
    const { code, out } = await machine.update(machine.make('0.3.0-1'), '--trial', '5s')
    assert.is(code, 0, out)
    assert.ok(machine.folders.length <= 2, machine.folders.join())
    console.log(
      `note: ${KILLS} power cuts: ${outcomes.old} times the old version ran on, ${outcomes.new} times the new one`,
    )
  } finally {
    await machine.remove()
  }
})

test.run()
