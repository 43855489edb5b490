// The status of the machine: what its 13 bytes say, which of our words that is, and what keeps it from brewing.

import { ACCESSORIES, type Accessory, ALARMS, type Flag, REQUEST, STATE, SWITCHES } from './tables.ts'

/** The states of every coffee machine (design §3). */
export const STATES = [
  'off',
  'starting',
  'ready',
  'brewing',
  'cleaning',
  'descaling',
  'stopping',
  'alarm',
  'unknown',
] as const
export type StateWord = (typeof STATES)[number]

export interface Status {
  /** Undefined where the machine doesn't say (V1). */
  accessory: Accessory | undefined
  switches: string[]
  alarms: string[]
  /** One of `STATE`. */
  state: number
  /** Number of the step inside the state. */
  step: number
  /** 0 to 100. */
  percent: number
}

/** The status in a payload of Monitor V2 or V1; undefined when it is none. */
export function decodeStatus(payload: Uint8Array): Status | undefined {
  const byte = (at: number) => payload[at] ?? 0
  const word = (at: number) => byte(at) | (byte(at + 1) << 8)
  if (payload[0] === REQUEST.monitor && payload.length >= 12) {
    // Offsets here are those of the payload: two less than those of the frame.
    const switches = word(3)
    return {
      accessory: ACCESSORIES[byte(2)],
      // With bit 11 set, bits 2 and 9 mean nothing.
      switches: names(SWITCHES, switches & 0x800 ? switches & ~0x204 : switches),
      alarms: names(ALARMS, word(5) | (word(10) << 16)),
      state: byte(7),
      step: byte(8),
      percent: Math.min(100, byte(9)),
    }
  }
  if (payload[0] === REQUEST.monitorV1 && payload.length >= 9) {
    return {
      accessory: undefined,
      switches: names(SWITCHES, word(7)),
      alarms: names(ALARMS, word(2)),
      state: byte(6),
      step: 0,
      percent: 0,
    }
  }
  return undefined
}

/** Our word for a status and how far it is. The order matters: a machine that descales has alarms all the while. */
export function derive(status: Status): { state: StateWord; progress: number } {
  const { state, step, percent } = status
  switch (state) {
    case STATE.turningOn:
    case STATE.recovery:
      return { state: 'starting', progress: percent }
    case STATE.shuttingDown:
      return { state: 'stopping', progress: percent < 100 ? percent : Math.min(100, step * 10) }
    case STATE.rinsing:
    case STATE.milkCleaning:
      return { state: 'cleaning', progress: percent }
    case STATE.descaling:
      return { state: 'descaling', progress: percent }
  }
  if (isBrewing(status)) return { state: 'brewing', progress: percent }
  // Reminders are no alarm: the machine that shows them is off, or ready.
  if (status.alarms.some((name) => remedyOf(ALARMS, name))) return { state: 'alarm', progress: 0 }
  if (state === STATE.off) return { state: 'off', progress: 0 }
  return { state: state === STATE.ready ? 'ready' : 'unknown', progress: 0 }
}

export function isBrewing({ state, step }: Status): boolean {
  return (
    state === STATE.steamPreparation ||
    state === STATE.milkPreparation ||
    state === STATE.hotWater ||
    state === STATE.chocolate ||
    (state === STATE.ready && step !== 0)
  )
}

/** As `isBrewing`, without the last step: it shows 14 and 100 % when a drink is finished or cancelled. */
export function isPouring(status: Status): boolean {
  const { state, step, percent } = status
  return isBrewing(status) && !(state === STATE.ready && step === 14 && percent === 100)
}

export function isOn({ state }: Status): boolean {
  return state !== STATE.off && state !== STATE.shuttingDown
}

/** What has to be done before it can brew: name and remedy of every blocking alarm and switch. */
export function blockers(status: Status): { name: string; remedy: string }[] {
  const found: { name: string; remedy: string }[] = []
  for (const [names, flags] of [
    [status.alarms, ALARMS],
    [status.switches, SWITCHES],
  ] as const) {
    for (const name of names) {
      const remedy = remedyOf(flags, name)
      if (remedy) found.push({ name, remedy })
    }
  }
  return found
}

/** Bits 11 and 12 of the switches have no name and are left out. */
function names(flags: (Flag | undefined)[], bits: number): string[] {
  return flags.flatMap((flag, bit) => (flag && (bits >>> bit) & 1 ? [flag.name] : []))
}

function remedyOf(flags: (Flag | undefined)[], name: string): string | undefined {
  return flags.find((flag) => flag?.name === name)?.remedy
}
