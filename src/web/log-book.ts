// The latest records of the engine's log.

import type { Json } from '../core/dispatch.ts'

export interface Record {
  time: number
  level: 'debug' | 'info' | 'warn' | 'error'
  text: string
  fields?: { [name: string]: Json }
}

const RECORDS = 500

export class LogBook {
  records: Record[] = []

  replace(records: Json[]): void {
    this.records = (records as unknown as Record[]).slice(-RECORDS)
  }

  add(record: Json): void {
    this.records.push(record as unknown as Record)
    if (this.records.length > RECORDS) this.records.shift()
  }
}
