// Machines with Marlin (3D printers, plotters, mills) over a serial port: what they are, as data.

import { type Context, defineDevice, JOB } from '#device'
import { Machine } from './machine.ts'
import { SETTINGS, stopsOf } from './tables.ts'

export default defineDevice({
  name: 'marlin',
  title: 'Machine with Marlin',
  match: [],
  link: { medium: 'serial', speed: 115_200 },
  silence: 15_000,
  points: {
    state: {
      methods: ['GET'],
      type: 'string',
      values: ['starting', 'unknown', 'idle', 'running', 'holding', 'homing', 'stopping', 'alarm'],
      description: 'What it is doing',
    },
    firmware: {
      methods: ['GET'],
      type: 'object',
      description: 'name, machine, uuid, and the capabilities that it says it has',
    },
    position: {
      methods: ['GET'],
      type: 'object',
      description: 'x, y, z and e in mm, where it is told to be',
    },
    temperatures: {
      methods: ['GET'],
      type: 'object',
      description: 'now and target of every heater (hotend, bed, …), °C',
    },
    targets: {
      methods: ['GET', 'PATCH'],
      type: 'object',
      fields: {
        hotend: { type: 'number', unit: '°C', range: [0, 320], description: 'Of the nozzle' },
        bed: { type: 'number', unit: '°C', range: [0, 150], description: 'Of the bed' },
      },
      description: 'How warm the heaters are to be; 0 is off',
    },
    progress: {
      methods: ['GET'],
      type: 'object',
      description: 'state (running, done, failed, stopped), lines, sent, done (taken by the machine), cause',
    },
    alarm: {
      methods: ['GET'],
      type: 'object',
      event: true,
      description: 'message of an error, and whether it has halted the machine',
    },
    settings: {
      methods: ['GET', 'PATCH'],
      type: 'object',
      fields: Object.fromEntries(
        SETTINGS.map((code) => [
          code,
          {
            type: 'object' as const,
            description: `As ${code} sets it`,
            each: { type: 'number' as const, description: 'By its letter' },
          },
        ]),
      ),
      description: 'Settings by the commands that set them and their letters; "save" keeps them',
    },
  },
  actions: {
    job: JOB,
    hold: {
      urgent: true,
      description: 'Sends nothing more of the job; it comes to rest after the moves that it holds (up to 16)',
    },
    resume: { description: 'Goes on after a hold' },
    ...stopsOf(false),
    unlock: { description: 'Lets it go on after an error that has stopped it; home it then' },
    home: {
      description: 'Looks for the switches at the ends',
      body: {
        axes: {
          type: 'string',
          pattern: '[xyz]{1,3}',
          description: 'Which, all if it is left out: "xy"',
        },
      },
    },
    save: { description: 'Keeps the settings over a restart' },
  },
  create: (context: Context) => new Machine(context),
  simulate: async (clock) => (await import('./simulator.ts')).simulator(clock),
})
