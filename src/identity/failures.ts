// What is said about what fails (spec B11): the table, as data.

/**
 * - `plain`: without protection, and without detail
 * - `protected`: signed, sealed or in the context, after the signature was verified (R6)
 * - `silent`: nothing, but it is counted
 */
export type Say = 'plain' | 'protected' | 'silent'

export interface Case {
  status: number
  say: Say
  /** `sec` of the body, for the 401s. */
  sec?: string
}

export const FAILURES = {
  /** Bad shape, outer and inner differ, the same name twice, over a limit. */
  shape: { status: 400, say: 'plain' },
  /** A mode that the rule does not allow. */
  mode: { status: 401, say: 'protected', sec: 'required' },
  /** Unknown or revoked. */
  key: { status: 401, say: 'protected', sec: 'key' },
  audience: { status: 401, say: 'protected', sec: 'audience' },
  /** Unknown v, m or s: no signature that could be verified, so no signed answer (R6). */
  suite: { status: 401, say: 'plain', sec: 'suite' },
  challenge: { status: 401, say: 'protected', sec: 'challenge' },
  context: { status: 401, say: 'plain', sec: 'context' },
  prekey: { status: 401, say: 'plain', sec: 'prekey' },
  right: { status: 403, say: 'protected' },
  statement: { status: 403, say: 'protected' },
  signature: { status: 0, say: 'silent' },
  sealed: { status: 0, say: 'silent' },
  replay: { status: 0, say: 'silent' },
  reflected: { status: 0, say: 'silent' },
  budget: { status: 0, say: 'silent' },
  /** An answer or event that belongs to nothing that is open here. */
  stray: { status: 0, say: 'silent' },
  /** Too many contexts, or too much held back. */
  full: { status: 0, say: 'silent' },
} as const satisfies Record<string, Case>

export type FailureName = keyof typeof FAILURES
