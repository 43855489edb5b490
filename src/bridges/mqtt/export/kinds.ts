// Which entity of Home Assistant a value becomes, as data: by its shape, and by whether it can be set.

import type { Json } from '../../../core/dispatch.ts'
import type { Field } from '../../../device/profile.ts'
import type { Data } from '../payload.ts'
import type { Shape } from './described.ts'
import {
  OFF,
  ON,
  readBoolean,
  readChoice,
  readNumber,
  readText,
  showAlarms,
  showBoolean,
  showChoice,
  showList,
  showNumber,
  showText,
} from './payloads.ts'
import { haUnit } from './units.ts'

export interface Kind {
  platform: string
  /** Keys of its discovery, without topics and names. */
  config(field: Field): Data
  show(field: Field): (value: Json) => string
  attributes?(value: Json): Data
}

export interface SettableKind extends Kind {
  /** What it gives back throws an Error that says what was expected. */
  read(field: Field): (payload: string) => Json
}

/** Of a number without a range. Its device checks it in any case. */
const WIDEST: [number, number] = [-1_000_000_000, 1_000_000_000]
/** The smallest that Home Assistant takes. */
const STEP = 0.001

const none = (): Data => ({})

/** What can only be read. What has no row is not exported. */
export const READ: Partial<Record<Shape, Kind>> = {
  boolean: {
    platform: 'binary_sensor',
    config: () => ({ payload_on: ON, payload_off: OFF }),
    show: () => showBoolean,
  },
  number: {
    platform: 'sensor',
    config: (field) => {
      const { stateClass = undefined } =
        field.unit === undefined ? { stateClass: 'measurement' } : unitOf(field)
      return { ...unitKeys(field), ...(stateClass && { state_class: stateClass }) }
    },
    show: () => showNumber,
  },
  choice: {
    platform: 'sensor',
    config: ({ values = [] }) => ({ device_class: 'enum', options: values.map(String) }),
    show:
      ({ values = [] }) =>
      (value) =>
        showChoice(value, values),
  },
  text: { platform: 'sensor', config: none, show: () => showText },
  list: { platform: 'sensor', config: () => ({ entity_category: 'diagnostic' }), show: () => showList },
  other: { platform: 'sensor', config: none, show: () => showText },
}

/** What can be set. */
export const SET: Partial<Record<Shape, SettableKind>> = {
  boolean: {
    platform: 'switch',
    config: () => ({ payload_on: ON, payload_off: OFF }),
    show: () => showBoolean,
    read: () => readBoolean,
  },
  number: {
    platform: 'number',
    config: (field) => {
      const [min, max] = field.range ?? WIDEST
      const step = isWhole(field) ? 1 : STEP
      return { ...unitKeys(field), min, max, step, mode: 'box' }
    },
    show: () => showNumber,
    read: (field) => (payload) => readNumber(payload, isWhole(field)),
  },
  choice: {
    platform: 'select',
    config: ({ values = [] }) => ({ options: values.map(String) }),
    show:
      ({ values = [] }) =>
      (value) =>
        showChoice(value, values),
    read:
      ({ values = [] }) =>
      (payload) =>
        readChoice(payload, values),
  },
  text: {
    platform: 'text',
    config: ({ pattern }) => ({ min: 0, max: 255, ...(pattern && { pattern: `^(?:${pattern})$` }) }),
    show: () => showText,
    read: () => readText,
  },
}

/** A list called `alarms`: whether anything is wrong, and what. */
export const ALARMS: Kind = {
  platform: 'binary_sensor',
  config: () => ({ device_class: 'problem', payload_on: ON, payload_off: OFF }),
  show: () => showAlarms,
  attributes: (value) => ({ alarms: Array.isArray(value) ? value.slice(0, 64) : [] }),
}

/** The unit as part of a name, where Home Assistant has no such unit, or the entity can have none. */
export function unitInName({ unit }: Field, shape: Shape): string {
  return unit !== undefined && (shape !== 'number' || !haUnit(unit)) ? ` (${unit})` : ''
}

function unitOf({ unit }: Field): { stateClass?: string } {
  // Without a unit of its list it is a number without a unit: that must be said to Home Assistant.
  return haUnit(unit ?? '') ?? { stateClass: 'measurement' }
}

function unitKeys({ unit }: Field): Data {
  const found = unit === undefined ? undefined : haUnit(unit)
  if (!found) return {}
  return {
    unit_of_measurement: found.unit,
    ...(found.deviceClass && { device_class: found.deviceClass }),
  }
}

function isWhole({ type }: Field): boolean {
  return type === 'integer'
}
