#!/usr/bin/env node
// Starts a new device: `node scripts/new-device NAME` makes devices/NAME/ with a device that works and does little. Change
// it to what your thing says; nothing else needs to know of it.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const usage =
  'node scripts/new-device NAME\n  NAME: maker and model in lower-case words with hyphens: acme-lamp'

const template = new URL('template/', import.meta.url)

function main([name, ...more]) {
  if (name === '--help' || name === '-h') return print(usage)
  if (!name || more.length > 0) return fail(`exactly one name is needed.\n${usage}`)
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) return fail(`"${name}" is no name for a device.\n${usage}`)
  const folder = new URL(`../../devices/${name}/`, import.meta.url)
  if (existsSync(folder)) return fail(`devices/${name} is there already; nothing was changed.`)
  mkdirSync(folder, { recursive: true })
  for (const file of readdirSync(template)) {
    const text = readFileSync(new URL(file, template), 'utf8')
    writeFileSync(new URL(file, folder), text.replaceAll('new-device-name', name))
  }
  print(`devices/${name}: ${readdirSync(fileURLToPath(folder)).join(', ')}`)
  print(`Try it:   put "thing": {"profile": "${name}", "simulated": true} into "devices" of a configuration`)
  print('Then:     write down what your thing says in session.txt, and make device.ts say it')
}

function print(text) {
  console.log(text)
}

function fail(message) {
  console.error(message)
  process.exitCode = 2
}

main(process.argv.slice(2))
