// What a settings file asks for: hormiga.toml, or the rpi-preseed.toml that Raspberry Pi Imager writes for images that say
// so. A section with a mistake is refused as a whole and told; the others hold, so that a slip in one does not cost the
// network.

import {
  country,
  flag,
  hostName,
  passwordHash,
  type Secret,
  sshKeys,
  ssid,
  ssidHex,
  table,
  userName,
  wifiPassword,
} from './kinds.ts'
import { clip, Section } from './section.ts'
import type { Table } from './toml.ts'

export interface Settings {
  name?: string
  wifi?: Wifi
  /** An account to log in with. `password`: a hash; `undefined` or empty: left as it is. */
  user?: { name: string; password?: string }
  /** `passwords`: whether one may log in with a password too. */
  ssh?: { keys: string[]; passwords: boolean }
  /** What hormiga.json is to say, not checked yet. */
  engine?: Table
  /** What is wrong, for people: where, what, what is allowed. */
  problems: string[]
  /** What is right but not for us. */
  notes: string[]
}

export interface Wifi {
  ssid: Uint8Array
  /** `open`: the network has no password. */
  secret: Secret | 'open'
  hidden: boolean
  country: string
}

const WHY_COUNTRY = 'which channels may be used depends on it, and without it the Wi-Fi stays off'

/** @param file its name, for messages */
export function readSettings(root: Table, file = 'hormiga.toml'): Settings {
  const top = new Section(root, `${file}: `)
  const found: Settings = { problems: [], notes: [] }
  found.name = top.get('name', hostName)
  const sections = {
    wifi: top.get('wifi', table),
    ssh: top.get('ssh', table),
    engine: top.get('engine', table),
  }
  top.refuseOthers()
  found.problems.push(...top.problems)
  found.engine = sections.engine
  found.wifi = take(sections.wifi, `${file}: wifi.`, found, (wifi) => readWifi(wifi, false))
  found.ssh = take(sections.ssh, `${file}: ssh.`, found, (ssh) => ({
    keys: ssh.must('keys', sshKeys, 'without a key nobody can log in') ?? [],
    passwords: false,
  }))
  return found
}

/**
 * Imager's file. What it can say and we have no use for is noted; keys that came later are noted as well, for they must not
 * cost the rest.
 */
export function readPreseed(root: Table, file = 'rpi-preseed.toml'): Settings {
  const top = new Section(root, `${file}: `)
  const found: Settings = { problems: [], notes: [] }
  const [system, user, ssh, wlan] = ['system', 'user', 'ssh', 'wlan'].map((key) => top.get(key, table))
  found.problems.push(...top.problems)
  found.notes.push(...left(top, file, ['config_version']))
  const lenient = { file, ignored: true }
  found.name = take(system, `${file}: system.`, found, (it) => it.get('hostname', hostName), lenient)
  found.user = take(user, `${file}: user.`, found, readUser, lenient)
  found.ssh = take(ssh, `${file}: ssh.`, found, readImagerSsh, lenient)
  found.wifi = take(wlan, `${file}: wlan.`, found, (wifi) => readWifi(wifi, true), lenient)
  return found
}

/** Reads a section that is there; with a problem in it, it is as if it were not. */
function take<T>(
  section: Table | undefined,
  path: string,
  found: Settings,
  read: (section: Section) => T | undefined,
  { ignored = false, file = '' } = {},
): T | undefined {
  if (!section) return undefined
  const reader = new Section(section, path)
  const value = read(reader)
  if (ignored) found.notes.push(...left(reader, file, []))
  else reader.refuseOthers()
  found.problems.push(...reader.problems)
  return reader.problems.length === 0 ? value : undefined
}

function left(section: Section, file: string, expected: string[]): string[] {
  const keys = section.others().filter((key) => !expected.includes(key))
  return keys.map((key) => `${file}: ${clip(key)} is not used here`)
}

function readWifi(wifi: Section, isImager: boolean): Wifi | undefined {
  const hex = isImager ? wifi.get('ssid_hex', ssidHex) : undefined
  const name = hex ?? wifi.must('ssid', ssid, 'it says which network')
  const secret = wifi.get('password', wifiPassword)
  // It only says which of two forms the password has, and the forms tell themselves apart.
  if (isImager) wifi.get('password_encrypted', flag)
  const hidden = wifi.get('hidden', flag) ?? false
  const where = wifi.must('country', country, WHY_COUNTRY)
  if (name === undefined || where === undefined) return undefined
  return { ssid: name, secret: wifi.has('password') ? (secret ?? 'open') : 'open', hidden, country: where }
}

function readUser(user: Section): Settings['user'] {
  const name = user.must('name', userName, 'it says whose account it is')
  const password = user.get('password', passwordHash)
  user.get('password_encrypted', flag)
  return name === undefined ? undefined : { name, password }
}

function readImagerSsh(ssh: Section): Settings['ssh'] {
  const enabled = ssh.get('enabled', flag) ?? true
  const keys = ssh.get('authorized_keys', sshKeys) ?? []
  const passwords = ssh.get('password_authentication', flag) ?? false
  return enabled ? { keys, passwords } : undefined
}
