// Boards with StandardFirmata (Arduino Uno, Mega, Leonardo and many more) at a serial port: what they are, as data.

import { defineDevice } from '#device'
import { Board } from './board.ts'

export default defineDevice({
  name: 'firmata',
  title: 'Board with StandardFirmata',
  match: [],
  link: { medium: 'serial', speed: 57_600 },
  silence: 8000,
  options: {
    pins: {
      type: 'object',
      description: 'Pins that are points of their own, by the names of these points',
      default: {},
      each: {
        type: 'object',
        description: 'A pin, and what it is',
        fields: {
          pin: {
            type: ['integer', 'string'],
            range: [0, 127],
            pattern: 'A\\d{1,2}',
            required: true,
            description: 'Its number, or its name if it is an analog one: 13, "A0"',
          },
          mode: {
            type: 'string',
            values: ['input', 'pullup', 'output', 'analog', 'pwm', 'servo'],
            required: true,
            description: 'What it is',
          },
          min: {
            type: 'integer',
            unit: 'µs',
            range: [100, 5000],
            description: 'Of a servo: its pulse at 0 degrees',
          },
          max: {
            type: 'integer',
            unit: 'µs',
            range: [100, 5000],
            description: 'Of a servo: its pulse at 180 degrees',
          },
        },
      },
    },
    sampling: {
      type: 'integer',
      unit: 'ms',
      range: [10, 10_000],
      default: 100,
      description: 'Time between two values of an analog pin',
    },
  },
  points: {
    state: {
      methods: ['GET'],
      type: 'string',
      values: ['starting', 'ready', 'unknown'],
      description: 'Whether it can be told something',
    },
    firmware: {
      methods: ['GET'],
      type: 'object',
      description: 'name and version of the program on the board, and the protocol that it speaks',
    },
    pins: {
      methods: ['GET'],
      type: 'object',
      description:
        'Of every pin: the modes that it can have with the bits of their values, and its analog name',
    },
    message: {
      methods: ['GET'],
      type: 'string',
      event: true,
      description: 'What the board says in words, mostly about errors',
    },
  },
  actions: {
    i2c: {
      description: 'Writes bytes to a chip on the I2C bus, reads some, or does one after the other',
      body: {
        address: { type: 'integer', range: [8, 119], required: true, description: 'Of the chip, 7 bits' },
        register: { type: 'integer', range: [0, 255], description: 'Where it is to be read from' },
        write: { type: 'list', description: 'Up to 30 bytes, 0 to 255' },
        read: { type: 'integer', range: [1, 30], description: 'How many bytes are to be read' },
      },
    },
    stop: {
      urgent: true,
      stop: 'immediate',
      description: 'Outputs low, PWM at 0, servos without pulses; what still waits is not done any more',
    },
  },
  create: (context) => new Board(context),
  simulate: async (clock) => (await import('./simulator.ts')).simulator(clock),
})
