// Signals and faults: the program finishes its work, reloads, and never dies without a word (design §7).

import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemClock, TestClock } from '../../src/core/clock.ts'
import { mindProcess } from '../../src/host/process.ts'

/** This file started once more, as the program that gets signals. */
const CHILD = 'HORMIGA_TEST_PROCESS'

type Work = () => Promise<void>

function mind(options: { drain?: Work; reload?: Work; flush?: Work } = {}) {
  const clock = new TestClock()
  const exits: number[] = []
  const lines: string[] = []
  const fields: unknown[] = []
  const calls: string[] = []
  const process = Object.assign(new EventEmitter(), { exit: (code: number) => void exits.push(code) })
  const say = (level: string) => (text: string, more?: object) => {
    lines.push(`${level} ${text}`)
    fields.push(more)
  }
  const log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
  const call = (name: 'drain' | 'reload' | 'flush') => async () => {
    calls.push(name)
    await options[name]?.()
  }
  const undo = mindProcess({
    process,
    clock,
    log,
    drain: call('drain'),
    reload: call('reload'),
    flush: call('flush'),
  })
  return { clock, exits, lines, fields, calls, process, undo }
}

const never: Work = () => new Promise(() => {})

test('§7 SIGTERM and SIGINT drain, write out the log, and end with 0', async () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const { clock, process, calls, exits, lines } = mind()
    process.emit(signal)
    await clock.advance(0)
    assert.equal(calls, ['drain', 'flush'])
    assert.equal(exits, [0])
    assert.equal(lines, [`info ${signal}: finishing what is open`])
    assert.is(clock.pending, 0)
  }
})

test('§7 what is not drained in 5 s is left, and the exit code says so', async () => {
  const { clock, process, exits, lines } = mind({ drain: never })
  process.emit('SIGTERM')
  await clock.advance(4999)
  assert.equal(exits, [])
  await clock.advance(1)
  assert.equal(exits, [1])
  assert.is(lines.at(-1), 'warn not all was finished in 5 s')
})

test('a second signal ends at once', async () => {
  const { clock, process, exits } = mind({ drain: never })
  process.emit('SIGTERM')
  await clock.advance(10)
  process.emit('SIGINT')
  assert.equal(exits, [130])
})

test('a drain that fails is said, and ends with 1', async () => {
  const fail = async () => {
    throw new Error('no')
  }
  const { clock, process, exits, lines } = mind({ drain: fail })
  process.emit('SIGTERM')
  await clock.advance(0)
  assert.equal(exits, [1])
  assert.ok(lines.includes('error the program could not end as it should'))
})

test('a log that is never written out does not keep the program', async () => {
  const { clock, process, exits } = mind({ flush: never })
  process.emit('SIGTERM')
  await clock.advance(1000)
  assert.equal(exits, [0])
})

test('§7 SIGHUP reloads; one that comes meanwhile reloads once more; a failure is said and changes nothing', async () => {
  let release = () => {}
  let fails = false
  const reload = async () => {
    if (fails) throw new Error('h.json:1:1: no')
    await new Promise<void>((done) => {
      release = done
    })
  }
  const { clock, process, calls, exits, lines } = mind({ reload })
  process.emit('SIGHUP')
  await clock.advance(0)
  for (let count = 0; count < 3; count++) process.emit('SIGHUP')
  assert.equal(calls, ['reload'])
  release()
  await clock.advance(0)
  assert.equal(calls, ['reload', 'reload'])
  release()
  await clock.advance(0)
  fails = true
  process.emit('SIGHUP')
  await clock.advance(0)
  assert.equal(lines, ['error not reloaded, all stays as it was: h.json:1:1: no'])
  assert.equal(calls.length, 3)
  assert.equal(exits, [])
})

test('who is ending does not reload', async () => {
  const { clock, process, calls } = mind({ drain: never })
  process.emit('SIGTERM')
  process.emit('SIGHUP')
  await clock.advance(0)
  assert.equal(calls, ['drain'])
})

test('what nobody caught is logged with its stack, and ends the program with 1, undrained', async () => {
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    const { clock, process, calls, exits, lines, fields } = mind()
    const error = new Error('why')
    process.emit(event, error)
    await clock.advance(0)
    assert.equal(lines, ['error a fault in the program ends it: why'])
    assert.equal(fields, [{ error }])
    assert.equal(calls, ['flush'])
    assert.equal(exits, [1])
  }
  const { clock, process, exits, lines } = mind({ flush: never })
  process.emit('unhandledRejection', 'text')
  process.emit('uncaughtException', new Error('second'))
  assert.equal(exits, [1], 'a second one does not wait')
  await clock.advance(0)
  assert.is(lines[0], 'error a fault in the program ends it: text')
})

test('undone, it leaves no listener', () => {
  const { process, undo } = mind()
  assert.is(process.eventNames().length, 5)
  undo()
  assert.equal(process.eventNames(), [])
})

async function run(kind: string, ...signals: NodeJS.Signals[]) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    env: { ...process.env, [CHILD]: kind },
  })
  let text = ''
  child.stdout.on('data', (bytes) => {
    text += bytes
  })
  for (const signal of signals) {
    const before = text.length
    while (text.length === before) await once(child.stdout, 'data')
    child.kill(signal)
  }
  const [code] = await once(child, 'close')
  return { code, words: text.trim().split('\n') }
}

test('with real signals: reload, drain, end', async () => {
  assert.equal(await run('work', 'SIGHUP', 'SIGTERM'), {
    code: 0,
    words: ['ready', 'reload', 'drain', 'flush'],
  })
  assert.equal(await run('stuck', 'SIGINT', 'SIGINT'), { code: 130, words: ['ready', 'drain'] })
  assert.equal(await run('throw'), { code: 1, words: ['ready', 'flush'] })
  assert.equal(await run('reject'), { code: 1, words: ['ready', 'flush'] })
})

function runChild(kind: string): void {
  const nothing = () => {}
  const say = (word: string) => async () => void console.log(word)
  mindProcess({
    process,
    clock: new SystemClock(),
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    drain: kind === 'stuck' ? () => say('drain')().then(never) : say('drain'),
    reload: say('reload'),
    flush: say('flush'),
  })
  setInterval(nothing, 1000)
  console.log('ready')
  if (kind === 'throw') setTimeout(() => (undefined as unknown as () => void)())
  if (kind === 'reject') void Promise.reject(new Error('nobody'))
}

if (process.env[CHILD]) {
  runChild(process.env[CHILD])
  await never()
}

test.run()
