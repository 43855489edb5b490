// Options of a device whose names are free, each of one kind: `pins` of a Firmata board.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import firmata from '../../devices/firmata/device.ts'
import { readConfig } from '../../src/host/config.ts'

const PROFILES = { firmata: { medium: 'serial' as const, options: firmata.options ?? {} } }

const read = (pins: unknown) =>
  readConfig(
    JSON.stringify({ devices: { robot: { profile: 'firmata', port: '/dev/ttyUSB0', pins } } }),
    'hormiga.json',
    PROFILES,
  )

test('good ones are taken as they are', () => {
  const pins = { led: { pin: 13, mode: 'output' }, light: { pin: 'A0', mode: 'analog' } }
  assert.equal(read(pins).devices.robot?.settings, { pins })
})

test('a bad one is named, with what is allowed', () => {
  for (const [pins, why] of [
    [{ led: { pin: 13, mode: 'lamp' } }, /pins\.led\.mode.*"output"/s],
    [{ led: { pin: 13 } }, /"mode" is missing/],
    [{ led: { pin: 200, mode: 'input' } }, /pins\.led\.pin/],
    [{ led: { pin: 'B0', mode: 'input' } }, /pins\.led\.pin/],
    [{ led: { pin: 1, mode: 'input', inverted: true } }, /inverted/],
    [{ led: 13 }, /pins\.led/],
  ] as const) {
    assert.throws(() => read(pins), why, JSON.stringify(pins))
  }
})

test.run()
