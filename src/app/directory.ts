// What `["engine","directory"]` lists: every resource as its profile describes it.

import type { Json } from '../core/dispatch.ts'
import type { Field, Profile } from '../device/profile.ts'
import { ENGINE_POINTS } from '../host/resources.ts'
import { SATURATION_POINTS } from '../host/saturation/index.ts'
import { MESH_ACTIONS, MESH_POINTS } from '../mesh/index.ts'

export type Entry = {
  resource: string[]
  methods: string[]
  description: string
  /** As in profiles: type, unit, range, values, fields, …; of an action: its body. */
  [more: string]: Json
}

/** The resources of the engine and of every device. */
export function directory(devices: [name: string, profile: Profile][]): Entry[] {
  return [...engineEntries(), ...devices.flatMap(([name, profile]) => deviceEntries(name, profile))]
}

export function engineEntries(): Entry[] {
  return [
    ...Object.entries({ ...ENGINE_POINTS, ...SATURATION_POINTS, ...MESH_POINTS }).map(
      ([point, { type, description, ...more }]) => ({
        resource: point ? ['engine', point] : ['engine'],
        methods: 'reported' in more ? ['GET', 'BIND'] : ['GET'],
        description,
        type,
      }),
    ),
    ...Object.entries(MESH_ACTIONS).map(([action, described]) => ({
      resource: ['engine', action],
      methods: ['POST'],
      ...described,
    })),
  ]
}

export function deviceEntries(name: string, { title, points, actions }: Profile): Entry[] {
  const root = {
    resource: [name],
    methods: ['GET'],
    description: `${title}: all there is to know`,
    type: 'object',
  }
  return [
    root,
    ...Object.entries(points).map(([point, { methods, ...described }]) => ({
      resource: [name, point],
      methods: [...methods, 'BIND'],
      ...plain(described),
    })),
    ...Object.entries(actions).map(([action, { description, body, urgent }]) => ({
      resource: [name, action],
      methods: ['POST'],
      description,
      ...(body && { body: plain(body) }),
      ...(urgent && { urgent }),
    })),
  ]
}

/** A description is data: what is undefined is left out. */
function plain<T extends Omit<Field, 'default'> | Record<string, Field>>(
  described: T,
): { description: string } {
  return JSON.parse(JSON.stringify(described))
}
