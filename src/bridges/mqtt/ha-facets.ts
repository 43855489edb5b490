// What the platforms of Home Assistant consist of, as data: every facet of an entity is a property (C2). Keys are the
// long ones of its MQTT documentation; where a facet has neither state nor command topic in a configuration it isn't there.

import type { Type } from '../../device/profile.ts'

export interface Facet {
  /** Added to the name of the entity; empty: the entity itself. */
  id: string
  /** `any`: what the payload says, a number where it is one. */
  type: Type | 'any'
  /** Keys of topics and templates. */
  state?: string
  template?: string
  command?: string
  commandTemplate?: string
  /** Words of a boolean: the key for states, the key for commands, and what holds without them. */
  on?: [state: string, command: string, otherwise: string]
  off?: [state: string, command: string, otherwise: string]
  /** The key of the list of what can be chosen, or that list. */
  values?: string | string[]
  /** Words of commands: what each is sent as (key, and what holds without it). */
  words?: Record<string, [key: string, otherwise: string]>
  min?: [key: string, otherwise?: number]
  max?: [key: string, otherwise?: number]
  step?: [key: string, otherwise?: number]
  /** The unit, or after `=` the key of it. */
  unit?: string
  event?: true
}

const power = (state: string, command: string): Facet => ({
  id: '',
  type: 'boolean',
  state,
  template: 'value_template',
  command,
  commandTemplate: 'command_template',
  on: ['state_on', 'payload_on', 'ON'],
  off: ['state_off', 'payload_off', 'OFF'],
})

/** A facet whose keys all begin alike: `mode_state_topic`, `mode_command_topic`, … */
const named = (id: string, type: Facet['type'], prefix: string, more: Partial<Facet> = {}): Facet => ({
  id,
  type,
  state: `${prefix}_state_topic`,
  template: `${prefix}_state_template`,
  command: `${prefix}_command_topic`,
  commandTemplate: `${prefix}_command_template`,
  ...more,
})

const target = (id: string, prefix: string): Facet =>
  named(id, 'number', prefix, {
    min: ['min_temp', 7],
    max: ['max_temp', 35],
    step: ['temp_step', 1],
    unit: '=temperature_unit',
  })

const heard = (id: string, type: Facet['type'], prefix: string, more: Partial<Facet> = {}): Facet => ({
  id,
  type,
  state: `${prefix}_topic`,
  template: `${prefix}_template`,
  ...more,
})

const said = (id: string, command: string, words: Facet['words']): Facet => ({
  id,
  type: 'string',
  command,
  words,
})

const state = (type: Facet['type'], more: Partial<Facet> = {}): Facet => ({
  id: '',
  type,
  state: 'state_topic',
  template: 'value_template',
  ...more,
})

const set: Partial<Facet> = { command: 'command_topic', commandTemplate: 'command_template' }

const climate: Facet[] = [
  named('mode', 'string', 'mode', { values: 'modes' }),
  heard('current_temperature', 'number', 'current_temperature', { unit: '=temperature_unit' }),
  heard('current_humidity', 'number', 'current_humidity', { unit: '%' }),
  target('temperature', 'temperature'),
  target('temperature_low', 'temperature_low'),
  target('temperature_high', 'temperature_high'),
  named('humidity', 'number', 'target_humidity', {
    min: ['min_humidity', 30],
    max: ['max_humidity', 99],
    unit: '%',
  }),
  named('fan_mode', 'string', 'fan_mode', { values: 'fan_modes' }),
  named('swing_mode', 'string', 'swing_mode', { values: 'swing_modes' }),
  named('preset_mode', 'string', 'preset_mode', {
    template: 'preset_mode_value_template',
    values: 'preset_modes',
  }),
  heard('action', 'string', 'action'),
  {
    id: 'power',
    type: 'boolean',
    command: 'power_command_topic',
    commandTemplate: 'power_command_template',
    on: ['payload_on', 'payload_on', 'ON'],
    off: ['payload_off', 'payload_off', 'OFF'],
  },
]

const value = (id: string, type: Facet['type'], more: Partial<Facet> = {}): Facet =>
  named(id, type, id, { template: `${id}_value_template`, ...more })

/** Platforms whose payloads no property can carry, and why. */
export const NOT_MAPPED: Record<string, string> = {
  camera: 'pictures are not mapped',
  image: 'pictures are not mapped',
  tag: 'scanned tags are not mapped',
}

export const FACETS: Record<string, Facet[]> = {
  sensor: [state('any', { values: 'options', unit: '=unit_of_measurement' })],
  binary_sensor: [state('boolean', { on: ['payload_on', '', 'ON'], off: ['payload_off', '', 'OFF'] })],
  switch: [power('state_topic', 'command_topic')],
  siren: [power('state_topic', 'command_topic')],
  light: [
    {
      ...power('state_topic', 'command_topic'),
      template: 'state_value_template',
      on: ['payload_on', 'payload_on', 'ON'],
      off: ['payload_off', 'payload_off', 'OFF'],
    },
    value('brightness', 'number', { min: ['', 0], max: ['brightness_scale', 255] }),
    value('color_temp', 'number', { min: ['min_mireds'], max: ['max_mireds'], unit: 'mired' }),
    value('effect', 'string', { values: 'effect_list' }),
    value('rgb', 'string'),
    value('rgbw', 'string'),
    value('hs', 'string'),
    value('xy', 'string'),
    value('color_mode', 'string', { command: undefined, commandTemplate: undefined }),
  ],
  cover: [
    state('string'),
    said('command', 'command_topic', {
      open: ['payload_open', 'OPEN'],
      close: ['payload_close', 'CLOSE'],
      stop: ['payload_stop', 'STOP'],
    }),
    {
      id: 'position',
      type: 'number',
      state: 'position_topic',
      template: 'position_template',
      command: 'set_position_topic',
      commandTemplate: 'set_position_template',
      min: ['position_closed', 0],
      max: ['position_open', 100],
    },
    {
      id: 'tilt',
      type: 'number',
      state: 'tilt_status_topic',
      template: 'tilt_status_template',
      command: 'tilt_command_topic',
      commandTemplate: 'tilt_command_template',
      min: ['tilt_min', 0],
      max: ['tilt_max', 100],
    },
  ],
  valve: [
    state('any'),
    said('command', 'command_topic', {
      open: ['payload_open', 'OPEN'],
      close: ['payload_close', 'CLOSE'],
      stop: ['payload_stop', 'STOP'],
    }),
  ],
  climate,
  water_heater: climate,
  fan: [
    {
      ...power('state_topic', 'command_topic'),
      template: 'state_value_template',
      on: ['payload_on', 'payload_on', 'ON'],
      off: ['payload_off', 'payload_off', 'OFF'],
    },
    value('percentage', 'number', { min: ['', 0], max: ['speed_range_max', 100] }),
    value('preset_mode', 'string', { values: 'preset_modes' }),
    value('oscillation', 'boolean', {
      on: ['payload_oscillation_on', 'payload_oscillation_on', 'oscillate_on'],
      off: ['payload_oscillation_off', 'payload_oscillation_off', 'oscillate_off'],
    }),
    value('direction', 'string', { values: ['forward', 'reverse'] }),
  ],
  humidifier: [
    {
      ...power('state_topic', 'command_topic'),
      template: 'state_value_template',
      on: ['payload_on', 'payload_on', 'ON'],
      off: ['payload_off', 'payload_off', 'OFF'],
    },
    named('humidity', 'number', 'target_humidity', {
      min: ['min_humidity', 0],
      max: ['max_humidity', 100],
      unit: '%',
    }),
    heard('current_humidity', 'number', 'current_humidity', { unit: '%' }),
    named('mode', 'string', 'mode', { values: 'modes' }),
    heard('action', 'string', 'action'),
  ],
  lock: [
    state('boolean', {
      ...set,
      on: ['state_locked', 'payload_lock', ''],
      off: ['state_unlocked', 'payload_unlock', ''],
    }),
  ],
  number: [
    state('number', {
      ...set,
      min: ['min', 1],
      max: ['max', 100],
      step: ['step', 1],
      unit: '=unit_of_measurement',
    }),
  ],
  select: [state('string', { ...set, values: 'options' })],
  text: [state('string', set)],
  button: [said('', 'command_topic', { press: ['payload_press', 'PRESS'] })],
  scene: [said('', 'command_topic', { on: ['payload_on', 'ON'] })],
  notify: [{ id: '', type: 'string', ...set }],
  event: [state('any', { event: true })],
  device_automation: [{ id: '', type: 'any', state: 'topic', template: 'value_template', event: true }],
  update: [
    state('any'),
    heard('latest', 'string', 'latest_version'),
    said('install', 'command_topic', { install: ['payload_install', ''] }),
  ],
  vacuum: [
    state('any'),
    said('command', 'command_topic', {
      start: ['payload_start', 'start'],
      stop: ['payload_stop', 'stop'],
      pause: ['payload_pause', 'pause'],
      return: ['payload_return_to_base', 'return_to_base'],
      locate: ['payload_locate', 'locate'],
      clean_spot: ['payload_clean_spot', 'clean_spot'],
    }),
    { id: 'fan_speed', type: 'string', command: 'set_fan_speed_topic', values: 'fan_speed_list' },
  ],
  lawn_mower: [
    { id: '', type: 'string', state: 'activity_state_topic', template: 'activity_value_template' },
    said('start', 'start_mowing_command_topic', { start: ['', 'start_mowing'] }),
    said('pause', 'pause_command_topic', { pause: ['', 'pause'] }),
    said('dock', 'dock_command_topic', { dock: ['', 'dock'] }),
  ],
  device_tracker: [state('string')],
  alarm_control_panel: [
    state('string'),
    said('command', 'command_topic', {
      disarm: ['payload_disarm', 'DISARM'],
      arm_home: ['payload_arm_home', 'ARM_HOME'],
      arm_away: ['payload_arm_away', 'ARM_AWAY'],
      arm_night: ['payload_arm_night', 'ARM_NIGHT'],
      arm_vacation: ['payload_arm_vacation', 'ARM_VACATION'],
      trigger: ['payload_trigger', 'TRIGGER'],
    }),
  ],
}
