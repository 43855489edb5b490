// Channels in memory can be held and cut, so that tests can fail them at will.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LIMITS } from '../../src/core/limits.ts'
import { type MemoryPair, memoryHub } from '../../src/transports/memory.ts'
import { Acceptor, patient, type StandIn } from './stand-in.ts'

async function join(limits = LIMITS) {
  const hub = memoryHub()
  const far = new Acceptor()
  const near = new Acceptor()
  await hub.transport({ limits }).listen?.({ address: 'cocina', port: 1 }, far.accept)
  await hub.transport().dial('cocina', 1, near.accept, patient())
  const channels = { near: near.channels[0] as StandIn, far: far.channels[0] as StandIn }
  return { hub, pair: hub.pairs[0] as MemoryPair, ...channels }
}

const turn = () => new Promise(setImmediate)

test('a frame arrives in a later turn, never inside write', async () => {
  const { near, far } = await join()
  near.say(1)
  assert.is(far.frames.length, 0)
  await null
  assert.is(far.frames.length, 1)
})

test('while it is held nothing arrives, and it fills', async () => {
  const { pair, near, far } = await join()
  pair.hold()
  while (near.say('x'.repeat(10_000)));
  near.pipe.close('enough')
  await turn()
  assert.equal([far.frames.length, near.drains, near.ends.length], [0, 0, 0])
  pair.flow()
  await turn()
  assert.equal([far.frames.length, far.ends], [7, ['enough']])
})

test('held and let go, it says that it takes more', async () => {
  const { pair, near } = await join()
  pair.hold()
  while (near.say('x'.repeat(10_000)));
  pair.flow()
  await turn()
  assert.equal([near.drains, near.say('more')], [1, true])
})

test('cut, both ends are told once, and what is under way is lost', async () => {
  const { hub, pair, near, far } = await join()
  near.say(1)
  pair.cut('the cable')
  pair.cut('again')
  await turn()
  assert.equal([near.ends, far.ends, far.frames.length], [['the cable'], ['the cable'], 0])
  assert.equal([hub.pairs.length, near.say(2)], [0, true])
})

test('§9.5 a frame over the limit of the one who listens is told', async () => {
  const { near, far } = await join({ ...LIMITS, frame: 100 })
  near.say('x'.repeat(100))
  await turn()
  assert.equal([far.frames.length, far.starts.length, far.ends.length], [0, 1, 1])
})

test.run()
