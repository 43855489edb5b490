// `backup`: the configuration, the trust file and the state of the engine as one file that only its owner can open.

import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { StartError } from '../app/failure.ts'
import { kidOf } from '../identity/did.ts'
import { realKeyDisk } from '../identity/key-disk.ts'
import { type Arguments, UsageError } from './args.ts'
import { type Files, MOST, seal } from './backup-file.ts'
import { type EngineFiles, engineFiles, engineId } from './engine-files.ts'
import { readOwnTrust, told } from './own.ts'
import { readPassphrase } from './passphrase.ts'

/** Of the key folder, what makes the identity. Prekeys stay: a copy of them would open what was sealed before. */
const IDENTITY = ['identity.pem', 'uptime', 'learned.json']
const STATE = /^[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)*$/

export async function backup({ options, rest }: Arguments): Promise<number> {
  const [file, more] = rest
  if (file === undefined) throw new UsageError('say where to: hormiga backup FILE')
  if (more !== undefined) throw new UsageError(`"${more}" is too much`)
  const { to, 'passphrase-file': passphraseFile } = options as Record<string, string | undefined>
  if (to !== undefined && passphraseFile !== undefined) {
    throw new UsageError('--to and --passphrase-file are two different locks: give one of them')
  }
  if (existsSync(file)) throw new StartError(`${file} is there already: give another name, or remove it`)
  const engine = await engineFiles(options)
  const files = gather(engine, options['with-identity'] === true)
  const key =
    to === undefined
      ? { passphrase: await readPassphrase(passphraseFile, true) }
      : { recipient: await recipientOf(to) }
  const bytes = await seal({ id: engineId(engine), made: Date.now(), files }, key)
  told(() => realKeyDisk.create(file, bytes))
  const parts = [...files.keys()].join(', ')
  const lacks = options['with-identity'] ? '' : ' The identity key is not in it (--with-identity).'
  process.stdout.write(`${file}: ${bytes.length} bytes: ${parts}.${lacks}\n`)
  return 0
}

/** @throws {StartError} */
function gather(engine: EngineFiles, withIdentity: boolean): Files {
  const files: Files = new Map()
  const add = (place: string, path: string) => {
    const facts = lstatSync(path, { throwIfNoEntry: false })
    if (facts?.isFile()) files.set(place, readFileSync(path))
  }
  told(() => {
    if (engine.config) add('config', engine.config)
    add('trust', engine.trust)
    const names = existsSync(engine.state) ? readdirSync(engine.state) : []
    for (const name of names) {
      const path = join(engine.state, name)
      // The engine replaces files of its own by way of NAME.tmp, and keeps NAME~.
      if (STATE.test(name) && !name.endsWith('.tmp') && path !== engine.trust) add(`state/${name}`, path)
    }
    if (withIdentity) for (const name of IDENTITY) add(`keys/${name}`, join(engine.keys, name))
  })
  if (files.size === 0)
    throw new StartError(`there is nothing to save: no configuration, and nothing in ${engine.state}`)
  const size = [...files.values()].reduce((sum, { length }) => sum + length, 0)
  if (size > MOST)
    throw new StartError(`${engine.state} has ${size} bytes: more than the ${MOST} of a backup`)
  return files
}

/** @throws {StartError} */
async function recipientOf(to: string): Promise<string> {
  const known = readOwnTrust().keys.find(({ name }) => name === to)
  const kid = kidOf(known?.id ?? to)
  if (!kid)
    throw new StartError(
      `--to: "${to}" is no key (did:key:z6Mk…) and no name of your trust file: hormiga trust list`,
    )
  const { ageRecipient } = await import('../identity/backup-key.ts')
  return told(() => ageRecipient(kid))
}
