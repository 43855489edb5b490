// new-device-name: a thing with one level that can be read and set. Protocol: README.md.

import { type Carrier, type Context, type Driver, defineDevice, JstpError, STATUS } from '#device'

const SERVICE = '0000fff0-0000-1000-8000-00805f9b34fb'
const CHARACTERISTIC = '0000fff1-0000-1000-8000-00805f9b34fb'

const ASK = 0x01
const SET = 0x02
const LEVEL = 0x81

export default defineDevice({
  name: 'new-device-name',
  title: 'new-device-name',
  match: [{ medium: 'ble', service: SERVICE }],
  link: { medium: 'ble', service: SERVICE, characteristic: CHARACTERISTIC, write: 'with-response' },
  silence: 60_000,
  points: {
    level: {
      methods: ['GET', 'PUT'],
      type: 'integer',
      unit: '%',
      range: [0, 100],
      description: 'How far it is open',
    },
  },
  actions: {},
  create,
  simulate: async () => simulator(),
})

function create({ link, set, heard, count }: Context): Driver {
  return {
    up() {
      link.write(Uint8Array.of(ASK)).catch(() => count('unasked'))
    },
    data([type, level]) {
      if (type !== LEVEL || level === undefined || level > 100) return count('broken')
      heard()
      set('level', level)
    },
    down() {},
    close() {},
    write: {
      async level(value, command) {
        if (typeof value !== 'number') throw new JstpError(STATUS.BAD_DISPATCH, 'level must be a number')
        await command.write(Uint8Array.of(SET, value))
      },
    },
  }
}

/** The thing without the thing. It tells its level when it is asked, and when it has changed. */
function simulator() {
  let carrier: Carrier | undefined
  let level = 0
  return {
    connect(given: Carrier) {
      carrier = given
      return true
    },
    disconnect() {
      carrier = undefined
    },
    write([type, value = level]: Uint8Array) {
      if (type === SET) level = value
      carrier?.data(Uint8Array.of(LEVEL, level))
      return true
    },
    close() {},
  }
}
