// What is shown to a browser that the engine does not know: how the two get to know each other.

import type { App } from './app.ts'
import { saidLine } from './devices/command.ts'
import { fieldsOf } from './directory.ts'
import { h, setText } from './dom.ts'
import { tunnel } from './help.ts'

export function pairingView(app: App): HTMLElement {
  const { words } = app
  const title = h('h2', {}, words.t('This engine does not know you'))
  if (isSecureContext) return h('section', { class: 'card prose pairing' }, title, ...paired(app))
  const why =
    'This page came over plain http, where browsers give no cryptography, so no key can be made. Open it from localhost, through a tunnel, or over https:'
  const port = location.port || '80'
  return h(
    'section',
    { class: 'card prose pairing' },
    title,
    h('p', {}, words.t(why)),
    h('pre', { tabindex: 0 }, tunnel()),
    h('p', {}, words.t('and then'), ' ', h('code', {}, `http://localhost:${port}/`)),
  )
}

function paired(app: App): HTMLElement[] {
  const { words } = app
  const said = saidLine()
  const code = h('input', {
    type: 'text',
    id: 'code',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'jstp-pair:did:key:z6Mk…#…',
  })
  const prints = h('div', {})
  const button = h('button', { type: 'submit', class: 'primary' }, words.t('Pair'))
  const say = (kind: string, text: string) => {
    said.className = `said ${kind}`
    setText(said, text)
  }
  const pair = async (event: Event) => {
    event.preventDefault()
    if (button.getAttribute('aria-busy') === 'true') return
    button.setAttribute('aria-busy', 'true')
    say('pending', words.t('sending…'))
    try {
      const { pairWith } = await import('./sealed.ts')
      await pairWith(app, code.value.trim(), ({ theirs, own }) => {
        say('pending', words.t('Say yes there; this page goes on by itself.'))
        prints.replaceChildren(
          h('p', {}, words.t('Compare: both screens must show the same two.')),
          h(
            'dl',
            { class: 'rows prints' },
            print(words.t('that engine'), theirs),
            print(words.t('this browser'), own),
          ),
        )
      })
    } catch (error) {
      const { message, details } = error as Error & { details?: never }
      say('bad', words.t(String(fieldsOf(details).message ?? message)))
    }
    button.removeAttribute('aria-busy')
  }
  if (app.keyProblem !== '') {
    const problem = words.t('The key of this browser cannot be used now: {0}', app.keyProblem)
    const again = h('button', { onclick: () => void app.sync() }, words.t('Try now'))
    return [h('p', { class: 'said bad' }, problem), again]
  }
  return [
    h(
      'p',
      {},
      words.t(
        'It shows its page to everybody, and everything else only to keys that it trusts. Pair this browser once:',
      ),
    ),
    h(
      'ol',
      {},
      h(
        'li',
        {},
        words.t('On the machine of the engine, type:'),
        h('pre', { tabindex: 0 }, "hormiga trust pair --allow '*,BIND ...'"),
      ),
      h(
        'li',
        {},
        h(
          'label',
          { for: 'code' },
          words.t('It prints a code that begins with jstp-pair: — put it here within two minutes:'),
        ),
        h('form', { class: 'toolbar', onsubmit: pair }, code, button),
      ),
    ),
    prints,
    said,
  ]
}

function print(name: string, value: string): HTMLElement {
  return h('div', {}, h('dt', {}, name), h('dd', {}, value))
}
