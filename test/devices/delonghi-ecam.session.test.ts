// The recorded session again: the driver must say the same bytes in the same order when it hears the same.

import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import ecam from '../../devices/delonghi-ecam/device.ts'
import { type LinkEvents, startDevice } from '../../src/device/index.ts'
import { type Answer, bytes, FakeOwner, hex, SILENT, TestClock } from '../device/rig.ts'

const COMMAND = /^# (GET|PUT|POST|PATCH) (\S+)(?: (.*))?$/

/** Plays it and gives back what was asked and answered, what was reported, and where the driver said something else. */
async function replay(session: string) {
  const lines = session.split('\n').filter((line) => /^[<>]/.test(line) || COMMAND.test(line))
  const clock = new TestClock()
  const owner = new FakeOwner()
  const answers: Answer[] = []
  const wrong: string[] = []
  let events: LinkEvents | undefined
  let at = 0

  /** Delivers what the machine says here, then what somebody asks for. */
  const goOn = () => {
    while (lines[at]?.startsWith('< ')) events?.data(bytes((lines[at++] as string).slice(2)))
    const [, method = '', point = '', body] = COMMAND.exec(lines[at] ?? '') ?? []
    if (!method) return
    at++
    clock.after(100, () => {
      void owner.ask(method, point, body && JSON.parse(body)).then((answer) => answers.push(answer))
    })
  }
  const device = startDevice({
    name: 'cafetera',
    profile: ecam,
    link: {
      open(given) {
        events = given
        clock.after(0, () => given.up())
      },
      write(frame) {
        if (at < lines.length && lines[at] !== `> ${hex(frame)}`) wrong.push(`${lines[at]} but ${hex(frame)}`)
        at++
        return new Promise((resolve) => {
          clock.after(15, resolve)
          clock.after(45, goOn)
        })
      },
      close: async () => {},
    },
    owner,
    clock,
    log: SILENT,
    answerTimeout: 10_000,
  })
  while (at < lines.length && wrong.length === 0) await clock.advance(100)
  await clock.advance(50)
  await device.close()
  return { answers, wrong, owner }
}

const SESSION = readFileSync('devices/delonghi-ecam/session.txt', 'utf8')

test('the recorded session replays byte for byte', async () => {
  const { answers, wrong, owner } = await replay(SESSION)
  assert.equal(wrong, [])
  assert.equal(
    answers.map(({ status }) => status),
    [200, 200, 200, 200, 200],
  )
  const states = ['off', 'starting', 'ready', 'brewing', 'ready', 'brewing', 'ready']
  assert.equal(owner.reported('state'), states)
  assert.is(Object.keys(owner.reported('recipes').at(-1) ?? {}).length, 13)
  assert.match(JSON.stringify(answers.at(-1)), '"blackCoffees":418')
})

test('another byte in it is noticed', async () => {
  const changed = SESSION.replace('> 0d0883f0100206e9b2', '> 0d0883f00102069de1')
  assert.is.not(changed, SESSION)
  const { wrong } = await replay(changed)
  assert.equal(wrong, ['> 0d0883f00102069de1 but 0d0883f0100206e9b2'])
})

test.run()
