// Bodies of HTTP requests, in both directions: what a client may send and wants back, read within bounds.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Held } from '../codec/held.ts'
import { JstpError, STATUS } from '../core/status.ts'

/** A whole dispatch. */
export const JSTP = 'application/jstp+json'

const NOT_ACCEPTED = 406
const TOO_BIG = 413
const WRONG_TYPE = 415
const BUSY = 503
/** As many bodies of the biggest size may be under way at a time. */
const AT_ONCE = 16

/** How a client wants what comes back: all of it, one line of JSON each, or as server-sent events. */
export type Form = 'json' | 'lines' | 'events'

const FORMS: { [type: string]: Form } = {
  '*/*': 'json',
  'application/*': 'json',
  'application/json': 'json',
  [JSTP]: 'json',
  'application/x-ndjson': 'lines',
  'application/ndjson': 'lines',
  'application/jsonl': 'lines',
  'text/event-stream': 'events',
}

/** The form that a client likes best. @throws {JstpError} 406 when it takes none of ours. */
export function formFor(accept: string | undefined): Form {
  if (accept === undefined || accept === '*/*') return 'json'
  let best: { form: Form; weight: number } | undefined
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    const form = Object.hasOwn(FORMS, type) ? FORMS[type] : undefined
    const weight = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)
    if (form && weight > (best?.weight ?? 0)) best = { form, weight }
  }
  if (best) return best.form
  throw new JstpError(
    NOT_ACCEPTED,
    'none of what you accept is spoken here: application/json, application/x-ndjson or text/event-stream',
  )
}

/** `application/json`, in lower case and without parameters; '' where nothing is said. */
export function typeOf({ headers }: IncomingMessage): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

/** Reads bodies, all of them together within a bound. */
export class Bodies {
  #limit: number
  #reading = 0

  /** `limit`: bytes of one body. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /**
   * The text of a body in JSON.
   * @throws {JstpError} 413 and 415 before anything is read, 400 when it is no UTF-8
   */
  async read(request: IncomingMessage, response: ServerResponse): Promise<string> {
    checkType(request)
    const length = Number(request.headers['content-length'] ?? 0)
    if (length > this.#limit) throw this.#tooBig()
    if (this.#reading + length > AT_ONCE * this.#limit)
      throw new JstpError(BUSY, 'too much is being sent here at present: try again in a second')
    if (request.headers.expect !== undefined) response.writeContinue()
    const held = new Held(this.#limit)
    try {
      await this.#fill(held, request)
      return new TextDecoder('utf-8', { fatal: true }).decode(held.bytes)
    } catch (error) {
      if (error instanceof JstpError) throw error
      throw new JstpError(STATUS.BAD_DISPATCH, 'the body must be JSON in UTF-8, and whole')
    } finally {
      this.#reading -= held.length
    }
  }

  /** Stops at the limit, and leaves the connection as it is: something is still to be said over it. */
  #fill(held: Held, request: IncomingMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      const take = (chunk: Buffer) => {
        this.#reading -= held.length
        held.add(chunk)
        this.#reading += held.length
        if (!held.isOver && this.#reading <= AT_ONCE * this.#limit) return
        request.pause().off('data', take)
        reject(this.#tooBig())
      }
      request.on('data', take).once('end', resolve).once('error', reject)
    })
  }

  #tooBig(): JstpError {
    return new JstpError(
      TOO_BIG,
      `a body of more than ${this.#limit} bytes: "limits.frame" in the configuration`,
    )
  }
}

function checkType(request: IncomingMessage): void {
  const type = typeOf(request)
  const encoding = request.headers['content-encoding'] ?? 'identity'
  const charset = /;\s*charset="?([^";\s]+)/i.exec(request.headers['content-type'] ?? '')?.[1] ?? 'utf-8'
  const isJson = type === '' || type === 'application/json' || type.endsWith('+json')
  if (isJson && encoding === 'identity' && /^(utf-?8|us-ascii)$/i.test(charset)) return
  throw new JstpError(
    WRONG_TYPE,
    `send JSON, in UTF-8 and not compressed: Content-Type: application/json (curl --json '…'), not "${type}"`,
  )
}
