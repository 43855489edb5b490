// `restore`: puts a backup back, each file whole or not at all, and nothing that is there is lost without --force.

import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { StartError } from '../app/failure.ts'
import { knownProfiles } from '../app/profiles.ts'
import { readConfig } from '../host/config.ts'
import { realKeyDisk, replaceFile } from '../identity/key-disk.ts'
import { LockedError, takeLock } from '../identity/key-lock.ts'
import { boardSerial, writeBoard } from '../identity/keystore.ts'
import { type Arguments, UsageError } from './args.ts'
import { type Backup, open, wantsPassphrase } from './backup-file.ts'
import { type EngineFiles, engineFiles, filesOf } from './engine-files.ts'
import { told } from './own.ts'
import { readPassphrase } from './passphrase.ts'

const SYSTEM_FILE = '/etc/hormiga/hormiga.json'

export async function restore({ options, rest }: Arguments): Promise<number> {
  const [file, more] = rest
  if (file === undefined) throw new UsageError('say what: hormiga restore FILE')
  if (more !== undefined) throw new UsageError(`"${more}" is too much`)
  const { config, state, 'passphrase-file': passphraseFile } = options as Record<string, string | undefined>
  const here = await engineFiles({ state, config: config && existsSync(config) ? config : undefined })
  const backup = await read(file, passphraseFile, here)
  const engine = await destination(backup, resolve(config ?? here.config ?? SYSTEM_FILE), state, here)
  const paths = [...backup.files].map(([place, bytes]) => ({ place, bytes, path: pathOf(place, engine) }))
  const changed = paths.filter(({ path, bytes }) => existsSync(path) && !readFileSync(path).equals(bytes))
  if (changed.length > 0 && !options.force) {
    const list = changed.map(({ path }) => path).join(', ')
    throw new StartError(
      `these are there already, and are not the same: ${list}. Move them away, or replace them with --force`,
    )
  }
  const release = lock(engine)
  try {
    for (const { place, path, bytes } of paths) put(place, path, bytes)
    // Who restores an identity here says by it that it lives on this board from now on.
    if (backup.files.has('keys/identity.pem')) told(() => writeBoard(engine.keys, boardSerial()))
  } finally {
    release()
  }
  const made = new Date(backup.made).toISOString().slice(0, 16).replace('T', ' ')
  process.stdout.write(`restored from ${made} UTC: ${paths.map(({ path }) => path).join(', ')}\n`)
  if (backup.files.has('keys/identity.pem')) {
    process.stdout.write(`this is ${backup.id} now: never let the engine that it comes from run beside it\n`)
  }
  return 0
}

async function read(file: string, passphraseFile: string | undefined, engine: EngineFiles): Promise<Backup> {
  const bytes = told(() => readFileSync(file))
  try {
    if (wantsPassphrase(bytes)) {
      const passphrase = await readPassphrase(passphraseFile, false)
      return await open(bytes, (decrypter) => decrypter.addPassphrase(passphrase))
    }
    const { ageIdentity } = await import('../identity/backup-key.ts')
    const { readSeed } = await import('../identity/keystore.ts')
    const identity = ageIdentity(readSeed(engine.keys))
    return await open(bytes, (decrypter) => decrypter.addIdentity(identity))
  } catch (error) {
    if (error instanceof StartError || error instanceof UsageError) throw error
    const { message } = error as Error
    const why = /no identity matched/.test(message)
      ? 'neither the passphrase nor the key of this engine opens it'
      : message
    throw new StartError(`${file} can't be restored: ${why}`)
  }
}

/** Where everything belongs, by the configuration that is restored. @throws {StartError} */
async function destination(
  { files }: Backup,
  config: string,
  state: string | undefined,
  here: EngineFiles,
): Promise<EngineFiles> {
  const bytes = files.get('config')
  if (!bytes) return here
  return filesOf(() => readConfig(Buffer.from(bytes).toString('utf8'), config, knownProfiles()), state)
}

function pathOf(place: string, engine: EngineFiles): string {
  const [room = '', name = ''] = place.split('/')
  if (room === 'config') return engine.config as string
  if (room === 'trust') return engine.trust
  return join(room === 'keys' ? engine.keys : engine.state, name)
}

/** Keeps the engine out meanwhile. @throws {StartError} when it runs */
function lock({ keys }: EngineFiles): () => void {
  try {
    if (!existsSync(keys)) realKeyDisk.makeFolder(keys)
    return takeLock(realKeyDisk, join(keys, 'lock'), keys)
  } catch (error) {
    if (!(error instanceof LockedError)) throw new StartError((error as Error).message)
    throw new StartError(`the engine runs: stop it first (sudo systemctl stop hormiga). ${error.message}`)
  }
}

/** Whole or not at all. What is for the engine alone belongs to whoever owns its folder; the rest stays readable as it was. */
function put(place: string, path: string, bytes: Uint8Array): void {
  const folder = dirname(path)
  told(() => {
    const before = statSync(path, { throwIfNoEntry: false })
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    replaceFile(realKeyDisk, folder, basename(path), bytes)
    const { uid, gid } = before ?? statSync(folder)
    if (process.getuid?.() === 0) chownSync(path, uid, gid)
    if (/^(config|trust)$/.test(place)) chmodSync(path, before ? before.mode & 0o777 : 0o644)
  })
}
