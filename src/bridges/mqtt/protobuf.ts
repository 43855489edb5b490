// Sparkplug's payload (C8), read and written by hand: the few fields that carry metrics, nothing of the rest. The wire
// format is protobuf's: a key (field number and type), then a number, eight bytes, a length and bytes, or four bytes.

import type { Json } from '../../core/dispatch.ts'

/** Sparkplug's numbers of data types. */
export const TYPES = {
  int8: 1,
  int16: 2,
  int32: 3,
  int64: 4,
  uint8: 5,
  uint16: 6,
  uint32: 7,
  uint64: 8,
  float: 9,
  double: 10,
  boolean: 11,
  string: 12,
  dateTime: 13,
  text: 14,
} as const

export interface Metric {
  name?: string
  alias?: number
  type?: number
  isNull?: boolean
  /** It was kept while there was no connection: not what is now. */
  historical?: boolean
  value?: Json
  properties?: Record<string, Json>
}

export interface SparkplugPayload {
  timestamp?: number
  metrics: Metric[]
  seq?: number
}

const METRICS = 1000
const UTF8 = new TextDecoder()
const SIGNED: Record<number, bigint> = { 1: 32n, 2: 32n, 3: 32n, 4: 64n }

/** @throws {Error} when it is not that */
export function readSparkplug(bytes: Uint8Array): SparkplugPayload {
  const payload: SparkplugPayload = { metrics: [] }
  for (const { field, number, bytes: inner } of fieldsOf(bytes)) {
    if (field === 1) payload.timestamp = Number(number)
    else if (field === 3) payload.seq = Number(number)
    else if (field === 2 && inner) {
      if (payload.metrics.length >= METRICS) throw new Error(`more than ${METRICS} metrics`)
      payload.metrics.push(readMetric(inner))
    }
  }
  return payload
}

function readMetric(bytes: Uint8Array): Metric {
  const metric: Metric = {}
  let raw: Field | undefined
  for (const part of fieldsOf(bytes)) {
    const { field, number, bytes: inner } = part
    if (field === 1) metric.name = UTF8.decode(inner)
    else if (field === 2) metric.alias = Number(number)
    else if (field === 4) metric.type = Number(number)
    else if (field === 5) metric.historical = number !== 0n
    else if (field === 7) metric.isNull = number !== 0n
    else if (field === 9 && inner) metric.properties = readProperties(inner)
    else if (field >= 10 && field <= 15) raw = part
  }
  if (raw) metric.value = readValue(raw, metric.type)
  return metric
}

function readValue({ field, number = 0n, bytes }: Field, type: number | undefined): Json | undefined {
  if (field === 10 || field === 11) {
    const bits = type === undefined ? undefined : SIGNED[type]
    const value = bits === undefined ? number : BigInt.asIntN(Number(bits), number)
    // What a number can't hold exactly stays readable as text.
    return value > 9007199254740991n || value < -9007199254740991n ? String(value) : Number(value)
  }
  if (field === 14) return number !== 0n
  if (!bytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (field === 15) return UTF8.decode(bytes)
  const value = field === 12 ? view.getFloat32(0, true) : view.getFloat64(0, true)
  if (!Number.isFinite(value)) return undefined
  return field === 12 ? Number(value.toPrecision(7)) : value
}

/** A property set: names, then values in the same order. Only what is short is kept. */
function readProperties(bytes: Uint8Array): Record<string, Json> {
  const names: string[] = []
  const values: (Json | undefined)[] = []
  for (const { field, bytes: inner } of fieldsOf(bytes)) {
    if (!inner || names.length > 32) continue
    if (field === 1) names.push(UTF8.decode(inner.subarray(0, 64)))
    else if (field === 2) {
      const part = [...fieldsOf(inner)].find(({ field }) => field >= 3 && field <= 8)
      // The numbers of its fields are those of a metric, seven lower.
      values.push(part && readValue({ ...part, field: part.field + 7 }, undefined))
    }
  }
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? null]))
}

interface Field {
  field: number
  number?: bigint
  bytes?: Uint8Array
}

function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error('it ends in the middle of a number')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw new Error('a number longer than ten bytes')
  }
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at) throw new Error('it ends in the middle of a field')
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const key = Number(varint())
    const field = Math.floor(key / 8)
    const type = key % 8
    if (type === 0) yield { field, number: varint() }
    else if (type === 1) yield { field, bytes: take(8) }
    else if (type === 2) yield { field, bytes: take(Number(varint())) }
    else if (type === 5) yield { field, bytes: take(4) }
    else throw new Error(`a field of type ${type}`)
  }
}

/** A payload as bytes. Integers that are not safe can't be in it. */
export function writeSparkplug({ timestamp, metrics, seq }: SparkplugPayload): Uint8Array {
  const out: number[] = []
  if (timestamp !== undefined) number(out, 1, timestamp)
  for (const metric of metrics) lengthy(out, 2, writeMetric(metric))
  if (seq !== undefined) number(out, 3, seq)
  return Uint8Array.from(out)
}

function writeMetric({ name, alias, type = TYPES.string, value, historical, isNull }: Metric): number[] {
  const out: number[] = []
  if (name !== undefined) lengthy(out, 1, [...new TextEncoder().encode(name)])
  if (alias !== undefined) number(out, 2, alias)
  number(out, 4, type)
  if (historical) number(out, 5, 1)
  if (isNull) number(out, 7, 1)
  if (typeof value === 'boolean') number(out, 14, value ? 1 : 0)
  else if (typeof value === 'string') lengthy(out, 15, [...new TextEncoder().encode(value)])
  else if (typeof value === 'number') writeNumber(out, type, value)
  return out
}

function writeNumber(out: number[], type: number, value: number): void {
  const view = new DataView(new ArrayBuffer(8))
  if (type === TYPES.float) {
    view.setFloat32(0, value, true)
    out.push(12 * 8 + 5, ...new Uint8Array(view.buffer, 0, 4))
  } else if (type === TYPES.double) {
    view.setFloat64(0, value, true)
    out.push(13 * 8 + 1, ...new Uint8Array(view.buffer))
  } else {
    const isLong =
      type === TYPES.int64 || type === TYPES.uint64 || type === TYPES.dateTime || type === TYPES.uint32
    number(out, isLong ? 11 : 10, value, isLong ? 64 : 32)
  }
}

function number(out: number[], field: number, value: number, bits = 64): void {
  varint(out, BigInt(field * 8))
  varint(out, BigInt.asUintN(bits, BigInt(Math.trunc(value))))
}

function lengthy(out: number[], field: number, bytes: number[]): void {
  varint(out, BigInt(field * 8 + 2))
  varint(out, BigInt(bytes.length))
  out.push(...bytes)
}

function varint(out: number[], value: bigint): void {
  let rest = value
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 0x80)
    rest >>= 7n
  }
  out.push(Number(rest))
}
