/** A step that did not go as expected. */
export class Failure extends Error {
  constructor(expected, got) {
    super(`expected ${expected} got ${got}`)
  }
}

export function show(value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 300 ? `${text.slice(0, 300)}… (${text.length} characters)` : text
}
