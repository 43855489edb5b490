#!/usr/bin/env node
// Gets hormiga onto a card for a Raspberry Pi. What each way does, and what happens at the first start: README.md here.

import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { FlashError } from './errors.mjs'
import { inject } from './inject.mjs'
import { writeImage } from './write.mjs'

const usage = `node scripts/flash COMMAND …
  inject TARGET          onto a card that Raspberry Pi Imager has written with Raspberry Pi OS (64-bit), before its first start.
                         TARGET: the folder of its boot partition (bootfs), or an image file (.img)
    --settings FILE      a hormiga.toml: name, Wi-Fi, SSH keys, the engine's devices
    --config FILE        a whole hormiga.json instead of [engine] there
    --deb FILE           the packages hormiga and hormiga-node (default: the newest in .build/deb)
    --arch ARCH          of the packages, for trying it on another computer (default: arm64)
  write IMAGE DEVICE     writes .img or .img.xz onto a whole card, such as /dev/sdb, and reads it back (Linux)
  image                  makes an image for a card of its own (Linux); image --help says how`

const commands = {
  inject([target, ...more], { deb, settings, config, arch }) {
    if (target === undefined || more.length > 0) return misused('inject needs one TARGET.')
    for (const line of inject(target, { debs: deb, settings, config, arch })) console.log(line)
  },
  async write([image, device, ...more]) {
    if (device === undefined || more.length > 0) return misused('write needs IMAGE and DEVICE.')
    await writeImage(image, device, { ask, say: console.log, progress: progressTo(process.stderr) })
  },
}

async function ask(question) {
  const lines = createInterface({ input: process.stdin, output: process.stdout })
  // Without anybody there, the end of the input is an answer as well.
  const ended = new Promise((resolve) => lines.once('close', () => resolve('')))
  const answer = await Promise.race([lines.question(question), ended])
  lines.close()
  return answer
}

/** On a terminal every percent, else every tenth. */
function progressTo(stream) {
  let last = ''
  return (what, part) => {
    const percent = Math.floor(part * 100)
    const text = `${what} ${stream.isTTY ? percent : percent - (percent % 10)} %`
    if (text === last) return
    last = text
    stream.write(stream.isTTY ? `\r${text} ${percent === 100 ? '\n' : ''}` : `${text}\n`)
  }
}

function misused(message) {
  console.error(`${message}\n${usage}`)
  process.exitCode = 2
}

async function main() {
  if (process.argv[2] === 'image') {
    process.exitCode = await (await import('./image/index.mjs')).image(process.argv.slice(3))
    return
  }
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      settings: { type: 'string' },
      config: { type: 'string' },
      deb: { type: 'string', multiple: true },
      arch: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const [name, ...rest] = positionals
  if (values.help) return console.log(usage)
  if (!Object.hasOwn(commands, name ?? ''))
    return misused(`the command is one of ${Object.keys(commands).join(', ')}.`)
  await commands[name](rest, values)
}

function tell(error) {
  if (error.code?.startsWith('ERR_PARSE_ARGS')) return misused(error.message)
  console.error(error instanceof FlashError ? `flash: ${error.message}` : error)
  process.exitCode = 1
}

await main().catch(tell)
