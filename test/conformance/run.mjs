#!/usr/bin/env node
import { fileURLToPath } from 'node:url'
// Plays the conformance cases against a running JSTP engine. See README.md.
import { parseArgs } from 'node:util'
import { loadCases, play } from './lib/cases.mjs'
import { Failure } from './lib/failure.mjs'
import { writeJunit } from './lib/junit.mjs'

const usage = `node run.mjs --tcp HOST:PORT [--ws URL] [--http URL] [--relay-port N] [--strict] [--with FEATURE,…]
  [--speak 0.4|0.5|0.6] [--cases DIR] [--only ID,ID,PREFIX*] [--list] [--junit FILE]
  [--timeout-ms N] [--answer-timeout-ms N] [--quiet-ms N] [--settle-ms N]`

const text = { type: 'string' }
const flag = { type: 'boolean', default: false }
const number = (value) => ({ type: 'string', default: String(value) })

function readOptions() {
  const { values } = parseArgs({
    options: {
      tcp: text,
      ws: text,
      http: text,
      cases: text,
      only: text,
      junit: text,
      'relay-port': text,
      with: text,
      speak: { type: 'string', default: '0.6' },
      strict: flag,
      list: flag,
      help: flag,
      'timeout-ms': number(1000),
      'answer-timeout-ms': number(10000),
      'quiet-ms': number(150),
      'settle-ms': number(150),
    },
  })
  return {
    ...values,
    tcp: values.tcp && hostAndPort(values.tcp),
    cases: values.cases ?? fileURLToPath(new URL('cases', import.meta.url)),
    relayPort: values['relay-port'] && Number(values['relay-port']),
    timeoutMs: Number(values['timeout-ms']),
    answerTimeoutMs: Number(values['answer-timeout-ms']),
    quietMs: Number(values['quiet-ms']),
    settleMs: Number(values['settle-ms']),
  }
}

function hostAndPort(address) {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

/** What the engine under test offers; a case that needs anything else is skipped. */
function features(options) {
  const given = { tcp: options.tcp, ws: options.ws, http: options.http, relay: options.relayPort }
  const offered = Object.keys(given).filter((name) => given[name])
  return new Set([...offered, options.strict ? 'strict' : 'quirks', ...(options.with?.split(',') ?? [])])
}

function isWanted({ id }, only) {
  if (!only) return true
  return only.split(',').some((name) => (name.endsWith('*') ? id.startsWith(name.slice(0, -1)) : id === name))
}

async function playOne(item, options, offered) {
  const lacking = item.needs.filter((need) => !offered.has(need))
  if (lacking.length > 0) return { item, state: 'skip', message: `needs ${lacking.join(', ')}`, ms: 0 }
  const start = performance.now()
  try {
    await play(item, options)
    return { item, state: 'ok', ms: performance.now() - start }
  } catch (error) {
    const message = error instanceof Failure ? error.message : `the case itself broke: ${error.stack}`
    return { item, state: 'FAIL', message, ms: performance.now() - start }
  }
}

function report({ item, state, message }) {
  console.log(`${state} ${item.id} ${item.title}${message ? `: ${message}` : ''}`)
}

function close(results) {
  const count = (state) => results.filter((result) => result.state === state).length
  if (count('skip') > 0) console.log(`${count('skip')} skipped`)
  console.log(`${count('ok')} passed, ${count('FAIL')} failed`)
  return count('FAIL') > 0 ? 1 : 0
}

function usageError(error) {
  console.error(`${error.message}\n${usage}`)
  return 2
}

async function main() {
  const options = readOptions()
  if (options.help || !(options.tcp || options.list)) {
    console.log(usage)
    return options.help ? 0 : 2
  }
  const wanted = (await loadCases(options.cases)).filter((item) => isWanted(item, options.only))
  if (wanted.length === 0) throw new Error('no such case')
  if (options.list) {
    for (const { id, title, rule } of wanted) console.log(`${id} ${title} [${rule}]`)
    return 0
  }
  const offered = features(options)
  const results = []
  for (const item of wanted) {
    const result = await playOne(item, options, offered)
    report(result)
    results.push(result)
  }
  if (options.junit) await writeJunit(options.junit, results)
  return close(results)
}

process.exit(await main().catch(usageError))
