#!/usr/bin/env node
// Measures the built engine against jstp@1.1.5 and the least that Node can do, in the same rounds. See README.md.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { projectRoot } from '../build.mjs'
import { median, now } from './measure.mjs'
import { printHotLines } from './profile.mjs'
import { balance } from './sections/balance.mjs'
import { http } from './sections/http.mjs'
import { identity } from './sections/identity.mjs'
import { local } from './sections/local.mjs'
import { mqtt } from './sections/mqtt.mjs'
import { rss, size, start } from './sections/process.mjs'
import { fanout, match, relay } from './sections/relay.mjs'
import { rtt } from './sections/rtt.mjs'
import { sensors } from './sections/sensors.mjs'
import { stuck } from './sections/stuck.mjs'

const sections = {
  local,
  relay,
  rtt,
  fanout,
  stuck,
  rss,
  start,
  size,
  match,
  identity,
  balance,
  http,
  sensors,
  mqtt,
}

const usage = `node scripts/bench/index.js [OPTION…]
  --rounds N      how often everything is measured (2; 5 for figures to compare)
  --only a,b      only these sections: ${Object.keys(sections).join(' ')}
  --gate          ends with exit code 1 if a floor is missed
  --json FILE     writes every figure of every round
  --engine FILE   the library to measure (dist/index.js)
  --profile DIR   keeps CPU profiles of the engine's server processes, and prints their hottest lines`

const problems = []

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '2' },
      only: { type: 'string', default: Object.keys(sections).join() },
      gate: { type: 'boolean', default: false },
      json: { type: 'string' },
      engine: { type: 'string', default: join(projectRoot, 'dist/index.js') },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(usage)
  const rounds = Number(values.rounds)
  const names = values.only.split(',')
  const unknown = names.find((name) => !Object.hasOwn(sections, name))
  if (unknown !== undefined) return misused(`there is no section "${unknown}".`)
  if (!Number.isInteger(rounds) || rounds < 1) return misused('--rounds must be a number from 1 up.')
  const engine = resolve(values.engine)
  if (!existsSync(engine)) return misused(`${engine} is missing: build it with node scripts/build.mjs.`)
  const options = { engine, profile: values.profile && resolve(values.profile) }
  if (options.profile) mkdirSync(options.profile, { recursive: true })
  const measured = await measure(names, rounds, options)
  const results = names.map((name) => report(name, measured[name]))
  if (options.profile) printHotLines(options.profile)
  if (values.json) {
    writeFileSync(values.json, `${JSON.stringify({ machine: machine(), measured, results }, undefined, 2)}\n`)
  }
  const failed = results.flatMap(({ judged }) => judged).filter(({ ok }) => ok === false).length
  const isHeld = failed + problems.length === 0
  console.log(
    isHeld ? '\nevery floor is held' : `\n${failed} floors missed, ${problems.length} sections failed`,
  )
  if (values.gate && !isHeld) process.exitCode = 1
}

/** Every round goes through all sections, so that what else the machine does meets all alike. */
async function measure(names, rounds, options) {
  const measured = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      if (round > 0 && (sections[name].once || measured[name].length < round)) continue
      const begun = now()
      try {
        measured[name].push(await sections[name].round(options))
      } catch (error) {
        problems.push(name)
        console.error(`${name}: ${error.message}`)
      }
      const seconds = ((now() - begun) / 1000).toFixed(1)
      console.error(`round ${round + 1}: ${name}, ${seconds} s, load ${loadavg()[0].toFixed(1)}`)
    }
  }
  return measured
}

/** Prints a section: medians, the range of the rounds, and what is judged. */
function report(name, rounds) {
  const { title, judged } = sections[name]
  console.log(`\n${name}: ${title}`)
  if (rounds.length === 0) {
    console.log('  FAIL: could not be measured, see above')
    return { name, figures: {}, judged: [] }
  }
  const figures = {}
  for (const key of Object.keys(rounds[0])) {
    const values = rounds.map((figures) => figures[key])
    figures[key] = median(values)
    const range = values.length > 1 ? `  [${short(Math.min(...values))} – ${short(Math.max(...values))}]` : ''
    console.log(`  ${key.padEnd(38)} ${short(figures[key]).padStart(9)}${range}`)
  }
  return { name, figures, judged: judged.map((rule) => judge(rule, rounds)) }
}

/** The median of what the rule makes of each round: a ratio counts only within one round. */
function judge({ name, of, least, most }, rounds) {
  const value = median(rounds.map(of))
  const floor = least === undefined ? (most === undefined ? '' : `at most ${most}`) : `at least ${least}`
  const ok = floor === '' ? undefined : value >= (least ?? value) && value <= (most ?? value)
  const verdict = ok === undefined ? '' : `${ok ? 'PASS' : 'FAIL'} (${floor})`
  console.log(`  → ${name.padEnd(36)} ${short(value).padStart(9)}  ${verdict}`.trimEnd())
  return { name, value, least, most, ok }
}

function short(value) {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 10_000) return `${Math.round(value / 1000)}k`
  return String(Number(value.toPrecision(3)))
}

function machine() {
  const { version } = JSON.parse(readFileSync(join(projectRoot, 'node_modules/jstp/package.json'), 'utf8'))
  const [{ model }] = cpus()
  return {
    at: new Date().toISOString(),
    node: process.version,
    jstp: version,
    cpu: model,
    cores: cpus().length,
  }
}

function misused(message) {
  console.error(`${message}\n${usage}`)
  process.exitCode = 2
}

await main()
