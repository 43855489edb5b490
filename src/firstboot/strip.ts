// What of a settings file stays on the card once the device has taken it over: everything but the secrets.

import { type Table, writeToml } from './toml.ts'

const HEAD = `# The device has taken this over. Passwords are removed and comments are lost; "" stands for what the device has already.
# Change something and it is taken over again at the next start.
`

/** Where secrets are, by section. */
const SECRETS: [section: string, key: string][] = [
  ['wifi', 'password'],
  ['wlan', 'password'],
  ['user', 'password'],
  ['connect', 'token'],
]

/**
 * The file without the secrets of these sections; `undefined`: it has none.
 * @param sections those that were taken over: what was refused must be put right by its owner, password and all
 */
export function withoutSecrets(table: Table, sections: string[]): string | undefined {
  const stripped = structuredClone(table)
  let count = 0
  for (const [name, key] of SECRETS) {
    const section = stripped[name] as Table | undefined
    if (!sections.includes(name) || typeof section !== 'object' || !section[key]) continue
    section[key] = ''
    count++
  }
  return count === 0 ? undefined : HEAD + writeToml(stripped)
}
