// The small parts: topics and ids, the order of what is said to a broker, and the guard on packets.

import { PassThrough } from 'node:stream'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limitPackets } from '../../../src/bridges/mqtt/size-guard.ts'
import { identify, isFilter, isTopic, matches, slug } from '../../../src/bridges/mqtt/topics.ts'
import { Work } from '../../../src/bridges/mqtt/work.ts'

test('a filter matches as MQTT has it', () => {
  const yes = [
    ['a/b', 'a/b'],
    ['a/+', 'a/b'],
    ['+/+', '/x'],
    ['#', 'a'],
    ['a/#', 'a'],
    ['a/#', 'a/b/c'],
    ['+/b/#', 'a/b'],
  ]
  const no = [
    ['a/+', 'a'],
    ['a/+', 'a/b/c'],
    ['a', 'a/b'],
    ['#', '$SYS/x'],
    ['+/x', '$SYS/x'],
    ['a/b/#', 'a'],
  ]
  for (const [filter, topic] of yes)
    assert.ok(matches(filter as string, topic as string), `${filter} ${topic}`)
  for (const [filter, topic] of no)
    assert.not.ok(matches(filter as string, topic as string), `${filter} ${topic}`)
  for (const filter of ['a/#', '+/a', '#']) assert.ok(isFilter(filter))
  for (const filter of ['', 'a#', 'a+/b', 'a/#/b', 'a\u0000']) assert.not.ok(isFilter(filter))
  for (const topic of ['a/b', ' x', 'a b']) assert.ok(isTopic(topic))
})

test('one device is one id, however its address is written', () => {
  for (const mac of ['A1:B2:C3:D4:E5:F6', 'a1-b2-c3-d4-e5-f6', 'A1B2C3D4E5F6']) {
    assert.is(identify(['some name', mac])?.id, 'a1b2c3d4e5f6')
  }
  assert.is(identify(['zigbee2mqtt_0x00158D0001A2B3C4'])?.id, '0x00158d0001a2b3c4')
  assert.equal(identify(['x/y z']), { id: 'x_y_z', exact: 'x/y z' })
  for (const names of [[], [''], ['///'], ['x'.repeat(65)]]) assert.is(identify(names), undefined)
  assert.is(slug('Température (Ext.)'), 'temperature_ext')
  assert.is(slug('__proto__'), 'proto')
})

/** A broker that notes what it is told, and answers when it is let. */
class SlowBroker {
  readonly told: string[] = []
  #answers: (() => void)[] = []

  #tell(what: string): Promise<void> {
    this.told.push(what)
    return new Promise((resolve) => this.#answers.push(resolve))
  }

  async subscribe(topics: string[], qos: number): Promise<number> {
    await this.#tell(`subscribe ${qos} ${topics.length} ${topics[0]}`)
    return 0
  }

  async unsubscribe(topics: string[]): Promise<void> {
    await this.#tell(`unsubscribe ${topics.join()}`)
  }

  async publish({ topic }: { topic: string }): Promise<void> {
    await this.#tell(`publish ${topic}`)
  }

  async answer(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await null
    this.#answers.shift()?.()
    for (let turn = 0; turn < 20; turn++) await null
  }
}

test('§9.25 discovery is subscribed in slices, values first, questions last', async () => {
  const broker = new SlowBroker()
  const work = new Work(broker, () => {})
  work.start()
  const filters = Array.from({ length: 10 }, (_, i) => `f${i}/#`)
  for (const filter of filters) work.add({ do: 'subscribe', topics: [filter], qos: 0 })
  work.add({ do: 'publish', topic: 'question', payload: '', qos: 1 })
  await broker.answer()
  work.add({ do: 'subscribe', topics: Array.from({ length: 60 }, (_, i) => `t${i}`), qos: 1 })
  let isReady = false
  void work.ready().then(() => {
    isReady = true
  })
  for (let i = 0; i < 2; i++) await broker.answer()
  assert.is(isReady, false)
  for (let i = 0; i < 4; i++) await broker.answer()
  assert.is(isReady, true)
  assert.equal(broker.told, [
    'subscribe 0 4 f0/#',
    'subscribe 0 4 f4/#',
    'subscribe 1 50 t0',
    'subscribe 1 10 t50',
    'subscribe 0 2 f8/#',
    'publish question',
  ])
})

test('a topic that is given up and wanted again before that was said stays subscribed', async () => {
  const broker = new SlowBroker()
  const work = new Work(broker, () => {})
  work.start()
  work.add({ do: 'publish', topic: 'first', payload: '', qos: 1 })
  await broker.answer()
  work.add({ do: 'publish', topic: 'second', payload: '', qos: 1 })
  work.add({ do: 'unsubscribe', topics: ['a', 'b'] })
  work.add({ do: 'subscribe', topics: ['a'], qos: 1 })
  for (let i = 0; i < 5; i++) await broker.answer()
  assert.equal(broker.told, ['publish first', 'subscribe 1 1 a', 'publish second', 'unsubscribe b'])
  work.stop()
  await work.ready()
})

test('the guard on packets counts what comes whole or byte by byte, and ends what is too long at its announcement', async () => {
  const packet = (length: number) =>
    Buffer.concat([Buffer.from([0x30, (length & 0x7f) | 0x80, length >> 7]), Buffer.alloc(length)])
  const good = Buffer.concat([
    Buffer.from([0xd0, 0]),
    packet(300),
    packet(1000),
    Buffer.from([0x20, 2, 0, 0]),
  ])
  for (const size of [1, 2, 7, good.length]) {
    const stream = new PassThrough()
    limitPackets(stream, () => 1000)
    for (let at = 0; at < good.length; at += size) stream.write(good.subarray(at, at + size))
    await new Promise(setImmediate)
    assert.is(stream.destroyed, false)
    const failed = new Promise<Error>((resolve) => stream.once('error', resolve))
    stream.write(packet(1001).subarray(0, 3))
    assert.match((await failed).message, /1001 bytes; 1000 are allowed/)
  }
})

test.run()
