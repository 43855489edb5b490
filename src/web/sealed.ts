// The page with a key of its own, for engines that answer nobody else. Loaded only where it is needed.

import { Engine, Guard, openIdentity, type PageIdentity } from '../browser-identity.ts'
import type { App } from './app.ts'

/** How the engine is called in this browser's own trust. */
const NAME = 'engine'
const PATIENCE = 120_000
const TURN = 1500

export interface Prints {
  theirs: string
  own: string
}

/** Pairs, waits until somebody at the engine has said yes, and goes on sealed. @throws {Error} saying why not. */
export async function pairWith(app: App, code: string, compare: (prints: Prints) => void): Promise<void> {
  await app.client.unprotect()
  const identity = await openIdentity()
  const guard = new Guard(identity)
  const engine = new Engine({ guard })
  try {
    const { fingerprint } = await identity.pin(code, NAME, [app.client.hop])
    await guard.pair(code)
    compare({ theirs: fingerprint, own: identity.fingerprint })
    for (const end = Date.now() + PATIENCE; ; await pause()) {
      const at = { key: NAME, deadline: 5000 }
      const { status } = await engine
        .get(['engine', 'directory'], at)
        .first()
        .catch(() => ({ status: 504 }))
      if (status === 200) break
      if (status === 403)
        throw new Error('Its key speaks, but may not look: allow it GET and BIND at the engine.')
      if (Date.now() > end) throw new Error('Nobody has said yes there.')
    }
  } finally {
    await engine.close(0)
    identity.close()
  }
  await goOn(app)
}

/** With the key of an earlier visit. `false`: there is none for this engine. @throws {Error} when another tab has it. */
export async function goOn(app: App): Promise<boolean> {
  const identity: PageIdentity = await openIdentity()
  if (!identity.trust.entries().some(({ name }) => name === NAME)) {
    identity.close()
    return false
  }
  app.client.protect(new Guard(identity), NAME, identity.close)
  await app.restart()
  return true
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, TURN))
}
