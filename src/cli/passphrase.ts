// A passphrase: from a file, or asked for where nobody sees it.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { StartError } from '../app/failure.ts'
import { UsageError } from './args.ts'

const SHORTEST = 12

/** @param file what `--passphrase-file` says. @param isNew it is chosen now: asked for twice, and not too short. @throws {StartError} */
export async function readPassphrase(file: string | undefined, isNew: boolean): Promise<string> {
  const passphrase = file === undefined ? await askTwice(isNew) : readFile(file)
  if (isNew && passphrase.length < SHORTEST) {
    throw new StartError(
      `the passphrase has ${passphrase.length} letters: it needs ${SHORTEST}, for whoever has the file can try as long as they like`,
    )
  }
  return passphrase
}

function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw new StartError(`--passphrase-file: ${file} can't be read: ${(error as Error).message}`)
  }
}

async function askTwice(isNew: boolean): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new UsageError('there is no terminal to ask for a passphrase: give it with --passphrase-file FILE')
  }
  const first = await ask('passphrase: ')
  if (isNew && (await ask('the same again: ')) !== first) throw new StartError('the two are not the same')
  return first
}

function ask(question: string): Promise<string> {
  process.stderr.write(question)
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  return new Promise((resolve, reject) => {
    lines.once('line', (line) => {
      process.stderr.write('\n')
      resolve(line)
      lines.close()
    })
    lines.once('close', () => reject(new StartError('no passphrase was given')))
  })
}
