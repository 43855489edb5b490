// Profiles for the tests of the configuration: one with settings of every kind, one with none.

import type { Profiles } from '../../src/host/schema-devices.ts'

export const PROFILES: Profiles = {
  'delonghi-ecam': {
    medium: 'ble',
    options: {
      pin: { type: 'integer', description: 'Its code.', range: [0, 9999] },
      language: { type: 'string', description: 'What it shows.', values: ['es', 'en'], default: 'en' },
      power: { type: 'boolean', description: 'At the start.', aliases: { on: true, off: false } },
      poll: { type: ['number', 'string'], description: 'How often.', unit: 's' },
      model: { type: 'string', description: 'Its model.', pattern: 'ECAM\\d+' },
      wires: {
        type: 'object',
        description: 'Its wires.',
        fields: { tx: { type: 'integer', description: 'The pin.', required: true } },
      },
    },
  },
  simple: { medium: 'ble', options: {} },
  strict: { medium: 'ble', options: { wire: { type: 'string', description: 'Its wire.', required: true } } },
  grbl: { medium: 'serial', options: {} },
  'mqtt-discovery': { medium: 'mqtt', options: {} },
}
