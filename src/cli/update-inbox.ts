// How a file gets to root: the engine's user puts it into a folder of its state, which systemd watches (hormiga-update.path), and
// root's unit says what became of it. Whoever puts it there can do no more than offer it.

import { createHash, randomUUID } from 'node:crypto'
import {
  chmodSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { StartError } from '../app/failure.ts'
import { MOST } from '../update/package.ts'
import { type Places, readRegular } from './update-machine.ts'

/** Milliseconds for root's unit: the trial, and what is around it. */
const PATIENCE = 180_000
const PERIOD = 500
/** In one run; the next takes the others. */
const MOST_FILES = 10
const NAME = /^[\w.-]{1,100}\.update$/

interface Said {
  sha256: string
  code: number
  text: string
}

/** Hands it over and waits for what becomes of it. @returns the exit code @throws {StartError} */
export async function handOver(bytes: Uint8Array, { inbox, answers }: Places): Promise<number> {
  try {
    mkdirSync(inbox, { recursive: true, mode: 0o700 })
    const fresh = join(inbox, `${randomUUID()}.tmp`)
    writeFileSync(fresh, bytes, { mode: 0o600 })
    renameSync(fresh, fresh.replace(/\.tmp$/, '.update'))
  } catch (error) {
    throw new StartError(
      `this takes root or the user of the engine (${(error as Error).message}): run it with sudo`,
    )
  }
  process.stdout.write('handed over to hormiga-update.service; its words: journalctl -u hormiga-update\n')
  const sha256 = digest(bytes)
  for (const end = Date.now() + PATIENCE; Date.now() < end; await pause(PERIOD)) {
    const said = readAnswer(answers)
    if (said?.sha256 !== sha256) continue
    process.stdout.write(`${said.text}\n`)
    return said.code
  }
  throw new StartError(
    `no answer in ${PATIENCE / 1000} s: systemctl status hormiga-update.path hormiga-update.service`,
  )
}

/** Every file that was handed over, each gone before it is looked at. @returns the exit code of the last */
export async function takeFromInbox(
  { inbox, answers }: Places,
  take: (bytes: Uint8Array) => Promise<number>,
): Promise<number> {
  let code = 0
  for (const path of listInbox(inbox)) {
    const said: Said = { sha256: '', code: 1, text: '' }
    try {
      const bytes = readAway(path)
      said.sha256 = digest(bytes)
      said.code = await take(bytes)
      said.text = said.code === 0 ? 'it is kept' : 'it was tried, and is not kept: hormiga update --status'
    } catch (error) {
      said.text = `not installed: ${(error as Error).message}`
      process.stderr.write(`${path}: ${said.text}\n`)
    }
    code = said.code
    writeAnswer(answers, said)
  }
  return code
}

function listInbox(inbox: string): string[] {
  if (!lstatSync(inbox, { throwIfNoEntry: false })?.isDirectory()) return []
  return readdirSync(inbox)
    .filter((name) => NAME.test(name))
    .sort()
    .slice(0, MOST_FILES)
    .map((name) => join(inbox, name))
}

function readAway(path: string): Uint8Array {
  try {
    return readRegular(path, MOST, constants.O_NOFOLLOW)
  } finally {
    unlinkSync(path)
  }
}

function writeAnswer(path: string, said: Said): void {
  writeFileSync(`${path}.new`, JSON.stringify(said))
  chmodSync(`${path}.new`, 0o644)
  renameSync(`${path}.new`, path)
}

function readAnswer(path: string): Said | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Said
  } catch {
    return undefined
  }
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
