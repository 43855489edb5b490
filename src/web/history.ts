// What was before the page came: an engine that keeps the past of its numbers is asked for it, once for each series.

import type { Element, Json } from '../core/dispatch.ts'
import type { App } from './app.ts'
import { fieldsOf } from './directory.ts'
import type { Series } from './store.ts'

/** Points of one answer, at most about. */
const POINTS = 360
const SHORTEST = 1000

/** Never throws: an engine without a past has none. `span`: seconds. */
export async function readHistory(
  { client, store }: App,
  key: string,
  resource: Element[],
  span: number,
): Promise<void> {
  if ((store.reached.get(key) ?? 0) >= span) return
  store.reached.set(key, span)
  const wish = { since: span * 1000, step: Math.max(SHORTEST, Math.round((span * 1000) / POINTS)) }
  const { status, body } = await client.ask('GET', ['engine', 'history', ...resource], wish)
  if (status === 200) store.prepend(key, seriesOf(body))
  else store.reached.delete(key)
}

/** The numbers that an engine remembers: their resources, with what is inside them. */
export async function listHistory({ client }: App): Promise<Element[][]> {
  const { status, body } = await client.ask('GET', ['engine', 'history'])
  const { series } = fieldsOf(body)
  return status === 200 && Array.isArray(series) ? (series as Element[][]) : []
}

/** `{age: [ms, …], mean: […]}`, oldest first. */
function seriesOf(body: Json | undefined): Series {
  const { age, mean } = fieldsOf(body)
  if (!Array.isArray(age) || !Array.isArray(mean)) return { times: [], values: [] }
  const now = Date.now()
  return { times: (age as number[]).map((it) => (now - it) / 1000), values: mean as number[] }
}
