// The robot of firmware-bridge/examples/robot without the robot: two motors, a servo, a distance sensor, an emergency stop.

import type { Clock } from '../../../core/clock.ts'
import type { Json } from '../../../core/dispatch.ts'
import { type Simulator, simulatedLink } from '../../../device/simulate.ts'
import type { SpeedLink } from '../node.ts'
import { CAN, METHOD, type Row, SimulatedNode } from './node.ts'

/** Millimetres to the wall ahead when it starts, and the most that the sensor sees. */
const WALL = 1000
const FARTHEST = 4000
/** Millimetres a millisecond with both motors at 100 %. */
const FASTEST = 0.5

/** A link to a robot of its own. */
export function simulatedRobot(clock: Clock): SpeedLink {
  // Within a process every speed is right.
  return { ...simulatedLink(robotSimulator(clock), clock), speed: async () => {} }
}

export function robotSimulator(clock: Clock): Simulator {
  let say = (_: Uint8Array) => {}
  const robot = new Robot(clock)
  const node = new SimulatedNode(clock, {
    name: 'robot',
    rows: robot.rows,
    send: (bytes) => say(bytes),
    makeSafe: () => robot.halt(),
  })
  let isStarted = false
  return {
    connect(carrier) {
      say = (bytes) => carrier.data(bytes)
      if (!isStarted) node.start()
      isStarted = true
      return true
    },
    disconnect() {
      say = () => {}
    },
    write(bytes) {
      node.take(bytes)
      return true
    },
    close: () => node.stop(),
  }
}

class Robot {
  readonly rows: Row[]
  #clock: Clock
  #motors = [0, 0]
  #angle = 90
  #isStopped = false
  #commands = 0
  #distance = WALL
  #movedAt: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#movedAt = clock.now()
    const both = CAN.GET | CAN.PUT | CAN.BIND
    this.rows = [
      { path: ['motor', 0], bits: both, unit: '%', range: [-100, 100], call: this.#motor(0) },
      { path: ['motor', 1], bits: both, unit: '%', range: [-100, 100], call: this.#motor(1) },
      {
        path: ['servo'],
        bits: both,
        unit: 'deg',
        range: [0, 180],
        call: (...asked) => this.#servo(...asked),
      },
      { path: ['distance'], bits: CAN.GET | CAN.BIND, unit: 'mm', call: () => [200, this.#measure()] },
      { path: ['stop'], bits: both | CAN.POST, call: (...asked) => this.#stop(...asked) },
      // Nobody presses it.
      { path: ['button'], bits: CAN.GET | CAN.BIND | CAN.EVENT, call: () => [200, 0] },
      { path: ['stats'], bits: CAN.GET, call: () => [200, { commands: this.#commands }] },
    ]
  }

  /** Motors off. */
  halt(): void {
    this.#measure()
    this.#motors = [0, 0]
  }

  #motor(side: 0 | 1): Row['call'] {
    return (method, body) => {
      if (method === METHOD.PUT) {
        if (this.#isStopped) return [400, 'stopped']
        this.#measure()
        this.#motors[side] = body as number
        this.#commands++
      }
      return [200, this.#motors[side] as number]
    }
  }

  #servo(method: number, body: Json): [status: number, body: Json] {
    if (method === METHOD.PUT) {
      this.#angle = body as number
      this.#commands++
    }
    return [200, this.#angle]
  }

  /** POST stops and keeps it so; PUT false lets the motors be used again. */
  #stop(method: number, body: Json): [status: number, body: Json] {
    if (method === METHOD.PUT && typeof body !== 'boolean') return [400, null]
    if (method !== METHOD.GET) {
      this.#isStopped = method === METHOD.POST || body === true
      if (this.#isStopped) this.halt()
      this.#commands++
    }
    return [200, this.#isStopped]
  }

  /** How far the wall is, after what it has moved since the last look. */
  #measure(): number {
    const now = this.#clock.now()
    const [left = 0, right = 0] = this.#motors
    const way = ((left + right) / 200) * FASTEST * (now - this.#movedAt)
    this.#movedAt = now
    this.#distance = Math.min(FARTHEST, Math.max(0, this.#distance - way))
    return Math.round(this.#distance)
  }
}
