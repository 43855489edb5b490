// What goes through the interfaces, and through which of them.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Computer, makePi, makeSampler } from './saturation-tree.ts'

test('rates against the speed of the link, both ways; errors in all', async () => {
  const computer = makePi()
  const { sample, next } = makeSampler(computer)
  assert.equal(sample().network, { eth0: { speed: 125_000_000, errors: 0 } })
  computer.traffic({ lo: { rx: 9e9 }, eth0: { rx: 12_501_000, tx: 25_001_000, errors: 3 } })
  assert.equal((await next()).network, {
    eth0: { used: 0.2, rx: 12_500_000, tx: 25_000_000, speed: 125_000_000, errors: 3 },
  })
  computer.traffic({ eth0: { rx: 25_001_000, tx: 25_001_000 } })
  assert.is((await next(2000)).network.eth0?.rx, 6_250_000, 'for each second that has passed')
})

test('half duplex: both ways share the link', async () => {
  const computer = makePi()
  computer.link('eth0', { speed: '10', duplex: 'half' })
  const { sample, next } = makeSampler(computer)
  sample()
  computer.traffic({ eth0: { rx: 251_000, tx: 251_000 } })
  assert.is((await next()).network.eth0?.used, 0.4)
})

test('a link that does not tell its speed has no share, unless the configuration tells', async () => {
  const computer = makePi()
  computer.link('wlan0', { speed: '-1' })
  const run = async (speeds: Record<string, number>) => {
    computer.traffic({ wlan0: { rx: 0 } })
    const { sample, next } = makeSampler(computer, { speeds })
    sample()
    computer.traffic({ wlan0: { rx: 1_250_000 } })
    return (await next()).network.wlan0
  }
  assert.equal(await run({}), { rx: 1_250_000, tx: 0, errors: 0 })
  assert.equal(await run({ wlan0: 50 }), { used: 0.2, rx: 1_250_000, tx: 0, speed: 6_250_000, errors: 0 })
})

test('left out: loopback, what is down, bridges and bonds, and the virtual ports of both', () => {
  const computer = makePi()
  computer.link('wlan0', { operstate: 'down' })
  computer.link('docker0', { 'bridge/stp_state': '0' })
  computer.link('veth1', { 'master/ifindex': '3' })
  computer.link('bond0', { 'bonding/mode': 'x' })
  computer.link('eth1', { 'master/ifindex': '5', 'device/vendor': '1' })
  computer.link('tun0', { operstate: 'unknown', carrier: '1' })
  computer.link('tun1', { operstate: 'unknown' })
  computer.link('lo', { operstate: 'unknown', carrier: '1' })
  const names = ['lo', 'eth0', 'wlan0', 'docker0', 'veth1', 'bond0', 'eth1', 'tun0', 'tun1', 'nosys']
  computer.traffic(Object.fromEntries(names.map((name) => [name, {}])))
  assert.equal(Object.keys(makeSampler(computer).sample().network), ['eth0', 'eth1', 'tun0'])
})

test('an interface that is plugged in has rates from its second look on; pulled out it is gone', async () => {
  const computer = makePi()
  const { sample, next } = makeSampler(computer)
  sample()
  computer.link('usb0', { speed: '100' })
  computer.traffic({ eth0: {}, usb0: { rx: 5_000_000 } })
  assert.equal((await next()).network.usb0, { speed: 12_500_000, errors: 0 })
  computer.traffic({ eth0: {}, usb0: { rx: 6_250_000 } })
  assert.is((await next()).network.usb0?.used, 0.1)
  computer.unplug('usb0')
  computer.traffic({ eth0: {} })
  assert.not((await next()).network.usb0)
  computer.link('usb0', { speed: '100' })
  computer.traffic({ eth0: {}, usb0: { rx: 10 } })
  assert.equal((await next()).network.usb0, { speed: 12_500_000, errors: 0 }, 'nothing is left of the first')
})

test('a link that comes up may have another speed than before', async () => {
  const computer = makePi()
  const { sample, next } = makeSampler(computer)
  sample()
  computer.link('eth0', { operstate: 'down', speed: '-1' })
  assert.equal((await next()).network, {})
  computer.link('eth0', { speed: '100' })
  assert.is((await next()).network.eth0?.speed, 12_500_000)
  computer.link('eth0', { speed: '10' })
  for (let second = 0; second < 10; second++) await next()
  assert.is((await next()).network.eth0?.speed, 1_250_000, 'looked up every 10 s')
})

test('counters of 32 bits start again; counters that were set back tell nothing once', async () => {
  const run = async (before: number, after: number) => {
    const computer: Computer = makePi()
    computer.traffic({ eth0: { rx: before } })
    const { sample, next } = makeSampler(computer)
    sample()
    computer.traffic({ eth0: { rx: after } })
    const { rx } = (await next()).network.eth0 ?? {}
    computer.traffic({ eth0: { rx: after + 100 } })
    assert.is((await next()).network.eth0?.rx, 100)
    return rx
  }
  assert.is(await run(2 ** 32 - 1000, 500), 1500)
  assert.is(await run(2 ** 32 - 1_000_000_000, 500), undefined, 'more than the link can carry')
  assert.is(await run(2 ** 40, 500), undefined, 'it had more than 32 bits')
})

test('no more than 32 interfaces', () => {
  const computer = makePi()
  const names = Array.from({ length: 50 }, (_, index) => `p${index}`)
  for (const name of names) computer.link(name)
  computer.traffic(Object.fromEntries(names.map((name) => [name, {}])))
  assert.is(Object.keys(makeSampler(computer).sample().network).length, 32)
})

test.run()
