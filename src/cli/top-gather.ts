// All engines that are shown: those that were asked for, and those that serve what these tell of. One engine that was
// found on two ways is shown once.

import type { Clock } from '../core/clock.ts'
import type { Door } from '../core/door.ts'
import type { KeyData } from '../identity/trust-file.ts'
import type { Picture } from './top-draw.ts'
import type { Links } from './top-links.ts'
import { type ReplicaView, sharesOf } from './top-model.ts'
import { labelOf, replicaSource, type Source } from './top-source.ts'
import { EngineWatch } from './top-watch.ts'

export interface GatherOptions {
  door: Door
  clock: Clock
  sources: Source[]
  /** Engines whose keys are known, by where they are; none where there is no key of our own. */
  keys: KeyData[]
  isOnce: boolean
  links: Links
}

/** Engines that are found. */
const FOUND = 64

export class Gathering {
  /** Called with what of an engine has changed. */
  onChange: (what: 'engine' | 'services', watch: EngineWatch) => void = () => {}
  #options: GatherOptions
  #watches: EngineWatch[] = []

  constructor(options: GatherOptions) {
    this.#options = options
    for (const source of options.sources) this.#add(source)
  }

  /** It is known of all whether they are there. */
  get isSettled(): boolean {
    return this.#watches.every(({ isSettled }) => isSettled)
  }

  /** Those that are shown. */
  get shown(): EngineWatch[] {
    const isAsked = ({ source }: EngineWatch) => source.kind === 'asked'
    const isShown = (watch: EngineWatch) => isAsked(watch) || watch.view.figures !== undefined
    const shown = this.#watches.filter(isShown)
    const isFirst = ({ id }: EngineWatch, i: number) =>
      id === undefined || shown.findIndex((other) => other.id === id) === i
    // What was asked for keeps its place before what was found.
    return shown.sort((a, b) => Number(isAsked(b)) - Number(isAsked(a))).filter(isFirst)
  }

  get picture(): Picture {
    const { shown } = this
    const nameOf = (at: string) => this.#watches.find(({ source }) => source.at === labelOf(at))?.view.name
    const named = (replica: ReplicaView): ReplicaView => ({
      ...replica,
      at: labelOf(replica.at),
      name: nameOf(replica.at),
    })
    const services = shown
      .filter(({ view }) => !view.offline)
      .flatMap(({ looks, view }) => sharesOf(looks, view.name ?? view.at))
      .map((service) => ({ ...service, replicas: service.replicas.map(named) }))
    return { engines: shown.map(({ view }) => view), services }
  }

  start(): void {
    for (const watch of this.#watches) watch.start()
  }

  tick(): void {
    for (const watch of this.#watches) watch.tick()
  }

  stop(): void {
    for (const watch of this.#watches) watch.stop()
  }

  #add(source: Source): EngineWatch {
    const { door, clock, links, isOnce } = this.#options
    const watch: EngineWatch = new EngineWatch({
      door,
      clock,
      source,
      isOnce,
      links,
      changed: (what) => {
        if (what === 'services') this.#follow()
        this.onChange(what, watch)
      },
    })
    this.#watches.push(watch)
    return watch
  }

  /** Those that are named as replicas are watched, those that are no more are not. */
  #follow(): void {
    const { keys } = this.#options
    const found = new Map<string, Source>()
    for (const { looks, source } of this.#watches) {
      for (const { at } of [...(looks.at(-1)?.services.values() ?? [])].flat()) {
        const replica = replicaSource(at, source, keys)
        if (replica && found.size < FOUND) found.set(replica.at, replica)
      }
    }
    for (const watch of this.#watches.filter(({ source }) => source.kind === 'found')) {
      if (found.has(watch.source.at)) continue
      watch.stop()
      this.#watches.splice(this.#watches.indexOf(watch), 1)
    }
    const known = new Set(this.#watches.map(({ source }) => source.at))
    for (const source of found.values()) if (!known.has(source.at)) this.#add(source).start()
  }
}
