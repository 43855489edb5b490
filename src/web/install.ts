// The page as an app. A browser says when it can be installed; the page offers it where people look for it.

import type { Store } from './store.ts'

/** What Chromium's `beforeinstallprompt` brings. */
interface Prompt extends Event {
  prompt(): Promise<unknown>
}

let prompt: Prompt | undefined

/** `page/install` is "no" (plain http), "yes" (it can be offered), "done", or "menu" (only the browser's own menu has it). */
export function offerInstall(store: Store): void {
  store.set('page/install', isInstalled() ? 'done' : isSecureContext ? 'menu' : 'no')
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault()
    prompt = event as Prompt
    store.set('page/install', 'yes')
  })
  addEventListener('appinstalled', () => store.set('page/install', 'done'))
  if (isSecureContext)
    navigator.serviceWorker?.register('/.hormiga/sw.js', { scope: '/' }).catch(() => undefined)
}

export async function install(): Promise<void> {
  await prompt?.prompt()
}

function isInstalled(): boolean {
  return matchMedia('(display-mode: standalone)').matches
}
