// The machine as we know it: asks for its status over and over, and for its recipes when there is nothing better to do.

import { type Cancel, type Context, Exchange, type Json, LinkError, PRIORITY } from '#device'
import { Assembler, toMachine } from './frame.ts'
import { decodeLimits, decodeRecipe, type Recipe, recipeOf } from './recipes.ts'
import { decodeStatus, derive, isBrewing, isOn, type Status } from './status.ts'
import { BEVERAGES, REQUEST, request } from './tables.ts'

/** Milliseconds between polls while something goes on or somebody cares. */
const FAST = 250
/** Milliseconds to wait for a status, and for one reply about a recipe. */
const STATUS_TIMEOUT = 1000
const RECIPE_TIMEOUT = 500
/** How often a recipe is asked for before it is given up. */
const PASSES = 3
/** Milliseconds from "taken" until its status shows it at the latest. */
const TAKEN = 5000
/** The names of these profiles are asked for; there is a guest besides. */
const PROFILES = 3

type Priority = (typeof PRIORITY)[keyof typeof PRIORITY]

interface Waiter {
  accept(status: Status): boolean
  end(status: Status | undefined): void
}

export class Machine {
  /** The last status; undefined while none has come since the link is up. */
  status: Status | undefined
  /** By number; undefined: it can't make that. */
  readonly recipes = new Map<number, Recipe | undefined>()
  /** The profile whose recipes are used. */
  profile = 1
  /** The last drink that was started here. */
  beverage = 1
  /** How often `stop` was asked for: a brew that was not sent before must not be sent after. */
  stops = 0
  readonly context: Context

  #exchange: Exchange<Uint8Array>
  #assembler = new Assembler()
  #waiters = new Set<Waiter>()
  #up = false
  /** Counts the times that the link came up. */
  #session = 0
  /** The session in which a poll is on its way; 0: none is. */
  #polling = 0
  #nextPoll: Cancel = () => {}
  #takenUntil = 0
  #limits = new Map<number, Map<number, number[]>>()
  #loading: Promise<void> = Promise.resolve()

  constructor(context: Context) {
    this.context = context
    this.#exchange = new Exchange(context.clock, (bytes) => context.link.write(bytes))
  }

  up(): void {
    this.#up = true
    this.#session++
    this.#poll()
    this.#load()
  }

  data(piece: Uint8Array): void {
    const before = this.#assembler.broken
    const payload = this.#assembler.push(piece)
    for (let count = before; count < this.#assembler.broken; count++) this.context.count('broken')
    if (!payload) return
    this.context.heard()
    const status = decodeStatus(payload)
    if (status) this.#show(status)
    this.#exchange.take(payload)
  }

  down(): void {
    this.#up = false
    this.#nextPoll()
    this.#assembler.reset()
    this.status = undefined
    this.#exchange.fail()
  }

  close(): void {
    this.down()
    for (const waiter of this.#waiters) waiter.end(undefined)
  }

  /** A brew has been taken, although the status may not show it yet. */
  get taken(): boolean {
    return this.context.clock.now() < this.#takenUntil
  }

  take(beverage: number): void {
    this.beverage = beverage
    this.#takenUntil = this.context.clock.now() + TAKEN
    this.#poll()
  }

  /** Sends a request and gives the payload of its reply, which starts with the same id (and `more`, after the F0). */
  async ask(
    args: number[],
    options: {
      priority: Priority
      timeout: number
      more?: number[]
      write?(bytes: Uint8Array): Promise<void>
    },
  ): Promise<Uint8Array> {
    const { priority, timeout, more = [], write } = options
    const match = (reply: Uint8Array) =>
      reply[0] === args[0] && more.every((byte, at) => reply[2 + at] === byte)
    try {
      const reply = await this.#exchange.ask({ bytes: toMachine(args), priority, timeout, match, write })
      return reply ?? new Uint8Array()
    } catch (error) {
      if (error instanceof LinkError && error.code === 'timeout') {
        this.context.count('missing')
        // What has come so far may be half a frame, or noise that looks like the start of one.
        this.#assembler.reset()
      }
      throw error
    }
  }

  /** Sends what has no reply. Resolves when the bytes are confirmed. */
  async send(args: number[], write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    await this.#exchange.ask({ bytes: toMachine(args), priority: PRIORITY.command, timeout: 0, write })
  }

  /** The first status to come that is accepted, also across a reconnection; undefined after `ms`. */
  waitFor(accept: (status: Status) => boolean, ms: number): Promise<Status | undefined> {
    return new Promise((resolve) => {
      const end = (status: Status | undefined) => {
        cancel()
        this.#waiters.delete(waiter)
        resolve(status)
      }
      const waiter: Waiter = { accept, end }
      const cancel = this.context.clock.after(ms, () => end(undefined))
      this.#waiters.add(waiter)
      this.#poll()
    })
  }

  /** A recipe, read from the machine unless it is known; undefined: it can't make that. */
  async recipe(number: number, left: () => number): Promise<Recipe | undefined> {
    for (let pass = 1; !this.recipes.has(number); pass++) {
      try {
        await this.#readRecipe(number, PRIORITY.command)
      } catch (error) {
        const again = error instanceof LinkError && error.code === 'timeout' && pass < PASSES
        if (!again || left() < RECIPE_TIMEOUT) throw error
      }
    }
    return this.recipes.get(number)
  }

  /** Resolves when all is known that the machine tells about recipes and profiles, be it from before. */
  loaded(): Promise<void> {
    return this.recipes.size === BEVERAGES.size ? Promise.resolve() : this.#loading
  }

  /** Other recipes from now on. */
  async useProfile(profile: number): Promise<void> {
    this.profile = profile
    this.recipes.clear()
    this.#load()
  }

  #show(status: Status): void {
    const { context } = this
    this.status = status
    if (isBrewing(status)) this.#takenUntil = 0
    const { state, progress } = derive(status)
    context.set('state', state)
    context.set('power', isOn(status))
    context.set('alarms', status.alarms)
    context.set('switches', status.switches)
    if (status.accessory) context.set('accessory', status.accessory)
    context.set('step', status.step)
    context.set('progress', progress)
    for (const waiter of this.#waiters) if (waiter.accept(status)) waiter.end(status)
  }

  /** Asks for the status now, unless that is under way, and goes on doing so. */
  #poll(): void {
    if (!this.#up || this.#polling === this.#session) return
    this.#nextPoll()
    const session = this.#session
    this.#polling = session
    const done = () => {
      if (session !== this.#session || !this.#up) return
      this.#polling = 0
      this.#nextPoll = this.context.clock.after(this.#interval(), () => this.#poll())
    }
    this.ask(request(REQUEST.monitor), { priority: PRIORITY.poll, timeout: STATUS_TIMEOUT }).then(done, done)
  }

  #interval(): number {
    const state = this.status && derive(this.status).state
    const idle = state === 'off' || state === 'ready' || state === 'alarm'
    if (!idle || this.taken || this.#waiters.size > 0 || this.context.wanted()) return FAST
    return this.context.options.poll as number
  }

  /** Reads in the background what doesn't change by itself. What was known before stays until it is replaced. */
  #load(): void {
    const { profile } = this
    const session = this.#session
    const current = () => this.#up && session === this.#session && profile === this.profile
    const load = async () => {
      const missing = new Set(BEVERAGES.keys())
      let named = false
      for (let pass = 0; pass < PASSES && current() && (!named || missing.size > 0); pass++) {
        named ||= await this.#attempt(() => this.#readProfiles())
        for (const number of missing) {
          if (!current()) return
          if (await this.#attempt(() => this.#readRecipe(number, PRIORITY.background))) missing.delete(number)
        }
        if (current()) this.#showRecipes()
      }
    }
    this.#loading = load()
  }

  async #attempt(read: () => Promise<void>): Promise<boolean> {
    try {
      await read()
      return true
    } catch {
      return false // counted where it happened; the next pass tries again
    }
  }

  async #readRecipe(number: number, priority: Priority): Promise<void> {
    const options = { priority, timeout: RECIPE_TIMEOUT }
    const { profile } = this
    let limits = this.#limits.get(number)
    if (!limits) {
      limits = decodeLimits(await this.ask(request(REQUEST.limits, number), { ...options, more: [number] }))
      this.#limits.set(number, limits)
    }
    let recipe: Recipe | undefined
    if (limits.size > 0) {
      const more = [profile, number]
      const values = decodeRecipe(await this.ask(request(REQUEST.recipe, ...more), { ...options, more }))
      recipe = recipeOf(number, BEVERAGES.get(number) ?? '', values, limits)
    }
    if (profile === this.profile) this.recipes.set(number, recipe)
  }

  async #readProfiles(): Promise<void> {
    const reply = await this.ask(request(REQUEST.profileNames, 1, PROFILES), {
      priority: PRIORITY.background,
      timeout: STATUS_TIMEOUT,
    })
    this.context.set('profiles', decodeNames(reply))
  }

  #showRecipes(): void {
    const recipes: Record<string, Json> = {}
    for (const recipe of this.recipes.values()) {
      if (!recipe) continue
      recipes[recipe.name] = { number: recipe.number, ...recipe.amounts, accessory: recipe.accessory ?? null }
    }
    this.context.set('recipes', recipes)
  }
}

/** 21 bytes for each: 20 of UTF-16BE, and an icon. */
export function decodeNames(payload: Uint8Array): { number: number; name: string; icon: number }[] {
  const profiles = []
  for (let at = 2, number = 1; at + 21 <= payload.length; at += 21, number++) {
    let name = ''
    for (let byte = at; byte < at + 20; byte += 2) {
      const code = ((payload[byte] ?? 0) << 8) | (payload[byte + 1] ?? 0)
      if (code) name += String.fromCharCode(code)
    }
    profiles.push({ number, name, icon: payload[at + 20] ?? 0 })
  }
  return profiles
}
