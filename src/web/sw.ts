// The service worker: keeps what the page is made of, so that it opens without the engine. Nothing that an engine says is
// ever kept: that goes over the WebSocket, past this.

/** The files of this build and its name, put in by scripts/build.mjs. */
declare const ASSETS: string[]
declare const BUILD: string

interface WorkerEvent {
  waitUntil(work: Promise<unknown>): void
}

interface FetchEvent {
  request: Request
  respondWith(response: Promise<Response>): void
}

interface Worker {
  location: Location
  skipWaiting(): Promise<void>
  clients: { claim(): Promise<void> }
  addEventListener(type: 'install' | 'activate', listener: (event: WorkerEvent) => void): void
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void
}

const worker = globalThis as unknown as Worker

/** Milliseconds in which the engine has to send the page, before the one that is kept is shown. */
const PATIENCE = 2500

/** The engine varies by headers that make no difference to a file that is kept. */
const ANY = { ignoreVary: true }

worker.addEventListener('install', (event) => {
  const keep = async () => {
    const cache = await caches.open(BUILD)
    await cache.addAll(ASSETS.filter((path) => path !== '/'))
    await cache.put('/', await load())
    await worker.skipWaiting()
  }
  event.waitUntil(keep())
})

worker.addEventListener('activate', (event) => {
  const tidy = async () => {
    const names = await caches.keys()
    await Promise.all(names.filter((name) => name !== BUILD).map((name) => caches.delete(name)))
    await worker.clients.claim()
  }
  event.waitUntil(tidy())
})

worker.addEventListener('fetch', (event) => {
  const { request } = event
  const { pathname, origin } = new URL(request.url)
  if (request.method !== 'GET' || origin !== worker.location.origin || !ASSETS.includes(pathname)) return
  event.respondWith(pathname === '/' ? page() : kept(request))
})

/** Newest first: an engine that was updated has another page. */
async function page(): Promise<Response> {
  try {
    return await load()
  } catch {
    return (await caches.match('/', ANY)) ?? Response.error()
  }
}

/** Who doesn't ask for HTML gets a line of text. */
function load(): Promise<Response> {
  return fetch('/', { headers: { accept: 'text/html' }, signal: AbortSignal.timeout(PATIENCE) })
}

/** The names of files change with what is in them. */
async function kept(request: Request): Promise<Response> {
  return (await caches.match(request, ANY)) ?? fetch(request)
}
