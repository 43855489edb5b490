// The I2C bus of a board: which of its pins it takes, and what may be written to it.

import { type Json, JstpError, outOfRange, STATUS } from '#device'
import type { Pin } from './pins.ts'
import type { Message } from './protocol.ts'

/** Bytes that fit into one message to the board, which takes 64 of 7 bits. */
const MOST = 30

/** @throws {JstpError} 400 `{ code: "range" }` */
export function checkBytes(bytes: Json | undefined): number[] {
  const list = (bytes ?? []) as Json[]
  const isGood = list.every((byte) => Number.isInteger(byte) && Number(byte) >= 0 && Number(byte) <= 255)
  if (isGood && list.length <= MOST) return list as number[]
  throw outOfRange(`i2c: "write" is a list of up to ${MOST} bytes, each from 0 to 255`)
}

/** The pins that the bus takes. @throws {JstpError} 400 `{ code: "device" }` when it can't have them */
export function busPins(all: Pin[]): Pin[] {
  const pins = all.filter(({ can }) => can.i2c !== undefined)
  if (pins.length === 0) throw refused('the board has no I2C bus')
  const taken = pins.find(({ named }) => named)
  if (!taken) return pins
  throw refused(`the I2C bus needs pin ${taken.number}, which is "${taken.point}" in the configuration`)
}

/**
 * What was read. A board says in words that no chip has answered, and then tells bytes all the same.
 * @throws {JstpError} 400 `{ code: "device" }`
 */
export function bytesOf(reply: Message | undefined, address: number): number[] {
  if (reply?.is === 'i2c') return reply.bytes
  throw refused(`nothing answers at the I2C address ${address}`)
}

export function isReplyOf(address: number, message: Message): boolean {
  if (message.is === 'text') return message.text.startsWith('I2C')
  return message.is === 'i2c' && message.address === address
}

function refused(why: string): JstpError {
  return new JstpError(STATUS.BAD_DISPATCH, why, { code: 'device' })
}
