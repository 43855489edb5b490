// What the core needs from the world. It is handed in, so that nothing is global and tests hold every string.

import type { Clock } from './clock.ts'
import type { Meters } from './meters.ts'

/** Where log lines go. `fields` are for machines, the text is for people. */
export interface Log {
  debug(text: string, fields?: object): void
  info(text: string, fields?: object): void
  warn(text: string, fields?: object): void
  error(text: string, fields?: object): void
}

/** Says nothing: a library is silent unless it is given a log. */
export const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} }

export interface Random {
  /** A fresh UUID (version 4). */
  uuid(): string
  /** From 0 up to, not including, 1. For jitter only. */
  fraction(): number
}

export interface Env {
  clock: Clock
  log: Log
  random: Random
  meters: Meters
}
