import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Carrier, type LinkError, type Simulator, simulatedLink } from '../../src/device/index.ts'
import { bytes, hex, TestClock } from './rig.ts'

/** It says back what it is told. */
function bench() {
  const clock = new TestClock()
  const log: string[] = []
  let carrier: Carrier | undefined
  let there = true
  const echo: Simulator = {
    connect(given) {
      carrier = given
      return there
    },
    disconnect: () => void log.push('disconnect'),
    write(given) {
      if (!there) return false
      carrier?.data(given)
      return true
    },
    close: () => void log.push('close'),
  }
  const link = simulatedLink(echo, clock)
  const open = () =>
    link.open({
      up: () => void log.push('up'),
      data: (data) => void log.push(hex(data)),
      down: (cause) => void log.push(`down ${cause}`),
    })
  return {
    clock,
    log,
    link,
    open,
    vanish() {
      there = false
      carrier?.gone('pulled')
    },
    leave: () => {
      there = false
    },
    comeBack: () => {
      there = true
    },
  }
}

async function code(write: Promise<void>): Promise<string> {
  try {
    await write
  } catch (error) {
    return (error as LinkError).code
  }
  return 'ok'
}

test('open returns at once; then up, and bytes both ways; close leaves nothing behind', async () => {
  const { clock, log, link, open } = bench()
  assert.is(await code(link.write(bytes('01'))), 'offline')
  open()
  assert.equal(log, [])
  await clock.advance(0)
  const written = code(link.write(bytes('0102')))
  await clock.advance(15)
  assert.is(await written, 'ok')
  await link.close()
  assert.equal(log, ['up', '0102', 'disconnect', 'close'])
  assert.is(await code(link.write(bytes('01'))), 'offline')
  assert.is(clock.pending, 0)
})

test('gone in mid-write is lost, gone before is offline; it tries again every second', async () => {
  const { clock, log, link, open, vanish, comeBack } = bench()
  open()
  await clock.advance(0)
  const written = code(link.write(bytes('01')))
  vanish()
  assert.is(await code(link.write(bytes('02'))), 'offline')
  await clock.advance(15)
  assert.is(await written, 'lost')
  await clock.advance(2500)
  assert.is(log.filter((line) => line.startsWith('down')).length, 3)
  comeBack()
  await clock.advance(1000)
  assert.is(log.at(-1), 'up')
  await link.close()
  assert.is(clock.pending, 0)
})

test('a simulator that does not confirm is lost too, and a closed link says no more', async () => {
  const { clock, log, link, open, leave } = bench()
  open()
  await clock.advance(0)
  leave()
  const written = code(link.write(bytes('01')))
  await clock.advance(15)
  assert.is(await written, 'lost')
  const late = code(link.write(bytes('01')))
  await link.close()
  await clock.advance(5000)
  assert.is(await late, 'lost')
  assert.equal(log, ['up', 'disconnect', 'close'])
})

test.run()
