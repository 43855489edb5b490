// `trust`: whom the engine of this machine and this command line trust, with what, and how an engine is reached. What
// changes the files is here; what is said to other engines is in trust-state.ts, pairing in trust-pair.ts.

import { hostname } from 'node:os'
import { StartError } from '../app/failure.ts'
import { programName, quote } from '../app/program.ts'
import type { RightData } from '../identity/rights.ts'
import { readAllow, readWay, showAllow, showWay } from './allow.ts'
import { type Arguments, UsageError } from './args.ts'
import { controlled } from './controlled.ts'
import { engineFiles, engineId } from './engine-files.ts'
import { openOwn, ownTrustPath, printOf } from './own.ts'
import { editTrust, type KeyText, readTrustText, type TrustPlace, type TrustText } from './trust-edit.ts'

const FILE_MODE = { engine: 0o644, cli: 0o600 }

/** Whose file it is: what the engine allows, or whom the command line asks. */
interface Place extends TrustPlace {
  whose: string
}

const VERBS: Record<string, (given: Arguments) => Promise<number>> = {
  list,
  add,
  remove: (given) => drop(given, 'remove'),
  revoke: async (given) => {
    if (!given.lists.to) return drop(given, 'revoke')
    return (await import('./trust-state.ts')).revokeAt(given)
  },
  grant: async (given) => (await import('./trust-state.ts')).grant(given),
  rotate: async (given) => (await import('./trust-state.ts')).rotate(given),
  pair: async (given) => (await import('./trust-pair.ts')).pair(given),
}

export async function trust({ options, lists, rest: [verb = 'list', ...rest] }: Arguments): Promise<number> {
  const run = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined
  if (!run) throw new UsageError(`"trust ${verb}" is none of ${Object.keys(VERBS).join(', ')}`)
  return run({ options, lists, rest })
}

async function list({ options, rest }: Arguments): Promise<number> {
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is too much`)
  const places = await placesOf(options)
  const read = places.map((place) => ({ place, text: readTrustText(place.path) }))
  const learned = options.file || options.cli ? [] : await learnedOf(options, read)
  if (options.json) {
    const files = read.map(({ place, text }) => ({
      file: place.path,
      keys: text.keys,
      revoked: text.revoked ?? [],
    }))
    process.stdout.write(`${JSON.stringify({ files, learned })}\n`)
    return 0
  }
  for (const { place, text } of read) {
    print(`${place.path} (${place.whose})`)
    for (const key of text.keys) show(key)
    for (const entry of text.revoked ?? []) print(`  revoked ${typeof entry === 'string' ? entry : entry.id}`)
    if (text.keys.length === 0) print('  nobody')
  }
  if (learned.length > 0) print('paired or granted since (in the running engine)')
  for (const key of learned) show(key)
  return 0
}

async function add({ options, lists, rest }: Arguments): Promise<number> {
  const { name, id } = nameAndId(rest, 'add')
  const allow = (lists.allow ?? []).map(readAllow)
  const at = lists.at && readWay(lists.at)
  const isForEngine = allow.length > 0 || options.issuer === true
  const [place] = await placesOf(options, isForEngine ? 'engine' : 'cli')
  const key = editTrust(place as Place, (text) => put(text, { id, name, allow, at }, options.issuer === true))
  print(`${(place as Place).path} (${(place as Place).whose}):`)
  show(key)
  if (isForEngine && at === undefined) note(`a running engine has it within half a second`)
  else if (at) note(`try: ${programName()} get ${quote(`${name}//engine`)}`)
  return 0
}

/** Adds a key, or to one that is there. */
function put(text: TrustText, { id, name, allow = [], at }: KeyText, isIssuer: boolean): KeyText {
  if (text.revoked?.some((it) => (typeof it === 'string' ? it : it.id) === id)) {
    throw new StartError(
      `${id} is revoked in this file: take it out of "revoked" first, if that was a mistake`,
    )
  }
  const clash = text.keys.find((key) => key.name === name && key.id !== id)
  if (clash) {
    throw new StartError(`"${name}" is ${clash.id} already: take another name, or remove that one first`)
  }
  let key = text.keys.find((it) => it.id === id)
  if (!key) {
    key = { id, name }
    text.keys.push(key)
  }
  // A hint that was pasted may call it otherwise.
  if (at) key.name = name
  if (isIssuer) key.issuer = { depth: 1 }
  if (at) key.at = at
  const known = new Set(key.allow?.map((right) => JSON.stringify(right)))
  const fresh = allow.filter((right) => !known.has(JSON.stringify(right)))
  if (fresh.length > 0) key.allow = [...(key.allow ?? []), ...fresh]
  return key
}

/** Takes a key out; a revoked one can't come back by pairing, a grant or a rotation. */
async function drop({ options, rest }: Arguments, verb: 'remove' | 'revoke'): Promise<number> {
  const [who, ...more] = rest
  if (who === undefined || more.length > 0) throw new UsageError(`write: trust ${verb} NAME (or its did:key)`)
  const places = await placesOf(options)
  const holds = ({ keys }: TrustText) => keys.some((key) => key.name === who || key.id === who)
  const found = places.filter(({ path }) => holds(readTrustText(path)))
  if (found.length > 1) {
    const files = found.map(({ path, whose }) => `${path} (${whose})`).join(' and ')
    throw new UsageError(`"${who}" is in ${files}: say which by --engine or --cli`)
  }
  let id = who
  let [place] = found
  if (!place) {
    const learned = await learnedOf(options, [])
    const key = learned.find((it) => it.name === who || it.id === who)
    place = places.find((it) => it.mode === FILE_MODE.engine) ?? places[0]
    if (key && verb === 'remove') {
      throw new StartError(
        `"${who}" was paired or granted, so it is in no file: ${programName()} trust revoke ${quote(who)}`,
      )
    }
    if (!key && !(verb === 'revoke' && who.startsWith('did:'))) {
      throw new StartError(`there is no "${who}" in ${places.map(({ path }) => path).join(', ')}`)
    }
    id = key?.id ?? who
  }
  editTrust(place as Place, (text) => {
    const key = text.keys.find((it) => it.name === who || it.id === who)
    text.keys = text.keys.filter((it) => it !== key)
    if (verb === 'revoke') text.revoked = [...(text.revoked ?? []), key?.id ?? id]
  })
  print(
    `${(place as Place).path} (${(place as Place).whose}): ${who} is ${verb === 'revoke' ? 'revoked' : 'removed'}`,
  )
  return 0
}

/** The files that are meant: said by an option, else by what is to be done, else both. */
async function placesOf(options: Arguments['options'], meant?: 'engine' | 'cli'): Promise<Place[]> {
  const { file, cli } = options
  const isEngine = options.engine ?? options.config ?? options.state
  if ([file, cli, isEngine].filter((it) => it !== undefined).length > 1) {
    throw new UsageError('--file, --cli and --engine are different files: give one of them')
  }
  if (typeof file === 'string')
    return [{ path: file, mode: FILE_MODE.engine, own: undefined, whose: 'as given' }]
  const which = isEngine ? 'engine' : cli ? 'cli' : meant
  const places: Place[] = []
  if (which !== 'engine') {
    const own = openOwn(undefined, false).id
    places.push({ path: ownTrustPath(), mode: FILE_MODE.cli, own, whose: 'whom this command line trusts' })
  }
  if (which !== 'cli') {
    const files = await engineFiles(options)
    const whose = 'what the engine of this machine allows'
    places.unshift({ path: files.trust, mode: FILE_MODE.engine, own: ownOf(files), whose })
  }
  return places
}

/** A key that we may not see is not compared; the engine itself does. */
function ownOf(files: Parameters<typeof engineId>[0]): string | undefined {
  try {
    return engineId(files)
  } catch {
    return undefined
  }
}

/** Keys that the running engine has learned, beyond those of the files. */
async function learnedOf(options: Arguments['options'], read: { text: TrustText }[]): Promise<KeyText[]> {
  const known = new Set(read.flatMap(({ text }) => text.keys.map(({ id }) => id)))
  const control = await controlled((await engineFiles(options)).state).catch(() => undefined)
  if (!control) return []
  try {
    const keys = (await control.ask('GET', ['trust'])) as unknown as KeyText[]
    return keys.filter(({ id }) => !known.has(id))
  } finally {
    await control.close()
  }
}

/** NAME DID, of the arguments. @throws {UsageError} */
export function nameAndId(rest: string[], verb: string): { name: string; id: string } {
  const [name, id, ...more] = rest
  if (name === undefined || id === undefined || more.length > 0) {
    throw new UsageError(`write: trust ${verb} NAME DID, such as: trust ${verb} cocina did:key:z6Mk…`)
  }
  if (id.startsWith('did:') || !name.startsWith('did:')) return { name, id }
  throw new UsageError(`the name comes first: trust ${verb} ${quote(id)} ${name}`)
}

/** The command that lets our key do something, to be run where the engine is. */
export function grantCommand(id: string, right: RightData): string {
  const name =
    hostname()
      .replace(/[^A-Za-z0-9-]/g, '-')
      .slice(0, 64) || 'cli'
  return `hormiga trust add ${quote(name)} ${id} --allow ${quote(showAllow(right))}`
}

function show({ name, id, issuer, allow = [], at }: KeyText): void {
  print(`  ${name}  ${id}  ${printOf(id)}${issuer?.depth === 1 ? '  issuer' : ''}`)
  if (at) print(`    at ${showWay(at as never)}`)
  for (const right of allow) print(`    allow ${showAllow(right)}`)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function note(line: string): void {
  process.stderr.write(`hormiga: ${line}\n`)
}
