// What an engine says of itself at a broker (design §9.23): signed with its key, so that nobody else can say it, and of one run of
// the program. Its will is the same with `online: false`, signed beforehand.

import { createHash, createHmac } from 'node:crypto'
import { ascii, concat } from '../identity/bytes.ts'
import { strictVerifier } from '../identity/keys.ts'
import type { Signer } from '../identity/provider.ts'
import { nodeProvider } from '../identity/provider-node.ts'
import type { Presence } from '../transports/mqtt.ts'

/** Apart from every other use of a key, as in identity/labels. */
const LABEL = ascii('JSTP-SEC/1 here'.padEnd(16, '\0'))
const MOST = 1024
const BOOT = /^[0-9A-Za-z-]{1,64}$/

/** `N`: how brokers know a key. */
export function nodeOf(kid: Uint8Array): string {
  return createHash('sha256').update(kid).digest('hex').slice(0, 32)
}

/** The number of a service in a realm: brokers learn no names. */
export function serviceOf(realm: string, name: string): string {
  return createHmac('sha256', realm).update(name).digest('hex').slice(0, 32)
}

/**
 * `{v: 1, kid, p, sig}` with `p` the text `{"boot","n","online"}`; `sig` is over the label, the key and `p`.
 * @param boot a name for this run of the program
 */
export function presenceOf(signer: Signer, boot: string): Presence {
  const { toText, fromText } = nodeProvider
  const input = (kid: Uint8Array, p: string) => concat(LABEL, kid, Buffer.from(p))
  /** The highest number that each run has said to be alive with. */
  const heard = new Map<string, { boot: string; n: number }>()
  let n = 0
  return {
    say(isOnline) {
      if (isOnline) n++
      const p = JSON.stringify({ boot, n, online: isOnline })
      const sig = signer.sign(input(signer.kid, p)) as Uint8Array
      return JSON.stringify({ v: 1, kid: toText(signer.kid), p, sig: toText(sig) })
    },
    read(node, payload) {
      if (payload.length > MOST) return undefined
      try {
        const said = JSON.parse(Buffer.from(payload).toString()) as { [name: string]: unknown }
        const { v, kid: kidText, p, sig: sigText } = said
        if (v !== 1 || typeof p !== 'string') return undefined
        const [kid, sig] = [fromText(String(kidText)), fromText(String(sigText))]
        if (!kid || !sig || nodeOf(kid) !== node) return undefined
        if (!strictVerifier(nodeProvider, kid).verify(input(kid, p), sig)) return undefined
        const { boot, n, online } = JSON.parse(p) as { boot?: unknown; n?: unknown; online?: unknown }
        if (typeof boot !== 'string' || !BOOT.test(boot) || !Number.isSafeInteger(n)) return undefined
        const last = heard.get(node)
        if (online === true && last?.boot === boot && (n as number) < last.n) return undefined
        if (online === true) remember(heard, node, { boot, n: n as number })
        return { boot, isOnline: online === true }
      } catch {
        return undefined
      }
    },
  }
}

const REMEMBERED = 1000

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > REMEMBERED) map.delete(map.keys().next().value as string)
}
