// What `open` makes of an outer dispatch, on its way (`Arrived`) and in the end (`Result`).

import type { Dispatch, Json } from '../core/dispatch.ts'
import type { Content } from './content.ts'
import type { Context } from './context.ts'
import type { FailureName } from './failures.ts'
import type { Watch } from './feeds.ts'
import type { Maybe } from './maybe.ts'
import type { Candidate } from './pairing.ts'
import type { Peer } from './peers.ts'
import type { Pending } from './requests.ts'
import type { Mode } from './rights.ts'
import type { SignSec } from './sec.ts'
import type { Entry } from './trust.ts'

/** Where an outer dispatch came from. */
export interface From {
  /** The connection: budgets and bad dispatches are counted by it. */
  channel: string
  /** Others speak through it as well: it is never closed for what they send (R18). */
  isRelay: boolean
}

/** How an answer is protected: as what it answers was. */
export type Way =
  | { mode: 'ctx'; context: Context }
  | { mode: 'seal'; kid: Uint8Array; to: { x: Uint8Array; k: Uint8Array } }
  | { mode: 'sign'; kid: Uint8Array }

/** Verified, and not yet judged by what it wants. */
export interface Arrived {
  content: Content
  outer: Dispatch
  from: From
  entry: Entry
  peer: Peer
  mode: Mode
  /** Signed for nobody in particular. */
  isPublic: boolean
  stale: boolean
  /** `undefined`: sealed, and no key for an answer. */
  way: Way | undefined
  ref(): Maybe<Uint8Array>
  /** Of `seal`: the name of the key that it was sealed to. */
  sealedTo: string | undefined
  /** Of `sign`: it can be proven to others. */
  signed: SignSec | undefined
  /** SIG_IN of `sign` and `seal`. */
  input: Uint8Array | undefined
}

/** A request that may be carried out. */
export interface Opened {
  kind: 'request'
  /** Rebuilt from the protected content alone. `token` is `[transaction id]` or absent. */
  dispatch: Dispatch
  /** did:key of who signed it. */
  author: string
  /** Its name in the trust store. */
  name: string
  mode: Mode
  /** Signed for nobody in particular. */
  isPublic: boolean
  /** Public, and perhaps held back for any time. */
  stale: boolean
  /** Everything else that stood in the outer dispatch: untrusted, for routing only. */
  hop: Dispatch
  /** Of BIND and RELEASE: where events go. */
  chan: string | undefined
  /** Its name in `re` and `sub`: 16 bytes. */
  ref(): Maybe<Uint8Array>
  /** For `answer`, `subscribed` and `event`. */
  arrived: Arrived
}

/** An authentic answer to something that we asked. */
export interface Answered {
  kind: 'answer'
  /** With the triggering id of the outer one. */
  dispatch: Dispatch
  status: number
  author: string
  mode: Mode
  pending: Pending
  /** It failed for want of a challenge, which is known now, or of a stronger mode: call `again(pending)`. */
  retry: boolean
}

/** An authentic event of something that we are bound to. */
export interface Heard {
  kind: 'event'
  dispatch: Dispatch
  /** Who has made it: the signer of `orig`, or the server. did:key */
  author: string
  /** Who has pushed it. did:key */
  server: string
  watch: Watch
  /** Events that are missing before this one. */
  gap: number
  /** Says only that all is well: not to be delivered. */
  isBeat: boolean
}

export type Result =
  | Opened
  | Answered
  | Heard
  /** The peer is known better: what waited for it may be protected now. */
  | { kind: 'learned'; author: string; what: 'id' | 'context' | 'challenge' | 'trust' }
  /** The peer wants no context with us, and says why. */
  | { kind: 'refused'; author: string; status: number; body: Json | undefined }
  /** All is done; this goes back. */
  | { kind: 'reply'; reply: Dispatch }
  /** Sent to the author, to learn whether what waits of it is new. */
  | { kind: 'ask'; author: string; query: Dispatch }
  /** A key has knocked with the right code: to be shown and confirmed here. */
  | { kind: 'pairing'; candidate: Candidate; reply: Dispatch | undefined }
  | { kind: 'failed'; failure: FailureName; reply: Dispatch | undefined; close: boolean }
  /** Not protected: the rules for those without a key decide. */
  | { kind: 'clear' }
  /** An answer from nobody: may be shown as `authentic: false`; the transaction stays open (B8). */
  | { kind: 'doubtful'; dispatch: Dispatch; pending: Pending }
  /** Make a new context or ask for the id; then protect again if `again`, else it is uncertain (R3). */
  | { kind: 'hint'; pending: Pending; need: 'id' | 'context' | undefined; again: boolean }
