// What goes through the network interfaces, against what their links can carry: /proc/net/dev and /sys/class/net.

import type { Sources } from './sources.ts'
import { growth, toNumber, toRatio } from './text.ts'

export interface NetworkReading {
  /** Of the link, 0–1. Absent where nobody knows what it can carry, as with Wi-Fi. */
  used?: number
  /** Bytes per second that come in. */
  rx?: number
  /** Bytes per second that go out. */
  tx?: number
  /** Bytes per second that the link can carry each way. */
  speed?: number
  /** Broken frames, both ways, since the interface is there. */
  errors: number
}

interface Counters {
  rx: number
  tx: number
  errors: number
}

interface Interface {
  /** Neither loopback nor a part of another interface that is shown. */
  isShown: boolean
  state: string
  /** Bytes per second. */
  speed: number | undefined
  isHalfDuplex: boolean
  counters: Counters | undefined
}

const INTERFACES = 32
const FOLDER = '/sys/class/net'
/** Megabits per second, as sysfs tells and as people say, in bytes per second. */
const MEGABIT = 125_000
/** More than this per second is no traffic but a counter that was set back. */
const SLACK = 1.25

export class Network {
  #sources: Sources
  #speeds: Record<string, number>
  #interfaces = new Map<string, Interface>()

  /** `speeds`: megabits per second of links that can't tell. */
  constructor(sources: Sources, speeds: Record<string, number>) {
    this.#sources = sources
    this.#speeds = speeds
  }

  /** What is known of the interfaces is looked up again. */
  survey(): void {
    for (const [name, known] of this.#interfaces) Object.assign(known, this.#describe(name))
  }

  /** `seconds` since the last reading; `undefined`: the two can't be compared. */
  read(seconds: number | undefined): Record<string, NetworkReading> {
    const now = parse(this.#sources.follow('/proc/net/dev') ?? '')
    for (const name of this.#interfaces.keys()) if (!now.has(name)) this.#interfaces.delete(name)
    const readings: Record<string, NetworkReading> = {}
    let count = 0
    for (const [name, counters] of now) {
      const known = this.#interfaces.get(name) ?? { ...this.#describe(name), counters: undefined }
      this.#interfaces.set(name, known)
      const before = known.counters
      known.counters = counters
      if (!known.isShown || !this.#isUp(name, known) || ++count > INTERFACES) continue
      readings[name] = rate(known, before, counters, seconds)
    }
    return readings
  }

  #isUp(name: string, known: Interface): boolean {
    const state = this.#sources.follow(`${FOLDER}/${name}/operstate`)?.trim() ?? 'down'
    if (state !== known.state) Object.assign(known, this.#describe(name))
    // Tunnels and the like have no state, but a carrier.
    if (state !== 'unknown') return state === 'up'
    return this.#sources.follow(`${FOLDER}/${name}/carrier`)?.trim() === '1'
  }

  #describe(name: string): Omit<Interface, 'counters'> {
    const entries = this.#sources.list(`${FOLDER}/${name}`)
    // What goes through a bridge goes through its ports; a virtual port belongs to somebody else, such as a container.
    const isWhole = entries.includes('bridge') || entries.includes('bonding')
    const isVirtualPort = entries.includes('master') && !entries.includes('device')
    const told = toNumber(this.#read(name, 'speed'))
    const megabits = this.#speeds[name] ?? (told && told > 0 ? told : undefined)
    return {
      isShown: name !== 'lo' && !isWhole && !isVirtualPort,
      state: this.#read(name, 'operstate') ?? 'down',
      speed: megabits === undefined ? undefined : megabits * MEGABIT,
      isHalfDuplex: this.#read(name, 'duplex') === 'half',
    }
  }

  #read(name: string, file: string): string | undefined {
    return this.#sources.read(`${FOLDER}/${name}/${file}`)?.trim()
  }
}

/** The counters of each interface. */
function parse(text: string): Map<string, Counters> {
  const all = new Map<string, Counters>()
  for (const line of text.split('\n')) {
    const colon = line.lastIndexOf(':')
    const [rx, , rxErrors, , , , , , tx, , txErrors] = line
      .slice(colon + 1)
      .trim()
      .split(/ +/)
      .map(Number)
    if (colon < 0 || txErrors === undefined) continue
    const name = line.slice(0, colon).trim()
    all.set(name, { rx: rx as number, tx: tx as number, errors: (rxErrors as number) + txErrors })
  }
  return all
}

function rate(
  { speed, isHalfDuplex }: Interface,
  before: Counters | undefined,
  now: Counters,
  seconds: number | undefined,
): NetworkReading {
  const rest = { ...(speed !== undefined && { speed }), errors: now.errors }
  if (!before || !seconds) return rest
  const most = speed === undefined ? undefined : speed * seconds * SLACK
  const [rx, tx] = [growth(before.rx, now.rx, most), growth(before.tx, now.tx, most)]
  if (rx === undefined || tx === undefined) return rest
  const load = (isHalfDuplex ? rx + tx : Math.max(rx, tx)) / seconds
  const used = speed === undefined ? undefined : toRatio(load, speed)
  return { ...(used !== undefined && { used }), rx: rx / seconds, tx: tx / seconds, ...rest }
}
