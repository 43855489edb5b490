// De'Longhi ECAM coffee machines (PrimaDonna, Dinamica Plus, Maestosa) over Bluetooth: what they are, as data.

import { type Context, type Driver, defineDevice, JstpError, STATUS } from '#device'
import { brew, power, stop } from './brew.ts'
import { Machine } from './machine.ts'
import { Settings } from './settings.ts'
import { STATES } from './status.ts'
import { ACCESSORIES, AUTO_OFF } from './tables.ts'

const SERVICE = '00035b03-58e6-07dd-021a-08123a000300'

export default defineDevice({
  name: 'delonghi-ecam',
  title: "De'Longhi ECAM coffee machine",
  // The service is unmistakable; names of these machines tell nothing.
  match: [
    { medium: 'ble', service: SERVICE },
    { medium: 'ble', service: SERVICE, address: '00:a0:50' },
  ],
  link: {
    medium: 'ble',
    service: SERVICE,
    characteristic: '00035b03-58e6-07dd-021a-08123a000301',
    write: 'with-response',
  },
  silence: 15_000,
  options: {
    poll: {
      type: 'integer',
      unit: 'ms',
      range: [250, 60_000],
      default: 5000,
      description: 'How often the state is asked for while nothing happens and nobody watches',
    },
  },
  points: {
    state: { methods: ['GET'], type: 'string', values: [...STATES], description: 'What it is doing' },
    progress: {
      methods: ['GET'],
      type: 'integer',
      unit: '%',
      range: [0, 100],
      description: 'How far it is with what it is doing; 0 when it does nothing',
    },
    step: { methods: ['GET'], type: 'integer', range: [0, 255], description: 'Number of the step it is at' },
    alarms: {
      methods: ['GET'],
      type: 'list',
      description:
        'Names of what is wrong or due; descale, replace-water-filter, service and clean-knob only remind',
    },
    switches: { methods: ['GET'], type: 'list', description: 'Names of the contacts that are closed' },
    accessory: {
      methods: ['GET'],
      type: 'string',
      values: [...ACCESSORIES],
      description: 'What is fitted at its front',
    },
    power: {
      methods: ['GET', 'PUT'],
      type: 'boolean',
      aliases: { on: true, off: false },
      description: 'Whether it is on. Switching it on makes hot water run from the spout: it rinses',
    },
    profile: {
      methods: ['GET', 'PUT'],
      type: 'integer',
      range: [1, 4],
      description: 'Whose recipes are used; null until one was chosen here',
    },
    profiles: { methods: ['GET'], type: 'list', description: 'Number, name and icon of the profiles' },
    recipes: {
      methods: ['GET'],
      type: 'object',
      description:
        'What it can make: for every amount min, default, max, and value (taken when nothing is said)',
    },
    statistics: {
      methods: ['GET'],
      type: 'object',
      description: 'What it has made and used; read once a minute at most',
    },
    settings: {
      methods: ['GET', 'PATCH'],
      type: 'object',
      description: 'Its settings; PATCH takes those that are to be changed',
      fields: {
        hardness: { type: 'integer', range: [0, 3], description: 'Hardness of the water' },
        temperature: { type: 'integer', range: [0, 3], description: 'Temperature of the water' },
        autoOff: {
          type: 'integer',
          values: AUTO_OFF,
          unit: 'min',
          description: 'When it switches itself off',
        },
        energySaving: { type: 'boolean', description: 'Saves energy' },
        cupLight: { type: 'boolean', description: 'Lights the cups' },
        sounds: { type: 'boolean', description: 'Beeps' },
        clock: {
          type: 'string',
          pattern: '([01]\\d|2[0-3]):[0-5]\\d',
          description: 'Sets the clock; can not be read',
        },
      },
    },
  },
  actions: {
    brew: {
      description: 'Makes a drink. What is left out is as in the recipe; limits are those in recipes',
      body: {
        recipe: {
          type: ['string', 'integer'],
          required: true,
          description: 'Its name or number, as in recipes',
        },
        coffee: { type: 'integer', unit: 'ml', range: [0, 65_535], description: 'Amount of coffee' },
        milk: { type: 'integer', unit: 'ml', range: [0, 65_535], description: 'Amount of milk' },
        water: { type: 'integer', unit: 'ml', range: [0, 65_535], description: 'Amount of hot water' },
        strength: {
          type: 'integer',
          range: [0, 5],
          description: '0 ground coffee, 1 extra mild, 2 mild, 3 normal, 4 strong, 5 extra strong',
        },
        temperature: { type: 'integer', range: [0, 3], description: '0 low, 1 middle, 2 high, 3 very high' },
      },
    },
    stop: { description: 'Stops what is being made, at once', urgent: true },
  },
  create,
  simulate: async (clock) => (await import('./simulator.ts')).simulator(clock),
})

function create(context: Context): Driver {
  const machine = new Machine(context)
  const settings = new Settings(machine)
  let commanding = false

  /** One command that moves something at a time; the next one must see what the first did. */
  const alone = async <T>(act: () => Promise<T>): Promise<T> => {
    if (commanding) {
      throw new JstpError(STATUS.BAD_DISPATCH, 'another command is being executed; wait for its answer', {
        code: 'busy',
      })
    }
    commanding = true
    try {
      return await act()
    } finally {
      commanding = false
    }
  }

  return {
    up: () => machine.up(),
    data: (bytes) => machine.data(bytes),
    down: () => machine.down(),
    close: () => machine.close(),
    read: {
      recipes: () => machine.loaded(),
      profiles: () => machine.loaded(),
      settings: () => settings.read(),
      statistics: () => settings.statistics(),
    },
    write: {
      power: (on, command) => alone(() => power(machine, on === true, command)),
      profile: (profile, command) => settings.select(profile as number, command),
      settings: (wanted, command) => settings.write(wanted as Record<string, never>, command),
    },
    act: {
      brew: (body, command) => alone(() => brew(machine, body, command)),
      stop: (_body, command) => stop(machine, command),
    },
  }
}
