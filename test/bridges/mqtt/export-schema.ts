// What Home Assistant takes as MQTT discovery, written down from its documentation (integrations sensor.mqtt, binary_sensor.mqtt,
// switch.mqtt, number.mqtt, select.mqtt, button.mqtt, text.mqtt, event.mqtt; device classes of sensor and number).

import type { Data } from '../../../src/bridges/mqtt/payload.ts'

type Check = (value: unknown) => boolean

const string: Check = (value) => typeof value === 'string' && value !== ''
const boolean: Check = (value) => typeof value === 'boolean'
const number: Check = (value) => typeof value === 'number' && Number.isFinite(value)
const topic: Check = (value) => string(value) && !/[+#\p{Cc}]/u.test(value as string)
const list: Check = (value) => Array.isArray(value) && value.every((one) => typeof one === 'string')
const oneOf =
  (...words: string[]): Check =>
  (value) =>
    words.includes(value as string)

/** Keys of every entity. */
const COMMON: Record<string, Check> = {
  platform: string,
  unique_id: string,
  name: (value) => value === null || string(value),
  qos: oneOf as never,
  availability: Array.isArray,
  availability_mode: oneOf('all', 'any', 'latest'),
  availability_topic: topic,
  availability_template: string,
  payload_available: string,
  payload_not_available: string,
  default_entity_id: string,
  enabled_by_default: boolean,
  encoding: string,
  entity_category: oneOf('config', 'diagnostic'),
  entity_picture: string,
  icon: string,
  json_attributes_topic: topic,
  json_attributes_template: string,
}
COMMON.qos = (value) => [0, 1, 2].includes(value as number)

const commanded = { command_topic: topic, command_template: string, retain: boolean, optimistic: boolean }
const stated = { state_topic: topic, value_template: string }

interface Platform {
  needs: string[]
  keys: Record<string, Check>
}

const PLATFORMS: Record<string, Platform> = {
  sensor: {
    needs: ['state_topic'],
    keys: {
      ...stated,
      device_class: string,
      expire_after: number,
      force_update: boolean,
      last_reset_value_template: string,
      options: list,
      state_class: oneOf('measurement', 'measurement_angle', 'total', 'total_increasing'),
      suggested_display_precision: number,
      unit_of_measurement: string,
    },
  },
  binary_sensor: {
    needs: ['state_topic'],
    keys: {
      ...stated,
      device_class: string,
      expire_after: number,
      force_update: boolean,
      off_delay: number,
      payload_on: string,
      payload_off: string,
    },
  },
  switch: {
    needs: ['command_topic'],
    keys: {
      ...stated,
      ...commanded,
      device_class: oneOf('outlet', 'switch'),
      payload_on: string,
      payload_off: string,
      state_on: string,
      state_off: string,
    },
  },
  number: {
    needs: ['command_topic'],
    keys: {
      ...stated,
      ...commanded,
      device_class: string,
      min: number,
      max: number,
      step: (value) => number(value) && (value as number) >= 0.001,
      mode: oneOf('auto', 'box', 'slider'),
      payload_reset: string,
      unit_of_measurement: string,
    },
  },
  select: { needs: ['command_topic', 'options'], keys: { ...stated, ...commanded, options: list } },
  button: {
    needs: ['command_topic'],
    keys: {
      command_topic: topic,
      command_template: string,
      retain: boolean,
      device_class: oneOf('identify', 'restart', 'update'),
      payload_press: string,
    },
  },
  text: {
    needs: ['command_topic'],
    keys: {
      ...stated,
      command_topic: topic,
      command_template: string,
      retain: boolean,
      min: (value) => number(value) && (value as number) >= 0,
      max: (value) => number(value) && (value as number) <= 255,
      mode: oneOf('text', 'password'),
      pattern: string,
    },
  },
  event: {
    needs: ['state_topic', 'event_types'],
    keys: { ...stated, device_class: oneOf('button', 'doorbell', 'motion'), event_types: list },
  },
}

const PRESSURE = ['Pa', 'hPa', 'kPa', 'mPa', 'bar', 'cbar', 'mbar', 'mmHg', 'inHg', 'inH₂O', 'psi']
const VOLUME = ['L', 'mL', 'm³', 'gal', 'fl. oz.', 'ft³', 'CCF', 'MCF']
const TEMPERATURE = ['°C', '°F', 'K']

/** Units of the device classes of sensors and numbers that we may use, and the state classes that go with them. */
const CLASSES: Record<string, { units: string[]; states: string[] }> = {
  temperature: { units: TEMPERATURE, states: ['measurement'] },
  voltage: { units: ['μV', 'mV', 'V', 'kV', 'MV'], states: ['measurement'] },
  current: { units: ['A', 'mA'], states: ['measurement'] },
  power: { units: ['mW', 'W', 'kW', 'MW', 'GW', 'TW', 'BTU/h'], states: ['measurement'] },
  energy: {
    units: ['J', 'kJ', 'Wh', 'kWh', 'MWh', 'GWh', 'cal', 'kcal'],
    states: ['total', 'total_increasing'],
  },
  frequency: { units: ['mHz', 'Hz', 'kHz', 'MHz', 'GHz'], states: ['measurement'] },
  pressure: { units: PRESSURE, states: ['measurement'] },
  illuminance: { units: ['lx'], states: ['measurement'] },
  duration: {
    units: ['d', 'h', 'min', 's', 'ms', 'μs'],
    states: ['measurement', 'total', 'total_increasing'],
  },
  distance: {
    units: ['mm', 'cm', 'm', 'km', 'in', 'ft', 'yd', 'mi'],
    states: ['measurement', 'total', 'total_increasing'],
  },
  speed: {
    units: ['mm/s', 'mm/h', 'mm/d', 'in/s', 'm/s', 'km/h', 'ft/s', 'mph', 'kn'],
    states: ['measurement'],
  },
  weight: {
    units: ['μg', 'mg', 'g', 'kg', 'oz', 'lb'],
    states: ['measurement', 'total', 'total_increasing'],
  },
  volume: { units: VOLUME, states: ['total', 'total_increasing'] },
  volume_flow_rate: {
    units: ['m³/h', 'm³/min', 'm³/s', 'L/h', 'L/min', 'L/s', 'mL/s', 'gal/min', 'ft³/min'],
    states: ['measurement'],
  },
  signal_strength: { units: ['dB', 'dBm'], states: ['measurement'] },
  data_size: { units: ['bit', 'B', 'kB', 'MB', 'GB'], states: ['measurement', 'total', 'total_increasing'] },
  data_rate: { units: ['bit/s', 'kbit/s', 'B/s', 'kB/s'], states: ['measurement'] },
}
/** Units of Home Assistant that need no class. */
const UNITS = ['%', '°', 'ppm', 'rpm', 'μs', ...Object.values(CLASSES).flatMap(({ units }) => units)]
const BINARY =
  `battery battery_charging carbon_monoxide cold connectivity door garage_door gas heat light lock moisture motion
  moving occupancy opening plug power presence problem running safety smoke sound tamper update vibration window`.split(
    /\s+/,
  )

const DEVICE = `configuration_url connections hw_version identifiers manufacturer model name serial_number
  suggested_area sw_version via_device`.split(/\s+/)
const ROOT = `device origin components availability availability_mode availability_topic availability_template
  payload_available payload_not_available state_topic command_topic qos encoding`.split(/\s+/)

/** Everything about a device's discovery that Home Assistant would not take. */
export function problemsOf(payload: Data): string[] {
  const problems = Object.keys(payload).flatMap((key) => (ROOT.includes(key) ? [] : [`the key ${key}`]))
  const { device, origin, components, availability } = payload as Record<string, Data> & {
    availability: Data[]
  }
  for (const key of Object.keys(device ?? {})) if (!DEVICE.includes(key)) problems.push(`device: ${key}`)
  if (!list(device?.identifiers) && !Array.isArray(device?.connections))
    problems.push('device: no identifiers')
  for (const key of Object.keys(origin ?? {}))
    if (!['name', 'sw_version', 'support_url'].includes(key)) problems.push(`origin: ${key}`)
  if (!string(origin?.name)) problems.push('origin: no name')
  for (const one of availability ?? []) if (!topic(one.topic)) problems.push('availability: no topic')
  const ids = new Set<unknown>()
  for (const [id, component] of Object.entries(components ?? {}) as [string, Data][]) {
    problems.push(...ofComponent(component).map((what) => `${id}: ${what}`))
    if (ids.has(component.unique_id)) problems.push(`${id}: its unique id is there twice`)
    ids.add(component.unique_id)
  }
  return problems
}

function ofComponent(component: Data): string[] {
  const platform = PLATFORMS[component.platform as string]
  if (!platform) return [`the platform ${component.platform}`]
  // Taken back.
  if (Object.keys(component).length === 1) return []
  const problems: string[] = []
  for (const [key, value] of Object.entries(component)) {
    const check = platform.keys[key] ?? COMMON[key]
    if (!check) problems.push(`the key ${key}`)
    else if (!check(value)) problems.push(`${key}: ${JSON.stringify(value)}`)
  }
  for (const key of ['unique_id', ...platform.needs]) if (!(key in component)) problems.push(`no ${key}`)
  return [...problems, ...ofValues(component)]
}

function ofValues(component: Data): string[] {
  const { platform, device_class, unit_of_measurement: unit, state_class, options } = component
  const problems: string[] = []
  const isNumber = platform === 'sensor' || platform === 'number'
  if (platform === 'binary_sensor' && device_class && !BINARY.includes(device_class as string))
    problems.push(`device_class ${device_class}`)
  if (isNumber && unit && !UNITS.includes(unit as string)) problems.push(`the unit ${unit}`)
  if (isNumber && device_class && device_class !== 'enum') {
    const known = CLASSES[device_class as string]
    if (!known) problems.push(`device_class ${device_class}`)
    else if (!known.units.includes(unit as string)) problems.push(`${device_class} in ${unit}`)
    else if (state_class && !known.states.includes(state_class as string))
      problems.push(`${device_class} with state_class ${state_class}`)
  }
  if (platform === 'sensor' && (device_class === 'enum') !== Array.isArray(options))
    problems.push('enum and options')
  if (device_class === 'enum' && (unit || state_class)) problems.push('an enum with a unit')
  if (platform === 'number' && (component.min as number) >= (component.max as number))
    problems.push('an empty range')
  if (component.entity_category === 'config' && /sensor/.test(platform as string))
    problems.push('a sensor of the category config')
  return problems
}
