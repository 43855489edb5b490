// The works of the simulated machine: water, beans, grounds, drip tray, heat, and drinks that take their time. Knows
// nothing of links and frames: those are in simulator.ts.

import type { Cancel, Clock } from '#device'
import { decodeRecipe } from './recipes.ts'
import { COUNTERS, PARAMETERS, RECIPES } from './simulator-data.ts'
import { ALARMS, ID, STATE, SWITCHES } from './tables.ts'

/** Milliseconds of one step at speed 1. */
const STEP = 250

/** Tank and drip tray in ml, beans in g, grounds container in portions. */
const FULL = { water: 1800, beans: 250, grounds: 14, dripTray: 500 }
const LOW_WATER = 150
/** Portion of beans in g, and water in ml that goes to the drip tray when it rinses. */
const PORTION = 9
const RINSE = 50
/** Steps of a drink, °C of the water when it is ready and of the room, °C by step of heating. */
const STEPS = 25
const HOT = 92
const ROOM = 20
const HEATING = 4

/** The levels that a test or a demo can set. */
export interface Levels {
  water: number
  beans: number
  grounds: number
  dripTray: number
  /** 0 none, 1 water spout, 2 milk jug, 3 chocolate, 4 milk jug with its knob at Clean */
  accessory: number
}

interface Shown {
  state: number
  step: number
  percent: number
  motor: 'up' | 'down' | undefined
}

export interface Drink {
  beverage: number
  /** Value by ingredient. */
  amounts: Map<number, number>
}

const OFF: Shown = { state: STATE.off, step: 3, percent: 100, motor: undefined }
const READY: Shown = { state: STATE.ready, step: 0, percent: 0, motor: 'down' }
const DONE: Shown = { state: STATE.ready, step: 14, percent: 100, motor: undefined }

/** A machine that is off, full, and has its water spout on. */
export class Works {
  /** The drinks that it has started: no command may ever make two. */
  readonly drinks: Drink[] = []
  /** °C of its water. */
  temperature = ROOM
  levels: Levels = { ...FULL, grounds: 0, dripTray: 0, accessory: 1 }
  /** Statistics and settings, by id. */
  readonly counters = new Map(COUNTERS)
  readonly parameters = new Map(PARAMETERS)

  #clock: Clock
  #step: number
  #timers = new Set<Cancel>()
  #on = false
  #shown = OFF
  /** What it is doing, a step at a time. */
  #doing: Iterator<Shown> | undefined
  /** It makes a drink, or is about to. */
  #pouring = false
  /** Bits that were set from outside, or that stay until somebody acts. */
  #alarms = 0
  #switches = 0
  #offSince: number

  /** @param speed 2: everything takes half its time */
  constructor(clock: Clock, speed: number) {
    this.#clock = clock
    this.#step = STEP / speed
    this.#offSince = clock.now()
  }

  // What people do at the machine

  /** Fills water and beans, empties grounds and drip tray. */
  fill(): void {
    this.set({ water: FULL.water, beans: FULL.beans, grounds: 0, dripTray: 0 })
  }

  set(levels: Partial<Levels>): void {
    Object.assign(this.levels, levels)
  }

  removeTank(): void {
    this.raise('water-tank-absent')
  }

  returnTank(): void {
    this.clear('water-tank-absent')
  }

  /** Sets an alarm or a switch by its name. */
  raise(name: string): void {
    const [alarm, contact] = bitsOf(name)
    this.#alarms |= alarm
    this.#switches |= contact
  }

  clear(name: string): void {
    const [alarm, contact] = bitsOf(name)
    this.#alarms &= ~alarm
    this.#switches &= ~contact
  }

  /** Presses its button. */
  press(): void {
    this.power(!this.#on)
  }

  /** On and hot, without waiting. */
  warm(): void {
    this.#on = true
    this.temperature = HOT
    this.#doing = undefined
    this.#shown = READY
  }

  rinse(): void {
    this.#do(this.#rinsing())
  }

  cleanMilk(): void {
    this.#do(this.#milkCleaning())
  }

  descale(): void {
    this.#do(this.#descaling())
  }

  /** The bytes of Monitor V2 after the header. */
  protected status(): number[] {
    const { state, step, percent, motor } = this.#shown
    const { accessory, water } = this.levels
    const alarms = this.#alarmBits()
    let switches = this.#switches
    if (accessory === 1 || accessory === 4) switches |= bitsOf('water-spout')[1]
    if (accessory === 2 || accessory === 4) switches |= bitsOf('milk-jug')[1]
    if (motor) switches |= bitsOf(`motor-${motor}`)[1]
    if (water < LOW_WATER) switches |= bitsOf('water-level-low')[1]
    const words = [switches, alarms & 0xffff].flatMap((word) => [word & 0xff, word >> 8])
    return [accessory, ...words, state, step, percent, (alarms >>> 16) & 0xff, alarms >>> 24, 0, 0, 0]
  }

  #alarmBits(): number {
    const { water, beans, grounds, dripTray } = this.levels
    let alarms = this.#alarms
    // With the tank out it only says that.
    if (water <= 0 && !(this.#switches & bitsOf('water-tank-absent')[1]))
      alarms |= bitsOf('empty-water-tank')[0]
    if (beans < PORTION) alarms |= bitsOf('beans-empty')[0]
    if (grounds >= FULL.grounds) alarms |= bitsOf('grounds-container-full')[0]
    if (dripTray >= FULL.dripTray) alarms |= bitsOf('empty-drip-tray')[0]
    return alarms
  }

  // What it does

  protected power(on: boolean): void {
    if (this.#doing || on === this.#on) return
    if (on) {
      // It has cooled by a degree every ten seconds.
      const cooled = (this.#clock.now() - this.#offSince) / (this.#step * 40)
      this.temperature = Math.max(ROOM, this.temperature - cooled)
    }
    this.#do(on ? this.#starting() : this.#stopping())
  }

  /** Starts a drink. Says whether it can: a machine that is not ready ignores it. */
  protected start(drink: Drink): boolean {
    const recipe = recipeBytes(drink.beverage, 1)
    const needs = decodeRecipe(Uint8Array.from([0, 0, 0, 0, ...recipe])).get(ID.accessory) ?? 0
    const ready = this.#on && !this.#doing && this.#blocked() === 0
    if (!ready || recipe.length === 0 || (needs !== 0 && needs !== this.levels.accessory)) return false
    this.drinks.push(drink)
    this.#pouring = true
    this.#do(this.#brewing(drink.amounts))
    return true
  }

  /** Ends the drink that is being made. */
  protected stop(): boolean {
    if (this.#pouring) this.#do(this.#finishing())
    return this.#on
  }

  /** Called in the middle of a drink. */
  protected pouring(): void {}

  /** Ends it all: no timer stays. */
  protected rest(): void {
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }

  /** The bits of alarms and switches that keep it from brewing. */
  #blocked(): number {
    const blocking = (flags: readonly ({ remedy?: string } | undefined)[]) =>
      flags.reduce((bits, flag, bit) => (flag?.remedy ? bits | (1 << bit) : bits), 0)
    return (this.#alarmBits() & blocking(ALARMS)) | (this.#switches & blocking(SWITCHES))
  }

  /** Starts something: its first step shows at the next tick. */
  #do(doing: Iterator<Shown>): void {
    const idle = !this.#doing
    this.#doing = doing
    if (idle) this.after(this.#step, () => this.#tick())
  }

  #tick(): void {
    if (!this.#doing) return
    const { value, done } = this.#doing.next()
    if (done) {
      this.#doing = undefined
      this.#pouring = false
      this.#shown = this.#on ? READY : OFF
      return
    }
    this.#shown = value
    this.after(this.#step, () => this.#tick())
  }

  *#starting(): Generator<Shown> {
    this.#on = true
    while (this.levels.water <= 0 || this.#switches & bitsOf('water-tank-absent')[1])
      yield show(STATE.turningOn, 0, 0)
    while (this.temperature < HOT) {
      this.temperature += HEATING
      yield show(STATE.turningOn, 1, 0)
    }
    for (const percent of [8, 29, 67, 97]) yield show(STATE.turningOn, 5, percent, 'up')
    this.#flush()
    yield show(STATE.turningOn, 7, 100)
    yield show(STATE.turningOn, 7, 100)
  }

  *#stopping(): Generator<Shown> {
    this.#on = false
    this.#offSince = this.#clock.now()
    yield show(STATE.shuttingDown, 1, 100)
    yield show(STATE.shuttingDown, 3, 100, 'up')
    yield show(STATE.shuttingDown, 6, 100)
  }

  *#brewing(amounts: Map<number, number>): Generator<Shown> {
    const coffee = amounts.get(ID.coffee) ?? 0
    const milk = amounts.get(ID.milk) ?? 0
    const water = coffee + (amounts.get(ID.water) ?? 0)
    const ground = coffee > 0 && amounts.get(ID.taste) === 0
    for (let step = 0; step <= STEPS; step++) {
      if (step === STEPS / 5) this.pouring()
      const percent = (step * 100) / STEPS
      if (coffee > 0 && step === 1 && !ground) this.levels.beans = Math.max(0, this.levels.beans - PORTION)
      if (step > 0) this.levels.water -= water / STEPS
      if (this.levels.water <= 0 && water > 0) {
        this.levels.water = 0
        return // it stops as it is and asks for water
      }
      if (milk > 0 && step < STEPS / 2) yield show(STATE.milkPreparation, step === 0 ? 2 : 4, percent, 'down')
      else if (coffee > 0) yield show(STATE.ready, 4 + Math.floor(percent / 10), percent, 'down')
      else if (milk > 0) yield show(STATE.milkPreparation, 4, percent, 'down')
      else yield show(STATE.hotWater, 3, Math.min(100, percent + 3), 'down')
    }
    const counter = milk > 0 ? 3001 : coffee > 0 ? 3000 : 3078
    this.#add(counter, 1)
    this.#add(106, water * 2)
    if (coffee > 0) this.levels.grounds++
    if (milk > 0) this.raise('clean-knob')
    yield DONE
  }

  *#finishing(): Generator<Shown> {
    if (this.#shown.state === STATE.milkPreparation) this.raise('clean-knob')
    else if (this.#shown.state === STATE.ready) this.levels.grounds++
    this.#pouring = false
    yield DONE
  }

  *#rinsing(): Generator<Shown> {
    yield show(STATE.rinsing, 2, 0)
    for (const percent of [33, 67, 100]) yield show(STATE.rinsing, 5, percent, 'up')
    this.#flush()
  }

  *#milkCleaning(): Generator<Shown> {
    const { accessory } = this.levels
    this.levels.accessory = 4
    for (const percent of [9, 13, 50, 100]) yield show(STATE.milkCleaning, 3, percent, 'down')
    this.#flush()
    this.levels.accessory = accessory
    this.clear('clean-knob')
    this.#add(115, 1)
  }

  *#descaling(): Generator<Shown> {
    for (const step of [4, 8, 9, 7, 17]) yield show(STATE.descaling, step, 0, 'down')
    this.clear('descale')
    this.#add(105, 1)
    yield show(STATE.turningOn, 9, 100, 'down')
  }

  #flush(): void {
    this.levels.water = Math.max(0, this.levels.water - RINSE)
    this.levels.dripTray += RINSE
    this.#add(106, RINSE * 2)
  }

  #add(counter: number, by: number): void {
    this.counters.set(counter, (this.counters.get(counter) ?? 0) + Math.round(by))
  }

  protected after(ms: number, run: () => void): void {
    const cancel = this.#clock.after(ms, () => {
      this.#timers.delete(cancel)
      run()
    })
    this.#timers.add(cancel)
  }
}

function show(state: number, step: number, percent: number, motor?: 'up' | 'down'): Shown {
  return { state, step, percent, motor }
}

/** The bits that a name has among the alarms and among the switches. */
function bitsOf(name: string): [alarm: number, contact: number] {
  const bit = (flags: readonly ({ name: string } | undefined)[]) => {
    const at = flags.findIndex((flag) => flag?.name === name)
    return at < 0 ? 0 : 1 << at
  }
  const bits: [number, number] = [bit(ALARMS), bit(SWITCHES)]
  if (bits[0] === 0 && bits[1] === 0) throw new Error(`the machine has no alarm and no switch "${name}"`)
  // Alarm and switch can share a name: then it is the alarm.
  return bits[0] ? [bits[0], 0] : bits
}

/** Recipe (1) or limits (2) of a drink; empty: it can't make it. */
export function recipeBytes(beverage: number, column: 1 | 2): number[] {
  const row = RECIPES.find(([number]) => number === beverage)
  return row ? (row[column].match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)) : []
}
