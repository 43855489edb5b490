// An update package, `hormiga-VERSION-ARCH.update`: a line of JSON that says what it is, a line with an Ed25519 signature of
// that line, and the files of a version folder. Nothing in it is believed, and nothing unpacked, before the signature of a
// key that this machine's root has listed.
//
//   {"format":"hormiga-update-1","version":"0.2.0-1","arch":"arm64","node":20,"after":"0.1.0-1",
//    "size":…,"unpacked":…,"sha256":"…","key":"did:key:…"}\n
//   SIGNATURE in base64url\n
//   gzip of: [["hormiga.js",10386],["chunks/…",…],…]\n and the files, one after the other

import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { didOf, kidOf } from '../identity/did.ts'
import { strictVerifier } from '../identity/keys.ts'
import type { Signer } from '../identity/provider.ts'
import { nodeProvider } from '../identity/provider-node.ts'
import { isVersion } from './version.ts'

/** Told as it is: says why something is not done, and what to do. */
export class UpdateError extends Error {}

export interface UpdateFacts {
  version: string
  /** Debian's name: `amd64`, `arm64`, `armhf`. */
  arch: string
  /** The major version of Node that it needs: its machine code is tied to it. */
  node: number
  /** The oldest version that it may replace. */
  after: string
}

/** Paths, with `/`, of the files of a version folder. */
export type UpdateFiles = Map<string, Uint8Array>

export interface Update extends UpdateFacts {
  /** Who has signed it: did:key. */
  key: string
  files: UpdateFiles
}

interface Header extends UpdateFacts {
  format: string
  /** Bytes of what follows the signature, packed and unpacked. */
  size: number
  unpacked: number
  sha256: string
  key: string
}

/** Bytes of a whole package, and of what is in it: today's engine is 0.9 and 3 MB. */
export const MOST = 16 << 20
const MOST_UNPACKED = 64 << 20
const MOST_FILES = 5000
const HEADER_BYTES = 2048
const FORMAT = 'hormiga-update-1'
const SIGNATURE = /^[\w-]{86}$/
/** No segment begins with a dot, so none is `.` or `..`. */
const PATH = /^(?=.{1,200}$)(?:[\w@+-][\w@+.-]*\/){0,8}[\w@+-][\w@+.-]*$/
const NEWLINE = 10
const NO_UPDATE = 'this is no update of hormiga (hormiga-VERSION-ARCH.update)'

/** A name by which others call the program; a link that is made when a version is installed. */
export const PROGRAM_LINK = { name: 'hormiga', target: 'hormiga.js' }

/** The bytes of a package. The same files and the same key make the same bytes. @throws {UpdateError} */
export function makeUpdate(facts: UpdateFacts, files: UpdateFiles, signer: Signer): Uint8Array {
  const names = [...files.keys()].sort()
  const list = names.map((name) => [name, files.get(name)?.length])
  const content = Buffer.concat([
    Buffer.from(`${JSON.stringify(list)}\n`),
    ...names.map((name) => files.get(name) as Uint8Array),
  ])
  const payload = gzipSync(content, { level: 9 })
  const { version, arch, node, after } = facts
  const header: Header = {
    format: FORMAT,
    ...{ version, arch, node, after },
    size: payload.length,
    unpacked: content.length,
    sha256: digest(payload),
    key: didOf(signer.kid),
  }
  const line = JSON.stringify(header)
  const signature = nodeProvider.toText(signer.sign(signed(line)) as Uint8Array)
  const bytes = Buffer.concat([Buffer.from(`${line}\n${signature}\n`), payload])
  // What nobody would take is not made.
  openUpdate(bytes, [signer.kid])
  return bytes
}

/** @param keys whose signatures are taken. @throws {UpdateError} that says what is wrong with it */
export function openUpdate(bytes: Uint8Array, keys: Uint8Array[]): Update {
  if (bytes.length > MOST)
    throw new UpdateError(`it has ${bytes.length} bytes: more than the ${MOST} allowed`)
  const [line, afterLine] = readLine(bytes, 0)
  const header = readHeader(line)
  const [signature, start] = readLine(bytes, afterLine)
  verify(header, line, signature, keys)
  const payload = bytes.subarray(start)
  if (payload.length !== header.size) {
    throw new UpdateError(
      `it is cut short or has something added: ${payload.length} bytes of ${header.size}. Copy it again`,
    )
  }
  if (digest(payload) !== header.sha256) throw new UpdateError('its content was changed. Copy it again')
  const { version, arch, node, after, key } = header
  const files = unpack(payload, header.unpacked)
  if (text(files.get('VERSION')) !== `${version}\n` || !files.has('hormiga.js')) {
    throw new UpdateError(`there is no version ${version} in it: it was not made as it should be`)
  }
  return { version, arch, node, after, key, files }
}

function readLine(bytes: Uint8Array, from: number): [line: string, next: number] {
  const end = bytes.subarray(from, from + HEADER_BYTES).indexOf(NEWLINE)
  if (end < 0) throw new UpdateError(NO_UPDATE)
  return [Buffer.from(bytes.subarray(from, from + end)).toString('utf8'), from + end + 1]
}

function readHeader(line: string): Header {
  let header: Partial<Header> | null
  try {
    header = JSON.parse(line)
  } catch {
    throw new UpdateError(NO_UPDATE)
  }
  if (header?.format !== FORMAT) {
    throw new UpdateError(
      typeof header?.format === 'string'
        ? `its format is "${header.format}": a newer program reads it`
        : NO_UPDATE,
    )
  }
  const { version, arch, node, after, size, unpacked, sha256, key } = header
  const isRight =
    isVersion(version) &&
    isVersion(after) &&
    typeof arch === 'string' &&
    isCount(node, 1000) &&
    isCount(size, MOST) &&
    isCount(unpacked, MOST_UNPACKED) &&
    typeof sha256 === 'string' &&
    typeof key === 'string'
  if (!isRight)
    throw new UpdateError('its first line says what no update can: it was not made as it should be')
  return header as Header
}

function isCount(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= most
}

function verify({ key }: Header, line: string, signature: string, keys: Uint8Array[]): void {
  const kid = kidOf(key)
  const known = kid && keys.find((it) => Buffer.from(it).equals(kid))
  if (!known) throw new UpdateError(`it is signed by ${key.slice(0, 80)}, which may not sign updates here`)
  const bytes = SIGNATURE.test(signature) ? nodeProvider.fromText(signature) : undefined
  if (!bytes || !strictVerifier(nodeProvider, known).verify(signed(line), bytes))
    throw new UpdateError(`its signature is not one of ${key}: it was changed, or is damaged. Copy it again`)
}

/** Signatures of this kind of thing are of no use for another. */
function signed(line: string): Uint8Array {
  return Buffer.from(`hormiga update\n${line}`)
}

function unpack(payload: Uint8Array, unpacked: number): UpdateFiles {
  let content: Buffer
  try {
    content = gunzipSync(payload, { maxOutputLength: unpacked })
  } catch (error) {
    throw new UpdateError(`it can't be unpacked: ${(error as Error).message}`)
  }
  const end = content.indexOf(NEWLINE)
  const files: UpdateFiles = new Map()
  let at = end + 1
  for (const [path, size] of readList(content.subarray(0, Math.max(0, end)).toString('utf8'))) {
    files.set(path, content.subarray(at, at + size))
    at += size
  }
  if (at !== content.length || at !== unpacked)
    throw new UpdateError('its list of files does not fit what is in it: it was not made as it should be')
  for (const path of files.keys()) {
    const folders = path.split('/').map((_, count, parts) => parts.slice(0, count).join('/'))
    if (path === PROGRAM_LINK.name || folders.some((folder) => files.has(folder)))
      throw new UpdateError(`two things in it want the name ${path}`)
  }
  return files
}

function readList(line: string): [path: string, size: number][] {
  let list: unknown
  try {
    list = JSON.parse(line)
  } catch {
    throw new UpdateError('it has no list of files: it was not made as it should be')
  }
  if (!Array.isArray(list) || list.length > MOST_FILES)
    throw new UpdateError(`it has no list of files, or more than ${MOST_FILES}`)
  const seen = new Set<unknown>()
  for (const entry of list) {
    const [path, size] = Array.isArray(entry) ? entry : []
    const isRight =
      typeof path === 'string' && PATH.test(path) && Number.isInteger(size) && size >= 0 && !seen.has(path)
    if (!isRight)
      throw new UpdateError(`a file in it has a name or a size that can't be: ${JSON.stringify(entry)}`)
    seen.add(path)
  }
  return list
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString('utf8')
}
