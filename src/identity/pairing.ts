// Pairing (spec B9, R17): for 120 s after somebody at this machine has asked for it, one unknown key may knock. It shows
// that it has read the code, both sides show both fingerprints, and somebody here says yes. Nothing is trusted before.

import type { Clock } from '../core/clock.ts'
import { concat, equal } from './bytes.ts'
import { didOf, fingerprint } from './did.ts'
import { keyFault } from './keys.ts'
import { LABEL } from './labels.ts'
import { chain, type Maybe } from './maybe.ts'
import type { Provider } from './provider.ts'
import type { Right } from './rights.ts'
import type { Outcome, Trust } from './trust.ts'

const WINDOW = 120_000
const TRIES = 5
const SECRET = 16
const PREFIX = 'jstp-pair:'

/** A key that waits for a yes. */
export interface Candidate {
  kid: Uint8Array
  id: string
  fingerprint: string
}

export interface Pairing {
  /** Until when it is open; `undefined`: it is not. */
  readonly candidate: Candidate | undefined
  readonly isOpen: boolean
  /** Opens the window. Returns the code for the other side, as text or QR: it holds our whole key. */
  open(name: string, rights: Right[]): string
  /** A key has knocked. `false`: the code was not known, or somebody else was first. */
  knock(kid: Uint8Array, mac: Uint8Array): Maybe<boolean>
  /** Somebody here has compared the fingerprints. */
  confirm(): Outcome
  close(): void
}

export function pairing(provider: Provider, clock: Clock, own: Uint8Array, trust: Trust): Pairing {
  let window: { until: number; name: string; rights: Right[]; secret: Uint8Array; tries: number } | undefined
  let candidate: Candidate | undefined
  const current = () => {
    if (window && clock.now() >= window.until) close()
    return window
  }
  const close = () => {
    window = undefined
    candidate = undefined
  }
  return {
    get candidate() {
      return current() && candidate
    },
    get isOpen() {
      return current() !== undefined
    },
    open(name, rights) {
      const secret = provider.random(SECRET)
      window = { until: clock.now() + WINDOW, name, rights, secret, tries: TRIES }
      candidate = undefined
      return `${PREFIX}${didOf(own)}#${provider.toText(secret)}`
    },
    knock(kid, mac) {
      const open = current()
      if (!open || candidate || keyFault(kid) || equal(kid, own)) return false
      return chain(pairMac(provider, open.secret, own, kid), (expected) => {
        if (current() !== open || candidate) return false
        if (!equal(expected, mac)) {
          if (--open.tries <= 0) close()
          return false
        }
        return chain(fingerprint(provider, kid), (print) => {
          candidate ??= { kid, id: didOf(kid), fingerprint: print }
          return equal(candidate.kid, kid)
        })
      })
    },
    confirm() {
      const open = current()
      if (!open || !candidate) return { done: false, reason: 'no key waits to be paired' }
      const outcome = trust.pair(candidate.kid, open.name, open.rights)
      close()
      return outcome
    },
    close,
  }
}

/** What the code says: whom to pin, and the secret that shows that it was read. `undefined`: no code. */
export function readPairCode(
  provider: Provider,
  code: string,
): { id: string; secret: Uint8Array } | undefined {
  const [id, secret] = code.startsWith(PREFIX) ? code.slice(PREFIX.length).split('#') : []
  const bytes = secret === undefined ? undefined : provider.fromText(secret)
  return id && bytes?.length === SECRET ? { id, secret: bytes } : undefined
}

/** Proves knowledge of the code, for one engine and one new key. */
export function pairMac(
  provider: Provider,
  secret: Uint8Array,
  engine: Uint8Array,
  kid: Uint8Array,
): Maybe<Uint8Array> {
  return provider.hmac(secret, concat(LABEL.pair, engine, kid))
}
