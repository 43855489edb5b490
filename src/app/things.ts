// The directory as W3C Thing Descriptions 1.1, for programs that know no JSTP profiles. Forms are JSTP URIs.

import type { Json } from '../core/dispatch.ts'
import { formatUri } from '../core/uri.ts'
import type { Field } from '../device/profile.ts'
import { type Entry, engineEntries, type Listed } from './directory.ts'

type Data = { [key: string]: Json }

const CONTEXT = 'https://www.w3.org/2022/wot/td/v1.1'
const OPERATIONS: Record<string, string> = {
  GET: 'readproperty',
  PUT: 'writeproperty',
  PATCH: 'writeproperty',
  BIND: 'observeproperty',
}

/** A Thing for the engine and for every device. `engine`: its name, the first hop of every form. */
export function things(engine: string, devices: Listed[]): Json {
  return [
    thing(engine, 'engine', `The engine ${engine}`, engineEntries()),
    ...devices.map(({ name, title, entries }) => thing(engine, name, title, entries())),
  ]
}

function thing(engine: string, root: string, title: string, entries: Entry[]): Json {
  const affordances: Record<'properties' | 'actions' | 'events', Data> = {
    properties: {},
    actions: {},
    events: {},
  }
  for (const entry of entries) {
    const name = entry.resource.slice(1).join('/') || 'all'
    if (entry.methods.includes('POST')) affordances.actions[name] = action(engine, entry)
    else if (entry.event) affordances.events[name] = event(engine, entry)
    else affordances.properties[name] = property(engine, entry)
  }
  return {
    '@context': CONTEXT,
    id: formatUri({ to: [engine], resource: [root] }),
    title,
    securityDefinitions: { open: { scheme: 'nosec' } },
    security: 'open',
    ...affordances,
  }
}

function property(engine: string, entry: Entry): Data {
  const { methods } = entry
  return {
    ...dataOf(entry as unknown as Field),
    readOnly: !methods.includes('PUT') && !methods.includes('PATCH'),
    observable: methods.includes('BIND'),
    forms: methods.map((method) => form(engine, entry, method, OPERATIONS[method] as string)),
  }
}

function action(engine: string, entry: Entry): Data {
  const { description, body } = entry
  const input = body && {
    input: dataOf({ type: 'object', fields: body as unknown as Record<string, Field> }),
  }
  return { description, ...input, forms: [form(engine, entry, 'POST', 'invokeaction')] }
}

function event(engine: string, entry: Entry): Data {
  const data = dataOf(entry as unknown as Field)
  const { description } = entry
  return { description, data, forms: [form(engine, entry, 'BIND', 'subscribeevent')] }
}

function form(engine: string, { resource }: Entry, method: string, op: string): Data {
  return { href: formatUri({ method, to: [engine], resource }), op, contentType: 'application/json' }
}

/** A field as the data schema of a Thing Description. */
function dataOf({ type, description, unit, range, values, pattern, fields }: Partial<Field>): Data {
  const types = [type ?? []].flat().map((one) => (one === 'list' ? 'array' : one))
  const data: Data =
    types.length === 1 ? { type: types[0] as string } : { oneOf: types.map((one) => ({ type: one })) }
  if (description) data.description = description
  if (unit) data.unit = unit
  if (range) [data.minimum, data.maximum] = range
  if (values) data.enum = values
  if (pattern) data.pattern = `^(?:${pattern})$`
  if (fields) {
    data.properties = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, dataOf(field)]))
    const required = Object.keys(fields).filter((name) => fields[name]?.required)
    if (required.length > 0) data.required = required
  }
  return data
}
