// The engine's configuration: what the card says, checked by the same schema as ever, or the one of a first boot.

import { isDeepStrictEqual } from 'node:util'
import { ConfigError, readConfig } from '../host/config.ts'
import type { Profiles } from '../host/schema-devices.ts'
import type { Table } from './toml.ts'

export const CONFIG = '/etc/hormiga/hormiga.json'

/** The page must be reached from elsewhere; without "access" it may only be looked at, and paired with. */
const LISTEN = { tcp: '[::]:33333', http: '[::]:8080' }

const HEAD = `// Made by hormiga of the settings on the boot partition. The keys: hormiga check --schema
`

export type Checked = { text: string } | { problems: string[] }

/** @param name of this computer: its engine is called the same, so that http://NAME.local:8080 is its own name. */
export function firstConfig(name: string): string {
  return textOf({ name, listen: LISTEN, devices: {} })
}

/** Of `[engine]`. Without `name` and `listen` they are as on a first boot. */
export function configOf(engine: Table, name: string, profiles: Profiles): Checked {
  const text = textOf({ name, listen: LISTEN, ...engine })
  return checked(text, 'hormiga.toml: engine', profiles)
}

/** Of a hormiga.json: taken as it is. */
export function configFrom(bytes: Uint8Array, file: string, profiles: Profiles): Checked {
  try {
    return checked(new TextDecoder('utf-8', { fatal: true }).decode(bytes), file, profiles)
  } catch {
    return { problems: [`${file}: it is no UTF-8: save it as UTF-8`] }
  }
}

/** Whether nobody has changed a configuration: it is as the package brings it, or that of a first boot. */
export function isUntouched(text: string, profiles: Profiles): boolean {
  try {
    const config = readConfig(text, CONFIG, profiles)
    return text === firstConfig(config.name) || isDeepStrictEqual(config, readConfig('{}', CONFIG, profiles))
  } catch {
    return false
  }
}

function checked(text: string, file: string, profiles: Profiles): Checked {
  try {
    readConfig(text, CONFIG, profiles)
    return { text }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return {
      problems: error.problems.map(({ line, path, message }) =>
        file.endsWith('.json') ? `${file}:${line}: ${path}: ${message}` : `${file}.${path}: ${message}`,
      ),
    }
  }
}

function textOf(value: Table): string {
  return `${HEAD}${JSON.stringify(value, undefined, 2)}\n`
}
