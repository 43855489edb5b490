// What `["engine","directory"]` lists: every resource as its profile describes it.

import type { Element, Json } from '../core/dispatch.ts'
import { elementsOf, type Field, type Profile } from '../device/profile.ts'
import { HISTORY_POINTS } from '../host/history.ts'
import { ENGINE_POINTS } from '../host/resources.ts'
import { SATURATION_POINTS } from '../host/saturation/index.ts'
import { MESH_ACTIONS, MESH_POINTS } from '../mesh/index.ts'

export type Entry = {
  resource: Element[]
  methods: string[]
  description: string
  /** As in profiles: type, unit, range, values, fields, …; of an action: its body. */
  [more: string]: Json
}

/** A device as the directory sees it. */
export interface Listed {
  name: string
  title: string
  /** What it has now. */
  entries(): Entry[]
}

/** Resources that are listed of one broker: an answer must fit into a frame. */
const MOST = 2000

/** The resources of the engine and of every device. */
export function directory(devices: Listed[]): Entry[] {
  return [...engineEntries(), ...devices.flatMap((device) => device.entries())]
}

export function engineEntries(): Entry[] {
  return [
    ...Object.entries({ ...ENGINE_POINTS, ...SATURATION_POINTS, ...HISTORY_POINTS, ...MESH_POINTS }).map(
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
  return [
    rootEntry(name, title),
    ...Object.entries(points).map(([point, { methods, ...described }]) => ({
      resource: [name, ...elementsOf(point)],
      methods: [...methods, 'BIND'],
      ...plain(described),
    })),
    ...Object.entries(actions).map(([action, { description, body, urgent, stop }]) => ({
      resource: [name, action],
      methods: ['POST'],
      description,
      ...(body && { body: plain(body) }),
      ...(urgent && { urgent }),
      ...(stop && { stop }),
    })),
  ]
}

/** Of a microcontroller, as its catalogue says. */
export function nodeEntries(name: string, described: Entry[]): Entry[] {
  return [rootEntry(name, 'Microcontroller'), ...described]
}

/** Of what is behind a broker: as many as fit, and how many more there are. */
export function brokerEntries(
  name: string,
  mapper: { devices(): Record<string, Json>; describe(device: string): Record<string, Json> },
): Entry[] {
  const entries = Object.keys(mapper.devices()).flatMap((device) => [
    { resource: [name, device], methods: ['GET'], description: `${device}: all there is to know` },
    ...Object.entries(mapper.describe(device)).map(([property, described]) => {
      const { methods, description, ...more } = described as { methods: string[]; description: string }
      return { resource: [name, device, property], methods: [...methods, 'BIND'], description, ...more }
    }),
  ])
  const root = {
    ...rootEntry(name, 'Everything behind a broker'),
    ...(entries.length > MOST && { omitted: entries.length - MOST }),
  }
  const refused = {
    resource: [name, 'refused'],
    methods: ['GET'],
    description: 'What could not become a resource, and why',
    type: 'list',
  }
  return [root, refused, ...entries.slice(0, MOST)]
}

function rootEntry(name: string, title: string): Entry {
  return { resource: [name], methods: ['GET'], description: `${title}: all there is to know`, type: 'object' }
}

/** A description is data: what is undefined is left out. */
function plain<T extends Omit<Field, 'default'> | Record<string, Field>>(
  described: T,
): { description: string } {
  return JSON.parse(JSON.stringify(described))
}
