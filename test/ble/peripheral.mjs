// A Bluetooth device in a process of its own: real bleno over btvirt, with any simulator behind its one characteristic.
// node -r ./hci-socket.cjs peripheral.mjs '{"name","service","characteristic","simulator","settings"}', HCI_PATH in the
// environment. A simulator module exports `simulate(settings)`, which makes a Simulator (src/device/simulate.ts). Told by
// its parent what to do:
//   { refuse: n }     answer the next writes with ATT error n (0 = accept)
//   { answer: false } take writes without ever answering
//   { drop: 'write' } end the connection when the next write arrives; { drop: 'now' } at once
//   { send: hex[] }   notify these, in order
//   { greet: hex }    notify this as soon as somebody subscribes
//   { ask: [name, ...args] }  call that method of the simulator, or read that field
// Each has an `id` and is confirmed by { reply: id, value }.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const bleno = createRequire(import.meta.url)('@abandonware/bleno')
const options = JSON.parse(process.argv[2])
const { simulate } = options.simulator
  ? await import(pathToFileURL(options.simulator).href)
  : { simulate: echo }
const simulator = simulate(options.settings)
const orders = { refuse: 0, answer: true, drop: '', greet: '' }
let notify = () => {}

class Speak extends bleno.Characteristic {
  constructor() {
    super({ uuid: options.characteristic, properties: ['read', 'write', 'writeWithoutResponse', 'notify'] })
  }

  onWriteRequest(bytes, _offset, _withoutResponse, answer) {
    process.send({ write: bytes.toString('hex') })
    if (orders.drop === 'write') {
      orders.drop = ''
      return bleno.disconnect()
    }
    if (orders.refuse) return answer(orders.refuse)
    if (!simulator.write(bytes)) return
    if (orders.answer) answer(this.RESULT_SUCCESS)
  }

  onSubscribe(size, send) {
    notify = (bytes) => {
      for (let at = 0; at < bytes.length; at += size) send(bytes.subarray(at, at + size))
    }
    if (orders.greet) notify(Buffer.from(orders.greet, 'hex'))
    process.send({ subscribed: true })
  }

  onUnsubscribe() {
    notify = () => {}
  }
}

const carrier = { data: (bytes) => notify(Buffer.from(bytes)), gone: () => bleno.disconnect() }
bleno.on('accept', (address) => {
  if (!simulator.connect(carrier)) bleno.disconnect()
  process.send({ accept: address })
})
bleno.on('disconnect', (address) => {
  notify = () => {}
  simulator.disconnect()
  process.send({ disconnect: address })
})
bleno.on('stateChange', (state) => {
  if (state === 'poweredOn') bleno.startAdvertising(options.name, [options.service])
})
bleno.on('advertisingStart', () => {
  const service = new bleno.PrimaryService({ uuid: options.service, characteristics: [new Speak()] })
  bleno.setServices([service], () => process.send({ ready: bleno.address }))
})
process.on('message', ({ id, send = [], drop, ask, ...others }) => {
  Object.assign(orders, others)
  for (const hex of send) notify(Buffer.from(hex, 'hex'))
  if (drop === 'now') bleno.disconnect()
  else if (drop) orders.drop = drop
  process.send({ reply: id, value: ask && answer(...ask) })
})
process.on('disconnect', () => process.exit(0))

function answer(name, ...args) {
  const member = simulator[name]
  return typeof member === 'function' ? member.apply(simulator, args) : member
}

/** Gives back what it gets. */
function echo() {
  let carrier
  return {
    connect: (given) => {
      carrier = given
      return true
    },
    disconnect: () => {
      carrier = undefined
    },
    write: (bytes) => {
      setImmediate(() => carrier?.data(bytes))
      return true
    },
    close() {},
  }
}
