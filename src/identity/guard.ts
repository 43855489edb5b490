// The identity joined to an engine: who may ask what here, what of ours is protected for whom, and the upkeep of both.

import type { Asker } from '../core/answers.ts'
import type { Callback } from '../core/callback.ts'
import type { Channel } from '../core/channel.ts'
import type { Cancel } from '../core/clock.ts'
import type { Dispatch, Element, Endpoint, Hop, Json } from '../core/dispatch.ts'
import type { BindState, Guard as CoreGuard, Inside, Protection } from '../core/guard.ts'
import { JstpError, STATUS } from '../core/status.ts'
import { type Answer, AnswerStream } from '../core/stream.ts'
import type { Answered } from './arrived.ts'
import { Asked, type AskedOptions } from './asked.ts'
import { Bound } from './bound.ts'
import { attempt, Client, UNASKED } from './client.ts'
import { findReserved } from './content.ts'
import { fingerprint, kidOf } from './did.ts'
import { patternOf } from './feeds.ts'
import { Identity } from './identity.ts'
import { type Candidate, pairMac, readPairCode } from './pairing.ts'
import { MODES } from './rights.ts'
import type { RoomOptions } from './room.ts'
import { Served } from './served.ts'

const TICK = 5000
const FETCH = 6 * 3_600_000

export interface GuardOptions extends Omit<RoomOptions, 'env'> {
  /** Told when a key has shown the code of a pairing: both fingerprints are to be compared and confirmed. */
  onPairing?: (candidate: Candidate) => void
  /** Of an issuer: the body of its list of revocations, for who asks for it. */
  revocations?: () => Json
}

/** Handed to one engine: `new Engine({ guard })`. */
export class Guard implements CoreGuard {
  readonly required = { sec: 'required', modes: [...MODES] }
  #options: GuardOptions
  #inside: Inside | undefined
  #identity: Identity | undefined
  #client: Client | undefined
  #served: Served | undefined
  #bounds = new Map<string, Bound>()
  #timer: Cancel | undefined
  #fetchAt = 0

  constructor(options: GuardOptions) {
    this.#options = options
  }

  /** @throws {Error} before an engine has it. */
  get identity(): Identity {
    return ready(this.#identity)
  }

  attach(inside: Inside): void {
    if (this.#inside) throw new Error('a guard is for one engine: make another one')
    const identity = new Identity({ ...this.#options, env: inside.env })
    this.#inside = inside
    this.#identity = identity
    this.#client = new Client(identity, inside)
    this.#served = new Served(identity, inside)
    this.#served.onPairing = this.#options.onPairing
    const sec = inside.own('sec')
    sec.handle('GET', ['id'], () => identity.describe())
    sec.handle('GET', ['stats'], () => this.#stats())
    const { revocations } = this.#options
    if (revocations) sec.handle('GET', ['trust'], revocations)
    this.#later()
  }

  allows(dispatch: Dispatch): boolean {
    return this.identity.anonymous(dispatch)
  }

  concerns(dispatch: Dispatch, channel: Channel): boolean {
    if (dispatch.sec !== undefined || dispatch.resource?.[0] === 'sec') return true
    // In a page: what comes behind something that is still being opened waits for its turn.
    return findReserved(dispatch) !== undefined || this.identity.isBusy(channel.id)
  }

  received(outer: Dispatch, channel: Channel): void {
    ready(this.#served).received(outer, channel)
  }

  gone(channel: Channel): void {
    this.#served?.gone(channel)
  }

  routeOf(key: string): Hop[] | undefined {
    return this.#options.trust.named(key)?.at
  }

  ask(dispatch: Dispatch, protection: Protection, asker: Asker): void {
    new Asked(ready(this.#client), { dispatch, protection, asker }).start()
  }

  bind(
    dispatch: Dispatch,
    protection: Protection,
    asker: Asker,
    callback: Callback,
    onState?: (state: BindState) => void,
  ): () => void {
    const { endpoint, to, token } = dispatch
    const id = this.identity.idOf(protection.key) ?? protection.key
    const name = JSON.stringify([id, protection.mode, patternOf(endpoint as Endpoint).id, to])
    const known = this.#bounds.get(name)
    const ended = () => void (this.#bounds.get(name) === bound && this.#bounds.delete(name))
    const bound: Bound = known ?? new Bound(ready(this.#client), { dispatch, protection, ended })
    this.#bounds.set(name, bound)
    return bound.add({ callback, onState }, asker, token?.[0] as string)
  }

  /** The engine of that key has started anew: what is bound there is bound again. */
  renewed(author: string): void {
    for (const bound of this.#bounds.values()) bound.renewed(author)
    for (const asked of this.#client?.asked ?? []) asked.renewed(author)
  }

  /**
   * Sends a statement about keys (a grant, a list of revocations, a rotation) to an engine.
   * @returns its authentic answer. @throws {JstpError} 504 when there was none in time.
   */
  state(body: Json, { key, to = this.routeOf(key) }: { key: string; to?: Hop[] }): Promise<Answer> {
    const dispatch = this.#make('PUT', ['sec', 'trust'], to, body)
    const make = () => this.identity.stateTo(dispatch, key)
    return this.#first({ dispatch, protection: { key, mode: 'sign' }, make })
  }

  /**
   * Knocks with a code that was read at the other engine, whose key is in our trust store by now.
   * @returns its key and fingerprint, and our own, when it has heard us: both sides compare them, then it says yes.
   * @throws {JstpError} 400 for what is no code; 403 when it is no longer valid.
   */
  async pair(code: string, to?: Hop[]): Promise<{ id: string; fingerprint: string; own: string }> {
    const { provider, signer } = this.#options
    const read = readPairCode(provider, code)
    const kid = read && kidOf(read.id)
    if (!read || !kid)
      throw new JstpError(STATUS.BAD_DISPATCH, 'that is no pairing code: jstp-pair:did:key:…')
    const mac = provider.toText(await pairMac(provider, read.secret, kid, signer.kid))
    const dispatch = this.#make('POST', ['sec', 'pair'], to ?? this.routeOf(read.id), { mac })
    const { status } = await this.#first({ dispatch, protection: { key: read.id, mode: 'sign' } })
    if (status >= 400)
      throw new JstpError(status, 'the code was not accepted: it is valid once, for two minutes')
    const prints = [await fingerprint(provider, kid), await fingerprint(provider, signer.kid)]
    return { id: read.id, fingerprint: prints[0] as string, own: prints[1] as string }
  }

  close(): void {
    this.#timer?.()
    for (const bound of this.#bounds.values()) bound.close()
  }

  #stats(): Json {
    const { meters } = ready(this.#inside).env
    const counted = Object.entries(meters.read()).filter(([name]) => name.startsWith('sec.'))
    return { meters: Object.fromEntries(counted), sizes: this.identity.sizes }
  }

  #make(method: string, resource: Element[], to?: Hop[], body?: Json): Dispatch {
    const { clock, random } = ready(this.#inside).env
    const dispatch: Dispatch = { method, resource, timestamp: clock.wall(), token: [random.uuid()] }
    if (to) dispatch.to = to
    if (body !== undefined) dispatch.body = body
    return dispatch
  }

  #first(question: Omit<AskedOptions, 'asker'>): Promise<Answer> {
    const stream = new AnswerStream(ready(this.#inside).env.clock, undefined, undefined, true)
    new Asked(ready(this.#client), { ...question, asker: stream }).start()
    return stream.first()
  }

  #later(): void {
    this.#timer = ready(this.#inside).env.clock.after(TICK, () => this.#tick())
  }

  #tick(): void {
    this.#later()
    const inside = ready(this.#inside)
    const done = ({ beats, stale, renew, late }: Upkeep) => {
      this.#served?.tick(beats, late)
      for (const bound of this.#bounds.values()) bound.check(stale)
      for (const author of renew) for (const bound of this.#bounds.values()) bound.renew(author)
    }
    attempt(
      inside,
      () => this.identity.tick(),
      done,
      () => inside.env.meters.count('sec.failed'),
    )
    if (inside.env.clock.now() >= this.#fetchAt) this.#fetchRevocations()
  }

  /** B9: at start and every 6 h, for relays can withhold them. */
  #fetchRevocations(): void {
    const inside = ready(this.#inside)
    this.#fetchAt = inside.env.clock.now() + FETCH
    for (const { id, isIssuer, at } of this.#options.trust.entries()) {
      if (!isIssuer || !at) continue
      new Asked(ready(this.#client), {
        dispatch: this.#make('GET', ['sec', 'trust'], at),
        protection: { key: id },
        asker: UNASKED,
        onAnswer: (answer) => answer.status === STATUS.OK && this.#revoke(answer),
      }).start()
    }
  }

  #revoke(answer: Answered): void {
    const { env } = ready(this.#inside)
    attempt(
      ready(this.#inside),
      () => this.identity.revocations(answer),
      (outcome) => {
        if (!outcome.done)
          env.log.warn(`the revocations of ${answer.author} were not taken over: ${outcome.reason}`)
      },
      (error) => env.log.warn(`the revocations of ${answer.author} were not taken over: ${error.message}`),
    )
  }
}

type Upkeep = Awaited<ReturnType<Identity['tick']>>

function ready<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the guard has no engine yet: new Engine({ guard })')
  return value
}
