// What a message says of itself in properties of MQTT 5 (part D): hints for brokers and for people who look on. Nobody judges a
// dispatch by them: what counts is in the payload.

import type { Hints } from './mqtt-link.ts'
import type { Item } from './mqtt-talk.ts'

/** Seconds that a broker keeps what can't be delivered. */
const KEPT_S = 60
const CORRELATION = 16

/** `item`: the first frame of the message; `inbox`: where its answer is to go. */
export function hintsOf(item: Item | undefined, inbox: string): Hints {
  const { expires, id } = item?.heading ?? {}
  const hints: Hints = {
    messageExpiryInterval: expires === undefined ? KEPT_S : Math.max(1, Math.ceil(expires / 1000)),
    contentType: 'application/json',
  }
  if (id === undefined) return hints
  return { ...hints, responseTopic: inbox, correlationData: correlationOf(id) }
}

/** A transaction id as at most 16 bytes. */
function correlationOf(id: string): Buffer {
  const isUuid = id.length === 36 && id[8] === '-' && id[23] === '-'
  const bytes = isUuid ? Buffer.from(id.replaceAll('-', ''), 'hex') : Buffer.from(id)
  return bytes.subarray(0, CORRELATION)
}
