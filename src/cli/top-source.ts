// Which engines `hormiga top` asks, the way to each, and the key that it is sealed for: names as in `get` and `bind`.

import { isLoopback } from '../core/access.ts'
import type { Hop } from '../core/dispatch.ts'
import { JstpError } from '../core/status.ts'
import { formatUri, parseUri } from '../core/uri.ts'
import type { KeyData, TrustFile } from '../identity/trust-file.ts'
import { UsageError } from './args.ts'
import { localEngine } from './call.ts'

type Address = Exclude<Hop, string>

/** An engine that may be asked. */
export interface Source {
  /** For people: as it was asked for, or found. */
  at: string
  to: Hop[]
  /** did:key, and the name in the trust file. `undefined`: it goes in clear. */
  key?: { id: string; name: string }
  /**
   * Whether the user wants to see it, there or not. Others are shown once they have been heard: `home` is the engine of
   * this machine that nobody has asked for, `found` one that another has named.
   */
  kind: 'asked' | 'home' | 'found'
}

/**
 * Those that are asked for: the engine of this machine, or that of `--engine`, and the arguments.
 * @param readTrust read only where a name needs it. @throws {UsageError}
 */
export async function findSources(
  words: string[],
  engine: string | undefined,
  readTrust: () => TrustFile,
): Promise<Source[]> {
  const local: Hop[] = [await localEngine(engine)]
  // Who asks for others need not have an engine at home.
  const kind = words.length === 0 || engine !== undefined ? 'asked' : 'home'
  const own: Source = { at: showWay(local), to: local, kind }
  const sources = words.map((word) => sourceOf(word, local, readTrust))
  const all = [own, ...sources]
  return all.filter(({ at }, i) => all.findLastIndex((other) => other.at === at) === i)
}

/**
 * The way to an engine that another one has named as `tcp:10.0.0.7:33333`; `undefined` for one that can't be dialed. An
 * address such as 127.0.0.1 means something only where it was said.
 */
export function replicaSource(name: string, teller: Source, keys: KeyData[]): Source | undefined {
  const hop = addressOf(name)
  if (!hop) return undefined
  const [first] = teller.to
  const isHere = Array.isArray(first) && teller.to.length === 1 && isLoopback(first[0])
  const to = isLoopback(hop[0]) && !isHere ? [...teller.to, hop] : [hop]
  const known = keys.find(({ at }) => JSON.stringify(at) === JSON.stringify(to))
  return { at: showWay([hop]), to, key: known && { id: known.id, name: known.name }, kind: 'found' }
}

/** How that one is called here. */
export function labelOf(name: string): string {
  const hop = addressOf(name)
  return hop ? showWay([hop]) : name
}

/** `10.0.0.7:33333`, with the transport unless it is TCP. */
export function showWay(to: Hop[]): string {
  const [way = ''] = formatUri({ to, resource: ['engine'] })
    .slice('jstp:'.length)
    .split('//')
  return way.replaceAll(/:tcp(?=,|$)/g, '')
}

/** What is asked there. */
export function uriOf({ to }: Source, point: string[], isBind = false): string {
  const resource = ['engine', ...point]
  return formatUri({ ...(isBind && { method: 'BIND', pattern: 'PUT' }), to, resource })
}

function sourceOf(word: string, local: Hop[], readTrust: () => TrustFile): Source {
  const to = readWay(word)
  const { keys } = to.some((hop) => typeof hop === 'string') ? readTrust() : { keys: [] }
  const named = (hop: Hop | undefined) => keys.find(({ name, id }) => name === hop || id === hop)
  const [first, ...more] = to
  const found = named(to.at(-1))
  const start = Array.isArray(first) ? [first] : (named(first)?.at ?? [...local, first as Hop])
  const way = [...start, ...more]
  if (!found) return { at: word, to: way, kind: 'asked' }
  return { at: word, to: way, key: { id: found.id, name: found.name }, kind: 'asked' }
}

function readWay(word: string): Hop[] {
  try {
    const { to, method } = parseUri(`${word}//engine`)
    if (to.length > 0 && method === undefined && !word.includes('/')) return to
  } catch (error) {
    if (!(error instanceof JstpError)) throw error
  }
  throw new UsageError(`"${word}" is no engine: write HOST:PORT, or a name of the trust file`)
}

function addressOf(name: string): Address | undefined {
  const [, transport, address, port] = /^([a-z]{1,16}):([^\s/]{1,255}):(\d{1,5})$/.exec(name) ?? []
  if (!transport || !address || !(Number(port) >= 1 && Number(port) <= 65_535)) return undefined
  return [address, Number(port), transport]
}
