// The few things that browsers and Node both have and the core uses. Only for type-checking the core by itself.

interface AbortSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', run: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', run: () => void): void
}

declare class AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}
