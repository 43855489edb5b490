// The devices that the bundle knows: every folder of devices/ is one, no list is kept (design §1).

import type { Profile } from '../device/profile.ts'
import type { Profiles } from '../host/schema-devices.ts'
import { DECLARED } from './declared.ts'

/**
 * Of every folder of devices/, what the configuration can say of it. scripts/build.mjs takes it out of the profiles, so that
 * none is loaded but those that are used: they would take 2 MB.
 */
declare const DEVICE_SETTINGS: Profiles

/** What a device of the configuration can be. */
export function knownProfiles(): Profiles {
  return { ...DEVICE_SETTINGS, ...DECLARED }
}

/** The profile of a folder of devices/. */
export async function loadProfile(name: string): Promise<Profile> {
  const module = (await import(`../../devices/${name}/device.ts`)) as { default: Profile }
  return module.default
}
