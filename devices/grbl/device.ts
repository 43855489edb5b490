// Grbl 1.1 controllers (CNC mills, lasers, plotters) over a serial port: what they are, as data.

import { type Context, defineDevice, type Field, JOB } from '#device'
import { STATES } from './line.ts'
import { Machine } from './machine.ts'

const AXES: Record<string, Field> = {
  x: { type: 'number', unit: 'mm', description: 'To the right' },
  y: { type: 'number', unit: 'mm', description: 'To the back' },
  z: { type: 'number', unit: 'mm', description: 'Upwards' },
}

/** Numbers of the settings that Grbl 1.1 has. */
const SETTINGS = [
  0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 20, 21, 22, 23, 24, 25, 26, 27, 30, 31, 32, 100, 101, 102, 110, 111,
  112, 120, 121, 122, 130, 131, 132,
]

const percent = (description: string): Field => ({
  type: 'integer',
  unit: '%',
  range: [10, 200],
  description,
})

export default defineDevice({
  name: 'grbl',
  title: 'Grbl 1.1 motion controller',
  match: [],
  link: { medium: 'serial', speed: 115_200 },
  silence: 8000,
  points: {
    state: {
      methods: ['GET'],
      type: 'string',
      values: ['starting', 'unknown', ...Object.values(STATES)],
      description: 'What it is doing',
    },
    position: {
      methods: ['GET'],
      type: 'object',
      fields: AXES,
      description: 'Where it is, from the zero of the workpiece',
    },
    machine: {
      methods: ['GET'],
      type: 'object',
      fields: AXES,
      description: 'Where it is, from the zero of the machine',
    },
    feed: { methods: ['GET'], type: 'number', unit: 'mm/min', description: 'How fast it moves' },
    spindle: { methods: ['GET'], type: 'number', unit: 'rpm', description: 'How fast the spindle turns' },
    overrides: {
      methods: ['GET'],
      type: 'object',
      description: 'feed, rapid and spindle in percent of what the job says',
    },
    progress: {
      methods: ['GET'],
      type: 'object',
      description:
        'state (running, done, failed, stopped), lines, sent, done (taken by the controller), cause',
    },
    alarm: {
      methods: ['GET'],
      type: 'object',
      event: true,
      description: 'code and message of an alarm, when there is one',
    },
    settings: {
      methods: ['GET', 'PATCH'],
      type: 'object',
      fields: Object.fromEntries(
        SETTINGS.map((number) => [
          String(number),
          { type: 'number', description: `Setting $${number}` } as Field,
        ]),
      ),
      description: 'Settings by their numbers, as the manual of Grbl lists them; set only when it is idle',
    },
  },
  actions: {
    job: JOB,
    hold: { urgent: true, description: 'Lets it come to rest; resume goes on' },
    resume: { description: 'Goes on after a hold' },
    stop: {
      urgent: true,
      stop: 'immediate',
      description: 'Lets it come to rest, and throws away all that it was told; the position stays known',
    },
    reset: { urgent: true, description: 'Restarts the controller at once; the position is lost if it moves' },
    unlock: { description: 'Lets it move again after an alarm, without homing' },
    home: { description: 'Looks for the limit switches; answers when it has found them' },
    jog: {
      description: 'Moves it by so much',
      body: {
        ...AXES,
        feed: { type: 'number', unit: 'mm/min', range: [1, 20_000], required: true, description: 'How fast' },
      },
    },
    override: {
      description: 'Makes a running job faster or slower',
      body: {
        feed: percent('Of the feed rate'),
        rapid: { type: 'integer', unit: '%', values: [25, 50, 100], description: 'Of rapid moves' },
        spindle: percent('Of the spindle speed'),
      },
    },
  },
  create: (context: Context) => new Machine(context),
  simulate: async (clock) => (await import('./simulator.ts')).simulator(clock),
})
