// Whether the outer dispatch is one that its content could have travelled in (spec B2, B5). What must be equal is
// compared; everything else of the outer one is the hops' business and is never delivered.

import type { Dispatch, Element, Endpoint } from '../core/dispatch.ts'
import type { Content } from './content.ts'
import type { Mode } from './rights.ts'

export function agrees(outer: Dispatch, content: Content, mode: Mode): boolean {
  const inner = content.dispatch
  if (inner.method === 'ANSWER') return agreesAnswer(outer, inner, mode)
  const token = outer.token?.[0]
  if (token !== inner.token?.[0]) return false
  return mode === 'sign' ? agreesOpen(outer, inner) : agreesHidden(outer, content)
}

/** Several in one ciphertext: none of them may want an answer, for there is one token only. */
export function fitsBatch(outer: Dispatch, { dispatch, extras }: Content): boolean {
  const { method, endpoint, token } = dispatch
  if (endpoint || method === 'ANSWER' || token?.[0] || outer.token?.[0] || extras.re || extras.rk)
    return false
  const [name, chan, ...more] = outer.resource ?? []
  if (outer.method !== 'POST' || name !== 'sealed' || more.length > 0) return false
  return extras.sub
    ? chan !== undefined && chan === extras.via
    : chan === undefined && extras.via === undefined
}

function agreesAnswer(outer: Dispatch, inner: Dispatch, mode: Mode): boolean {
  if (outer.method !== 'ANSWER') return false
  const [status, transaction] = outer.resource ?? []
  const [innerStatus, innerTransaction] = inner.resource as Element[]
  return transaction === innerTransaction && (mode !== 'sign' || status === innerStatus)
}

function agreesOpen(outer: Dispatch, inner: Dispatch): boolean {
  if (outer.method !== inner.method || outer.timestamp !== inner.timestamp) return false
  if (inner.endpoint) return outer.endpoint !== undefined && isSameEndpoint(outer.endpoint, inner.endpoint)
  return isSame(outer.resource, inner.resource)
}

function agreesHidden(outer: Dispatch, { dispatch, extras }: Content): boolean {
  const { method, endpoint } = dispatch
  if (endpoint) {
    if (outer.method !== method || outer.endpoint?.method !== 'POST') return false
    return extras.via !== undefined && isSame(outer.endpoint.resource, ['sealed', extras.via])
  }
  if (outer.method !== 'POST') return false
  // `via` is what makes an event of one subscription useless in another (R8).
  if (extras.sub) return extras.via !== undefined && isSame(outer.resource, ['sealed', extras.via])
  return extras.via === undefined && isSame(outer.resource, ['sealed'])
}

function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.method === b.method && isSame(a.resource, b.resource)
}

function isSame(a: Element[] | undefined, b: Element[] | undefined): boolean {
  if (!a || !b || a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
