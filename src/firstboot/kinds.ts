// The kinds of values in a settings file. Each lets through only what is safe wherever it is written later.

import type { Kind } from './section.ts'
import type { Table } from './toml.ts'

/** What may follow an SSH key's type is a number of these. */
const KEYS = [
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
]
const KEY = 16_384
const MOST_KEYS = 64

/** A network's password as it is used: the key that is made of it, or that the one the device has already is to stay. */
export type Secret = { key: string } | { phrase: string } | 'kept'

export const table: Kind<Table> = {
  title: 'a table',
  read: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
      ? (value as Table)
      : undefined,
}

export const flag: Kind<boolean> = {
  title: 'true or false',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
}

export const hostName: Kind<string> = {
  title: 'a name of up to 63 letters, digits and hyphens, such as "cocina"',
  read: (value) =>
    matches(value, /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/, (name) => !/^localhost$/i.test(name)),
}

export const country: Kind<string> = {
  title: 'two letters, such as "ES"',
  read: (value) => matches(value, /^[A-Za-z]{2}$/)?.toUpperCase(),
}

/** The octets of a network's name. */
export const ssid: Kind<Uint8Array> = {
  title: 'the name of the network, 1 to 32 bytes',
  read: (value) => sized(typeof value === 'string' ? Buffer.from(value, 'utf8') : undefined),
}

export const ssidHex: Kind<Uint8Array> = {
  title: 'the name of the network in hexadecimal, 1 to 32 bytes',
  read: (value) => sized(Buffer.from(matches(value, /^([0-9a-fA-F]{2})+$/) ?? '', 'hex')),
}

export const wifiPassword: Kind<Secret> = {
  title: '8 to 63 plain characters, 64 hexadecimal digits, or "" for the one that the device has already',
  read(value) {
    if (value === '') return 'kept'
    const key = matches(value, /^[0-9a-fA-F]{64}$/)
    if (key !== undefined) return { key: key.toLowerCase() }
    const phrase = matches(value, /^[\x20-\x7e]{8,63}$/)
    return phrase === undefined ? undefined : { phrase }
  },
}

export const userName: Kind<string> = {
  title: 'a name of up to 32 lower-case letters, digits, "-" and "_", not "root"',
  read: (value) => matches(value, /^[a-z][a-z0-9_-]{0,31}$/, (name) => name !== 'root'),
}

/** As `crypt` makes it: yescrypt, SHA-512 or SHA-256. Empty: the one that the device has already. */
export const passwordHash: Kind<string> = {
  title: 'a password that is hashed already, as Imager and `mkpasswd` make it ("$y$…", "$6$…", "$5$…")',
  read: (value) => matches(value, /^(\$(y|7|6|5)\$[./A-Za-z0-9$=,]{8,250})?$/),
}

export const sshKeys: Kind<string[]> = {
  title: `a list of up to ${MOST_KEYS} public keys, such as ["ssh-ed25519 AAAA… me"], without options before them`,
  read(value) {
    if (!Array.isArray(value) || value.length > MOST_KEYS) return undefined
    const keys = value.map(readSshKey)
    return keys.every((key) => key !== undefined) ? (keys as string[]) : undefined
  },
}

function readSshKey(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > KEY) return undefined
  const [type = '', blob = '', ...comment] = value.trim().split(/ +/)
  const words = comment.join(' ')
  if (!KEYS.includes(type) || !/^[A-Za-z0-9+/]+={0,2}$/.test(blob)) return undefined
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  if (/[\u0000-\u001f\u007f]/.test(words)) return undefined
  const bytes = Buffer.from(blob, 'base64')
  const isOfType = bytes.length > 32 && bytes.toString('latin1', 4, 4 + bytes.readUInt32BE(0)) === type
  return isOfType ? [type, blob, words].filter(Boolean).join(' ') : undefined
}

function matches(value: unknown, pattern: RegExp, isGood = (_: string) => true): string | undefined {
  return typeof value === 'string' && pattern.test(value) && isGood(value) ? value : undefined
}

function sized(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes && bytes.length >= 1 && bytes.length <= 32 ? bytes : undefined
}
