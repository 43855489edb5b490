// Marlin (facts A4): what its lines mean, how ours are numbered, and which G-code is let through.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkJob } from '../../devices/marlin/gcode.ts'
import { readLine } from '../../devices/marlin/line.ts'
import { numbered } from '../../devices/marlin/sender.ts'

test('what it says is understood', () => {
  assert.equal(readLine('ok'), { is: 'ok', heat: undefined })
  assert.equal(readLine('ok N12 P15 B3'), { is: 'ok', heat: undefined })
  assert.equal(readLine('ok T:201.0 /202.0 B:60.1 /60.0 @:64 B@:50'), {
    is: 'ok',
    heat: { hotend: { now: 201, target: 202 }, bed: { now: 60.1, target: 60 } },
  })
  assert.equal(readLine(' T:21.00 /0.00 T1:20.00 /0.00 C:30 /0 @:0'), {
    is: 'heat',
    heat: {
      hotend: { now: 21, target: 0 },
      hotend1: { now: 20, target: 0 },
      chamber: { now: 30, target: 0 },
    },
  })
  assert.equal(readLine('Resend: 12'), { is: 'resend', number: 12 })
  assert.is(readLine('Error:checksum mismatch, Last Line: 11').is, 'info')
  assert.is(readLine('Error:Line Number is not Last Line Number+1, Last Line: 11').is, 'info')
  assert.is(readLine('Error:No Checksum with line number, Last Line: 11').is, 'info')
  assert.equal(readLine('Error:Printer halted. kill() called!'), {
    is: 'error',
    text: 'Printer halted. kill() called!',
    isHalted: true,
  })
  assert.equal(readLine('echo:busy: processing'), { is: 'busy', with: 'processing' })
  assert.equal(readLine('wait'), { is: 'wait' })
  assert.equal(readLine('start'), { is: 'start' })
  assert.equal(readLine('echo:Unknown command: "G999"'), { is: 'unknown', command: 'G999' })
  assert.equal(readLine('Cap:EMERGENCY_PARSER:1'), {
    is: 'capability',
    name: 'EMERGENCY_PARSER',
    isOn: true,
  })
  assert.equal(
    readLine(
      'FIRMWARE_NAME:Marlin 2.1.2 (Jan 1 2023 12:00:00) PROTOCOL_VERSION:1.0 MACHINE_TYPE:3D Printer UUID:ab',
    ),
    {
      is: 'firmware',
      fields: {
        FIRMWARE_NAME: 'Marlin 2.1.2 (Jan 1 2023 12:00:00)',
        PROTOCOL_VERSION: '1.0',
        MACHINE_TYPE: '3D Printer',
        UUID: 'ab',
      },
    },
  )
  assert.equal(readLine('X:1.50 Y:-2.00 Z:0.30 E:0.00 Count X:120 Y:-160 Z:120'), {
    is: 'position',
    position: { x: 1.5, y: -2, z: 0.3, e: 0 },
  })
  assert.equal(readLine('echo:  M92 X80.00 Y80.00 Z400.00 E93.00'), {
    is: 'setting',
    code: 'M92',
    values: { X: 80, Y: 80, Z: 400, E: 93 },
  })
  assert.is(readLine('\xff\xfeT:21').is, 'noise')
})

test('a line has its number and its checksum', () => {
  assert.is(numbered(3, 'T0'), 'N3 T0*57')
})

test('G-code is checked before anything moves, and the line that is wrong is named', () => {
  assert.equal(
    checkJob(
      'g28 x\n;a\nG1 X1.5 F300 ; to\r\n%\nN7 G1 X2*33\nM117 Hello World\nT0\nG1X3Y4\nM104 S200 (warm)',
    ),
    ['G28 X', 'G1 X1.5 F300', 'G1 X2', 'M117 Hello World', 'T0', 'G1X3Y4', 'M104 S200'],
  )
  for (const [job, why] of [
    ['G1 X', /line 1 .* X needs a number/],
    ['G21\nG999', /line 2 .* does not know G999/],
    ['hello', /no G, M or T command/],
    [`G1 X${'1'.repeat(100)}`, /104 characters/],
    ['M110 N5', /numbered already/],
    ['M112', /use "kill"/],
    ['M410', /use "stop"/],
    ['M0', /use "hold"/],
    ['M28 a.gco', /card/],
    ['G1 X1 X2', /X comes twice/],
    ['G1 X1 G1 Y1', /one command in a line/],
    ['G1 X1 F0', /feed rate/],
    ['G1 X1;\nG1 X1 !', /no letter with a number/],
    ['M117 caf\xe9', /can not take/],
    ['(half', /comment/],
    ['; nothing', /empty/],
  ] as const) {
    assert.throws(() => checkJob(job), why)
  }
})

test.run()
