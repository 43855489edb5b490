// `id`: who signs here, the command line or the engine; or a new key for `--as`.

import { resolve } from 'node:path'
import { StartError } from '../app/failure.ts'
import { didOf } from '../identity/did.ts'
import { makeKeyFile } from '../identity/keystore.ts'
import { type Arguments, UsageError } from './args.ts'
import { engineFiles, engineId } from './engine-files.ts'
import { openOwn, printOf, told } from './own.ts'

interface Shown {
  id: string
  /** Whose it is, for people. */
  whose: string
  /** Where the key is. */
  from: string
}

export async function id({ options, rest }: Arguments): Promise<number> {
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is too much`)
  const { id: shown, whose, from } = await find(options)
  const fingerprint = printOf(shown)
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ id: shown, fingerprint, file: from })}\n`)
    return 0
  }
  process.stdout.write(`${shown}\n`)
  // Alone on its line, so that it can be taken by another command: the rest is for people.
  process.stdout.write(`fingerprint ${fingerprint}\n`)
  if (options.qr || process.stdout.isTTY) {
    const { qrText } = await import('./qr.ts')
    process.stdout.write(qrText(shown))
  }
  if (process.stderr.isTTY) process.stderr.write(`the key of ${whose}, in ${from}\n`)
  return 0
}

async function find(options: Arguments['options']): Promise<Shown> {
  const { new: fresh, as } = options as Record<string, string | undefined>
  const ofEngine = options.engine ?? options.state ?? options.config
  if ([fresh, as, ofEngine].filter((it) => it !== undefined).length > 1) {
    throw new UsageError('--new, --as and --engine are three different keys: give one of them')
  }
  if (fresh !== undefined) {
    const from = resolve(fresh)
    return { id: didOf(told(() => makeKeyFile(from)).kid), whose: 'a new identity: use it with --as', from }
  }
  if (ofEngine !== undefined) {
    const files = await engineFiles(options)
    const found = engineId(files)
    if (found) return { id: found, whose: 'the engine of this machine', from: files.keys }
    throw new StartError(
      `there is no key in ${files.keys} yet: an engine makes it when it is started, or say where it is: --state DIR`,
    )
  }
  const own = openOwn(as, false)
  return { id: own.id, whose: as ? 'that file' : 'this command line', from: own.from }
}
