// Temperature, and whether a Raspberry Pi slows itself down or gets too little voltage.

import type { Sources } from './sources.ts'
import { toNumber } from './text.ts'

export interface HeatReading {
  /** °C, of the hottest sensor at the processor. */
  temperature?: number
  /** The firmware holds the processor back now. */
  throttled?: boolean
  /** The supply is too weak now. */
  undervoltage?: boolean
  /** It was, at some time since the start. */
  wasUndervoltage?: boolean
}

/** Zones and chips that measure the processor. */
const PROCESSOR = /cpu|soc|x86_pkg|coretemp|k10temp|zenpower/i
/** Bits of `get_throttled` for this moment; those for "has happened since the start" are 16 higher. */
const UNDERVOLTAGE = 0b0001
const THROTTLED = 0b1110
const FIRMWARE = '/sys/devices/platform/soc/soc:firmware/get_throttled'
const SENSORS = 16

export class Heat {
  #sources: Sources
  #sensors: string[] = []
  #firmware: string | undefined
  #alarm: string | undefined

  constructor(sources: Sources) {
    this.#sources = sources
  }

  survey(): void {
    const zones = this.#find('/sys/class/thermal', /^thermal_zone/, 'type')
    const chips = this.#find('/sys/class/hwmon', /^hwmon/, 'name')
    const at = (found: [folder: string, name: string][], file: string) =>
      found.map(([folder]) => `${folder}/${file}`)
    const ofProcessor = (found: [folder: string, name: string][]) =>
      found.filter(([, name]) => PROCESSOR.test(name))
    const choices = [at(ofProcessor(zones), 'temp'), at(ofProcessor(chips), 'temp1_input'), at(zones, 'temp')]
    this.#sensors = choices.find(({ length }) => length > 0)?.slice(0, SENSORS) ?? []
    this.#alarm = at(
      chips.filter(([, name]) => name === 'rpi_volt'),
      'in0_lcrit_alarm',
    )[0]
    this.#firmware = this.#findFirmware()
  }

  read(): HeatReading {
    const degrees = this.#sensors
      .map((path) => (toNumber(this.#sources.follow(path)) ?? Number.NaN) / 1000)
      .filter((value) => value > -40 && value < 150)
    const flags = this.#firmware && Number.parseInt(this.#sources.follow(this.#firmware) ?? '', 16)
    const alarm = this.#alarm && toNumber(this.#sources.follow(this.#alarm))
    const hasFlags = typeof flags === 'number' && Number.isFinite(flags)
    const reading: HeatReading = {}
    if (degrees.length > 0) reading.temperature = Math.max(...degrees)
    if (hasFlags) {
      reading.throttled = (flags & THROTTLED) !== 0
      reading.wasUndervoltage = (flags & (UNDERVOLTAGE << 16)) !== 0
    }
    if (hasFlags || typeof alarm === 'number') {
      reading.undervoltage = alarm === 1 || (hasFlags && (flags & UNDERVOLTAGE) !== 0)
    }
    return reading
  }

  #find(folder: string, kind: RegExp, nameFile: string): [folder: string, name: string][] {
    return this.#sources
      .list(folder)
      .filter((name) => kind.test(name))
      .sort()
      .map((name) => [`${folder}/${name}`, this.#sources.read(`${folder}/${name}/${nameFile}`)?.trim() ?? ''])
  }

  /** Its folder bears the address of the chip on newer models. */
  #findFirmware(): string | undefined {
    if (this.#sources.read(FIRMWARE) !== undefined) return FIRMWARE
    const driver = '/sys/bus/platform/drivers/raspberrypi-firmware'
    const paths = this.#sources.list(driver).map((name) => `${driver}/${name}/get_throttled`)
    return paths.find((path) => path.includes(':firmware') && this.#sources.read(path) !== undefined)
  }
}
