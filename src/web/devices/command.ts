// A command and what becomes of it, said in words: nothing is shown as done before the engine has said so.

import type { Element, Json } from '../../core/dispatch.ts'
import type { App } from '../app.ts'
import type { Said } from '../client.ts'
import { fieldsOf } from '../directory.ts'
import { h, setText } from '../dom.ts'

export interface Command {
  method: string
  resource: Element[]
  body?: Json
  /** Where its outcome is told. */
  said: HTMLElement
  button?: HTMLElement
  /** Said before it, where several are told at once. */
  whose?: string
}

/** Milliseconds for which good news stays; bad news stay until the next command. */
const GOOD = 4000

const UNCERTAIN = new Set(['uncertain', 'unconfirmed'])

export function saidLine(): HTMLElement {
  return h('p', { role: 'status', class: 'said' })
}

/** Sends it, unless the same button still waits. Gives whether it was taken. */
export async function runCommand(
  app: App,
  { method, resource, body, said, button, whose = '' }: Command,
): Promise<boolean> {
  const { words, client } = app
  if (button?.getAttribute('aria-busy') === 'true') return false
  if (!app.link.isOpen) {
    tell(said, 'bad', whose + words.t('not sent: the engine is offline'))
    return false
  }
  button?.setAttribute('aria-busy', 'true')
  tell(said, 'pending', whose + words.t('sending…'))
  const answer = await client.ask(method, resource, body)
  button?.removeAttribute('aria-busy')
  const isGood = answer.status < 300
  tell(said, isGood ? 'good' : 'bad', whose + outcome(app, answer))
  if (isGood) setTimeout(() => said.classList.contains('good') && tell(said, '', ''), GOOD)
  return isGood
}

function outcome({ words }: App, { status, body }: Said): string {
  if (status < 300) return words.t('taken ({0})', status)
  const { message, code, remedy } = fieldsOf(body)
  const reason =
    [message, remedy].filter((it) => typeof it === 'string').join(' – ') || words.t('No answer came in time.')
  if (UNCERTAIN.has(String(code)) || status === 502 || status === 504) {
    return words.t('not sure ({0}): {1}. Look at the state before you repeat it.', status, reason)
  }
  return words.t(status < 500 ? 'refused ({0}): {1}' : 'failed ({0}): {1}', status, reason)
}

function tell(said: HTMLElement, kind: string, text: string): void {
  said.className = `said ${kind}`
  setText(said, text)
}
