// The devices that the bundle knows: every folder of devices/ is one, no list is kept (design §1).

import type { Profile } from '../device/profile.ts'
import type { Profiles } from '../host/schema-devices.ts'
import { DECLARED } from './declared.ts'

/** The folders of devices/, put in by scripts/build.mjs. */
declare const DEVICE_NAMES: string[]

/** All profiles by their names. */
export async function loadProfiles(): Promise<Map<string, Profile>> {
  return new Map(await Promise.all(DEVICE_NAMES.map(load)))
}

/** What each can be told in the configuration. */
export function settingsOf(profiles: Map<string, Profile>): Profiles {
  const known = [...profiles].map(([name, { link, options = {} }]) => [
    name,
    { medium: link.medium, options },
  ])
  return { ...Object.fromEntries(known), ...DECLARED }
}

async function load(name: string): Promise<[string, Profile]> {
  const module = (await import(`../../devices/${name}/device.ts`)) as { default: Profile }
  return [name, module.default]
}
