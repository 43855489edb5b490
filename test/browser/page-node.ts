// The little of Node that the shared test files use, as a page can have it.

declare const XMLHttpRequest: new () => {
  responseText: string
  open(method: string, path: string, isAsync: boolean): void
  send(): void
}

export const randomUUID = (): string => crypto.randomUUID()

export const join = (...parts: string[]): string => parts.join('/')

export const existsSync = (): boolean => true

/** From the server of the page. */
export function readFileSync(path: string): string {
  const request = new XMLHttpRequest()
  request.open('GET', path, false)
  request.send()
  return request.responseText
}

export const Buffer = {
  from: (bytes: Uint8Array) => ({
    /** base64url, as the browser makes it. */
    toString: () =>
      btoa(String.fromCharCode(...bytes))
        .replaceAll('+', '-')
        .replaceAll('/', '_')
        .replaceAll('=', ''),
  }),
}
