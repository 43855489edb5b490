// The page: one connection, what is known, and the view that the address names. A view is made when it is opened and
// thrown away when it is left; what it shows is kept here.

import type { Dispatch, Element, Json } from '../core/dispatch.ts'
import { Client } from './client.ts'
import { type Entry, readThings, type Thing } from './directory.ts'
import { Frame } from './frame.ts'
import { chooseLanguage, chosenLanguage, type Language, Words } from './i18n.ts'
import { offerInstall } from './install.ts'
import { LogBook } from './log-book.ts'
import { Recorder } from './recorder.ts'
import { Store } from './store.ts'

/** Whether the engine is there, and since when. `isNew`: the page has only just come, and waits. */
export type Link = { isOpen: boolean; since: number; isNew?: boolean }

/** Milliseconds for the first connection, before it is called offline. */
const FIRST = 2000
/** Between two tries, where there has been no connection so far. */
const AGAIN = 2000

/** What of `engine` is reported, and kept as it comes. */
const FOLLOWED = ['saturation', 'devices']
const UNAUTHORIZED = new Set([401, 403])

export class App {
  readonly store = new Store()
  readonly recorder = new Recorder()
  readonly log = new LogBook()
  readonly client: Client
  words = new Words(chosenLanguage())
  things: Thing[] = []
  /** Who does not know this page shows nothing but how to pair. */
  isStranger = false
  /** Why the key of this browser can't be used; mostly another tab speaks with it. */
  keyProblem = ''
  readonly #frame: Frame
  #directory = ''
  #watched = new Set<string>()
  #endings: (() => void)[] = []

  constructor() {
    const start = { isOpen: false, since: Date.now() }
    this.store.set('page/link', { ...start, isNew: true })
    setTimeout(() => this.link.isNew && this.store.set('page/link', start), FIRST)
    this.client = new Client(
      {
        onLink: (isOpen) => this.#linked(isOpen),
        onWire: (wire) => this.recorder.take(wire),
      },
      location,
    )
    this.#frame = new Frame(this)
    addEventListener('hashchange', () => this.render(true))
  }

  get link(): Link {
    return this.store.get('page/link') as Link
  }

  async start(): Promise<void> {
    offerInstall(this.store)
    this.render()
    while (!(await this.sync())) await new Promise((resolve) => setTimeout(resolve, AGAIN))
  }

  /** What is shown as long as the present view is. */
  show(key: string, listener: (value: Json | undefined) => void): void {
    this.#endings.push(this.store.on(key, listener))
  }

  /** Done when the present view is left. */
  atEnd(end: () => void): void {
    this.#endings.push(end)
  }

  render(isMoved = false): void {
    for (const end of this.#endings.splice(0)) end()
    this.#frame.render(isMoved)
  }

  speak(language: Language): void {
    chooseLanguage(language)
    this.words = new Words(language)
    this.render()
  }

  /** Reads all that there is: at the start, and after every loss of the connection. `false`: the engine is not there. */
  async sync(): Promise<boolean> {
    const [summary, directory] = await Promise.all([
      this.client.ask('GET', ['engine']),
      this.client.ask('GET', ['engine', 'directory']),
    ])
    if (UNAUTHORIZED.has(directory.status)) return this.#refused()
    if (directory.status !== 200) return false
    this.#known()
    this.store.set('engine', summary.body ?? null)
    this.#adopt(directory.body as unknown as Entry[])
    await Promise.all([this.#follow(), this.#readLog(), ...this.things.map((thing) => this.#read(thing))])
    return true
  }

  /** Gets one point anew. */
  async read(resource: Element[]): Promise<void> {
    const { status, body } = await this.client.ask('GET', resource)
    if (status === 200) this.store.set(resource.join('/'), (body as { value: Json }).value)
  }

  /** All over again, over another connection. */
  async restart(): Promise<void> {
    this.#watched.clear()
    await this.sync()
  }

  #linked(isOpen: boolean): void {
    if (isOpen === this.link.isOpen) return
    this.store.set('page/link', { isOpen, since: Date.now() })
    if (isOpen && this.#directory !== '') void this.sync()
  }

  /** Perhaps this browser has been here before, and has a key. */
  async #refused(): Promise<true> {
    if (isSecureContext && !this.client.isProtected) {
      const { goOn } = await import('./sealed.ts')
      this.keyProblem = ''
      const isDone = await goOn(this).catch((error: Error) => {
        this.keyProblem = error.message
        return false
      })
      if (isDone) return true
    }
    this.isStranger = true
    this.render()
    return true
  }

  #known(): void {
    if (!this.isStranger) return
    this.isStranger = false
    this.render()
  }

  #adopt(entries: Entry[]): void {
    const text = JSON.stringify(entries)
    if (text === this.#directory) return
    this.#directory = text
    this.things = readThings(entries)
    this.render()
  }

  async #read({ name, points }: Thing): Promise<void> {
    void this.#watch([name, '...'], (resource, body) => this.store.set(resource.join('/'), body, true))
    const { status, body } = await this.client.ask('GET', [name])
    if (status !== 200) return
    const values = body as { [point: string]: Json }
    for (const { resource } of points) {
      const value = values[resource.slice(1).join('/')]
      if (value !== undefined) this.store.set(resource.join('/'), value, true)
    }
  }

  async #follow(): Promise<void> {
    for (const point of FOLLOWED) {
      void this.#watch(['engine', point], (_, body) => this.#take(point, body))
      const { status, body } = await this.client.ask('GET', ['engine', point])
      if (status === 200) this.#take(point, body as Json)
    }
  }

  #take(point: string, body: Json): void {
    this.store.set(`engine/${point}`, body, point === 'saturation')
    if (point !== 'devices') return
    const names = Object.keys(body as object)
    const isSame =
      names.length === this.things.length && this.things.every(({ name }) => names.includes(name))
    if (!isSame && this.#directory !== '') void this.#readDirectory()
  }

  /** A device has come or gone. */
  async #readDirectory(): Promise<void> {
    const { status, body } = await this.client.ask('GET', ['engine', 'directory'])
    if (status !== 200) return
    this.#adopt(body as unknown as Entry[])
    await Promise.all(this.things.map((thing) => this.#read(thing)))
  }

  async #readLog(): Promise<void> {
    void this.#watch(['engine', 'log'], (_, record) => {
      this.log.add(record)
      this.store.touch('engine/log')
    })
    const { status, body } = await this.client.ask('GET', ['engine', 'log'])
    if (status !== 200) return
    this.log.replace(body as Json[])
    this.store.set('engine/log', null)
  }

  async #watch(resource: Element[], take: (resource: Element[], body: Json) => void): Promise<void> {
    const key = JSON.stringify(resource)
    if (this.#watched.has(key)) return
    this.#watched.add(key)
    const handler = ({ resource, body = null }: Dispatch) => take(resource as Element[], body)
    await this.client.watch(resource, handler).catch(() => this.#watched.delete(key))
  }
}

await new App().start()
