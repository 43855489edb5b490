// The devices that the bundle knows: every folder of devices/ is one, no list is kept (design §1).

import { readdirSync } from 'node:fs'
import type { Profile } from '../device/profile.ts'
import type { Profiles } from '../host/schema.ts'

/** The folders of devices/, put in by scripts/build.mjs. */
declare const DEVICE_NAMES: string[] | undefined

/** All profiles by their names. */
export async function loadProfiles(): Promise<Map<string, Profile>> {
  const names = typeof DEVICE_NAMES === 'undefined' ? findNames() : DEVICE_NAMES
  return new Map(await Promise.all(names.map(load)))
}

/** What each can be told in the configuration. */
export function settingsOf(profiles: Map<string, Profile>): Profiles {
  return Object.fromEntries([...profiles].map(([name, { options = {} }]) => [name, options]))
}

async function load(name: string): Promise<[string, Profile]> {
  const module = (await import(`../../devices/${name}/device.ts`)) as { default: Profile }
  return [name, module.default]
}

/** Where no build has put them in: beside the folder of the bundle. */
function findNames(): string[] {
  for (const folder of ['../devices', '../../devices']) {
    try {
      const entries = readdirSync(new URL(folder, import.meta.url), { withFileTypes: true })
      return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort()
    } catch {
      // The bundle is a folder further down.
    }
  }
  return []
}
