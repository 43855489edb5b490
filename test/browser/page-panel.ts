// A panel: a page that asks an engine under protection and shows what it reports.

import {
  Engine,
  Guard,
  type Handler,
  type Hop,
  type Json,
  JstpError,
  openIdentity,
  type PageIdentity,
  STATUS,
} from '../../src/browser-identity.ts'

export interface Report {
  resource: Json
  body: Json
  author: string | null
  missed: number
}

export interface Said {
  status: number
  body: Json
  authentic: boolean
}

let identity: PageIdentity
let engine: Engine
let guard: Guard
let reports: Report[] = []
const states: { [at: string]: string[] } = {}

const app = {
  async open(name?: string): Promise<{ id: string; fingerprint: string }> {
    identity = await openIdentity({ name })
    guard = new Guard(identity)
    engine = new Engine({ guard })
    return { id: identity.id, fingerprint: identity.fingerprint }
  },

  whoami: () => ({ id: identity.id }),

  pin: (code: string, name: string, at: Hop[]) => identity.pin(code, name, at),

  pair: (code: string) => guard.pair(code),

  async ask(
    method: string,
    at: string,
    options: { key?: string; mode?: 'sign'; body?: Json },
  ): Promise<Said> {
    const { status, body = null, authentic = true } = await engine.ask(method, at, options).first()
    return { status, body, authentic }
  },

  /** Gives the status. */
  async bind(at: string, key: string): Promise<number> {
    states[at] = []
    const onState = (state: string) => void states[at]?.push(state)
    const take: Handler = ({ dispatch, author, missed = 0 }) => {
      const { resource, body } = dispatch
      reports.push({ resource: resource as Json, body: body as Json, author: author ?? null, missed })
    }
    try {
      const { confirmed } = await engine.bind(at, take, { key, observe: true, onState })
      return confirmed ? STATUS.OK : STATUS.TIMEOUT
    } catch (error) {
      if (error instanceof JstpError) return error.status
      throw error
    }
  },

  /** From now on this is a slow telephone: a signature takes it so many ms. */
  slow(ms: number): void {
    const { subtle } = crypto
    const verify = subtle.verify.bind(subtle)
    const slowly: typeof verify = async (...args) => {
      await new Promise((done) => setTimeout(done, ms))
      return verify(...args)
    }
    Object.defineProperty(subtle, 'verify', { value: slowly })
  },

  reports: () => reports,

  states: (at: string) => states[at],

  clear() {
    reports = []
  },

  sizes: () => guard.identity.sizes,
}

Object.assign(globalThis, { app })
