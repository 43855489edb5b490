// Whole engines over hours: contexts and challenges come and go, and nobody notices (spec B6 to B8, R7, R8).

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Json } from '../../src/core/dispatch.ts'
import type { Request } from '../../src/core/owner.ts'
import { CLOSED, inTime, lampOf } from './engine-kit.ts'
import { town, uriOf } from './engines.ts'
import { MODES } from './parties.ts'

const MINUTE = 60_000

test('R8 who only listens hears for hours, in context after context: never stale, nothing missed', async () => {
  const { place, a, b, far } = await town({ a: CLOSED, b: CLOSED })
  const { lamp } = lampOf(b)
  const seen: Request[] = []
  const states: string[] = []
  await a.engine.bind(uriOf(far, 'lamp/...'), (request) => void seen.push(request), {
    key: 'b',
    onState: (state) => states.push(state),
  })
  for (let minute = 0; minute < 150; minute++) {
    lamp.report(['level'], minute)
    await place.advance(MINUTE)
  }
  assert.equal(
    seen.map(({ dispatch, missed }) => [dispatch.body, missed]),
    Array.from({ length: 150 }, (_, minute) => [minute, undefined]),
  )
  assert.equal(states, ['bound'])
  assert.ok((b.guard.identity.sizes.contexts as number) <= 2)
  await place.close()
})

test('R7 who asks now and then, at any distance, is answered every time', async () => {
  for (const minutes of [1, 4, 9, 14, 16, 19, 21, 61]) {
    const { place, a, b, far } = await town({ a: CLOSED, b: CLOSED })
    const { done } = lampOf(b)
    for (let i = 0; i < 12; i++) {
      for (const mode of MODES) {
        const body = `${i} ${mode}`
        const asking = a.engine.put(uriOf(far, 'lamp/on'), { body, key: 'b', mode }).first()
        const { status, body: said } = await inTime(place, asking)
        assert.equal([status, said as Json], [200, `done ${body}`], `every ${minutes} min`)
      }
      await place.advance(minutes * MINUTE)
    }
    assert.ok([...done.values()].every((count) => count === 1))
    await place.close()
  }
})

test.run()
