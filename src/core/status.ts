// The status codes of spec §4, and the error that stands for one.

import type { Json } from './dispatch.ts'

export const STATUS = {
  ACKNOWLEDGE: 100,
  NO_MORE_ANSWERS: 101,
  OK: 200,
  BAD_DISPATCH: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  UNKNOWN_METHOD: 405,
  NOT_ACCEPTABLE: 406,
  UNKNOWN_TRANSPORT: 409,
  FAILED: 500,
  NOT_SUPPORTED: 501,
  BAD_GATEWAY: 502,
  NOT_SPEAKING: 503,
  TIMEOUT: 504,
  VERSION: 505,
  NO_FORWARDING: 506,
} as const

/** Something that went wrong and is said with a status code. Thrown by a handler it becomes the answer. */
export class JstpError extends Error {
  /** One of `STATUS`. */
  readonly status: number
  /** More for the body of the answer, e.g. `{ code: 'offline' }`. */
  readonly details: { [key: string]: Json }

  constructor(
    status: number,
    message: string,
    details: { [key: string]: Json } = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'JstpError'
    this.status = status
    this.details = details
  }

  /** `{ message, ...details }` */
  get body(): Json {
    return { message: this.message, ...this.details }
  }
}
