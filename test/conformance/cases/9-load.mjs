// Cases that need a loop.
import { randomUUID } from 'node:crypto'

export const section = '9 Load and limits'

const range = (count) => Array.from({ length: count }, (_, i) => i)

const batches = (lines, size) =>
  range(Math.ceil(lines.length / size)).map((i) => lines.slice(i * size, (i + 1) * size))

async function keepsOrder(stage) {
  const resource = ['$case']
  await stage.connect(['A', 'B'])
  await stage.bind('A', { endpoint: { method: 'POST', resource } })
  const lines = range(10000).map((i) => ({ method: 'POST', resource, body: { n: i } }))
  const sent = sendAll(stage, 'B', lines)
  for (const i of range(10000))
    await stage.expect('A', { ms: 5000, dispatch: { method: 'POST', body: { n: i } } })
  await sent
  await stage.silent('A')
}

async function sendAll(stage, name, lines) {
  for (const batch of batches(lines, 100)) await stage.sendLines(name, { lines: batch })
}

async function answersEachOnce(stage) {
  const resource = ['$case']
  await stage.connect('A')
  await stage.connect('B', { version: '0.5' })
  await stage.bind('A', { endpoint: { method: 'GET', resource } })
  for (const _ of range(20)) await askAndAnswer(stage, resource, 100)
  await stage.silent('B')
}

async function askAndAnswer(stage, resource, count) {
  const open = new Set(range(count).map(() => randomUUID()))
  await stage.sendLines('B', { lines: [...open].map((id) => ({ method: 'GET', resource, token: [id] })) })
  for (const _ of range(count)) {
    const { token } = await stage.expect('A', { dispatch: { token: ['$string', '$string'] } })
    stage.send('A', { dispatch: { method: 'ANSWER', resource: [200, ...token] } })
  }
  for (const _ of range(count)) {
    const answer = await stage.expect('B', {
      dispatch: { method: 'ANSWER', resource: [200, '$string', '$string'] },
    })
    const id = answer.resource[1]
    if (!open.delete(id)) stage.fail('one answer for each question', `another one for ${id}`)
  }
}

async function doesNotExplode(stage) {
  const pattern = ['$case', ...range(20).flatMap(() => ['...', 'a'])]
  const resource = ['$case', ...range(60).map(() => 'a')]
  await stage.connect(['A', 'B'])
  await stage.bind('A', { endpoint: { method: 'POST', resource: [...pattern, 'z'] } })
  await stage.bind('A', { endpoint: { method: 'PUT', resource: pattern } })
  stage.send('B', { dispatch: { method: 'POST', resource, token: ['$no'] } })
  await stage.expect('B', { dispatch: { resource: [404, '$no', '$string'] } })
  stage.send('B', { dispatch: { method: 'PUT', resource } })
  await stage.expect('A', { dispatch: { method: 'PUT', resource } })
}

async function ignoresOtherSubscriptions(stage) {
  await stage.connect(['A', 'B', 'C'])
  await stage.bind('A', { endpoint: { method: 'POST', resource: ['$case', 'mine'] } })
  const before = await shortestRound(stage)
  const endpoints = range(5000).map((i) => ({ method: 'POST', resource: ['$case', `other ${i}`] }))
  await sendAll(
    stage,
    'C',
    endpoints.map((endpoint) => ({ method: 'BIND', endpoint })),
  )
  await stage.wait(500)
  const after = await shortestRound(stage)
  const isSlower = after > 3 * before + 50
  if (isSlower)
    stage.fail(
      `about ${before.toFixed()} ms for 2,000 dispatches`,
      `${after.toFixed()} ms with 5,000 more bound`,
    )
}

async function shortestRound(stage) {
  const times = []
  for (const _ of range(5)) times.push(await timeRound(stage))
  return Math.min(...times)
}

/** How long the engine takes for 2,000 dispatches that match nothing and one that does. */
async function timeRound(stage) {
  const start = performance.now()
  await sendAll(
    stage,
    'B',
    range(2000).map(() => ({ method: 'POST', resource: ['$case', 'nobody'] })),
  )
  stage.send('B', { dispatch: { method: 'POST', resource: ['$case', 'mine'] } })
  await stage.expect('A', { ms: 20000, dispatch: { method: 'POST' } })
  return performance.now() - start
}

async function closesAfterMuchGarbage(stage) {
  await stage.connect(['A', 'B', 'C'])
  const garbage = stage.sendLines('B', { lines: range(20000).map(() => 'garbage') })
  await stage.closed('B', { ms: 2000 })
  await garbage
  await stage.bind('A', { endpoint: { method: 'POST', resource: ['$case'] } })
  stage.send('C', { dispatch: { method: 'POST', resource: ['$case'] } })
  await stage.expect('A', { dispatch: { method: 'POST' } })
}

async function forgivesReferencePeers(stage) {
  await stage.connect(['A', 'B'])
  await stage.bind('A', { endpoint: { method: 'POST', resource: ['$case'] } })
  await stage.sendLines('B', { lines: range(2000).map(() => '[object Object]') })
  await stage.wait(100)
  stage.send('B', { dispatch: { method: 'POST', resource: ['$case'] } })
  await stage.expect('A', { dispatch: { method: 'POST' } })
}

async function survivesSlowReaders(stage) {
  await stage.connect(['A', 'B', 'C', 'D'])
  await stage.bind('A', { endpoint: { method: 'POST', resource: ['$case', 'slow'] } })
  await stage.bind('C', { endpoint: { method: 'POST', resource: ['$case', 'quick'] } })
  stage.pause('A')
  const body = 'x'.repeat(2000)
  const flood = sendAll(
    stage,
    'B',
    range(5000).map(() => ({ method: 'POST', resource: ['$case', 'slow'], body })),
  )
  for (const i of range(20)) {
    stage.send('D', { dispatch: { method: 'POST', resource: ['$case', 'quick'], body: { n: i } } })
    await stage.expect('C', { ms: 3000, dispatch: { body: { n: i } } })
    await stage.wait(20)
  }
  stage.reset('B')
  await flood
}

async function survivesManyChannels(stage) {
  for (const i of range(100)) {
    const name = `peer ${i}`
    await stage.connect(name)
    stage.send(name, {
      dispatch: { method: 'BIND', endpoint: { method: 'GET', resource: ['$case', '...'] } },
    })
    stage.send(name, { dispatch: { method: 'GET', resource: ['$case', i], token: ['$tx'] } })
    await (i % 2 ? stage.reset(name) : stage.close(name))
  }
  await stage.wait(200)
  await stage.connect('B')
  stage.send('B', { dispatch: { method: 'GET', resource: ['$case'], token: ['$last'] } })
  await stage.expect('B', { dispatch: { resource: [404, '$last', '$string'] } })
}

export const cases = [
  {
    id: 'L01',
    run: keepsOrder,
    title: '10,000 dispatches in order, none lost, none twice',
    rule: '3: processing, in this order',
  },
  {
    id: 'L02',
    run: answersEachOnce,
    title: '2,000 questions, one answer each',
    rule: '4: an answer goes back along the way the dispatch came',
  },
  {
    id: 'L03',
    run: doesNotExplode,
    title: 'twenty ellipses are matched within the time limit',
    rule: '2: matching time must not explode on repeated ...',
  },
  {
    id: 'L04',
    run: ignoresOtherSubscriptions,
    title: '5,000 subscriptions that do not match cost nothing',
    rule: '2: matching time must not depend on the number of subscriptions that do not match',
  },
  {
    id: 'L05',
    run: closesAfterMuchGarbage,
    title: 'repeated garbage closes the channel, and only that one',
    rule: '1.3: close the channel after repeated garbage',
  },
  {
    id: 'L06',
    run: forgivesReferencePeers,
    title: 'any number of [object Object] lines is forgiven',
    rule: '1.3: jstp@1.1.5 itself sends that line: skip it',
  },
  {
    id: 'L07',
    run: survivesSlowReaders,
    title: 'a subscriber that does not read does not hold up the others',
    rule: '3: trigger every matching subscription',
  },
  {
    id: 'L08',
    run: survivesManyChannels,
    title: '100 channels that bind, ask and go away leave nothing bound',
    rule: '3: a channel that closes is RELEASEd of everything it bound',
  },
]
