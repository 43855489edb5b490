// What the page promises, how it is used without a mouse, and whether it can be installed here.

import type { App } from './app.ts'
import { h, svg } from './dom.ts'
import { install } from './install.ts'

const LOCAL = /^(localhost|127\..*|\[::1\])$/

export function helpView(app: App): HTMLElement {
  const { words } = app
  const paragraphs = [
    'The page speaks JSTP, like everybody else: what you press becomes a dispatch, what you see are answers and reports. The inspector shows all of them.',
    'Nothing here is a guess: a value changes when the machine reports it. Grey values are what was last heard of something that is away.',
    'When the connection breaks the page says since when, and comes back by itself.',
  ]
  const card = (title: string, ...parts: (Node | false)[]) =>
    h('section', { class: 'card prose' }, h('h2', {}, words.t(title)), ...parts.filter((it) => it !== false))
  return h(
    'div',
    { class: 'stack' },
    engineCard(app, card('This engine')),
    card('How this page works', ...paragraphs.map((it) => h('p', {}, words.t(it)))),
    installCard(app, card('Install this page')),
    card(
      'Keyboard',
      h(
        'p',
        {},
        words.t('Tab moves, Enter and Space press, arrows move sliders. Alt+Shift+S: to the stop button.'),
      ),
    ),
  )
}

/** Who this is, to be compared with what the console of the computer shows; and the way here for a telephone. */
function engineCard(app: App, card: HTMLElement): HTMLElement {
  const box = h('div', {})
  card.append(box)
  app.show('engine', (value) => {
    const { fingerprint, id } = (value ?? {}) as { fingerprint?: string; id?: string }
    box.replaceChildren(
      h('p', {}, app.words.t('Its fingerprint; it must be the one that its console shows:')),
      h('p', {}, h('code', {}, fingerprint ?? '…')),
      h('p', { class: 'muted' }, id ?? ''),
    )
  })
  if (!LOCAL.test(location.hostname)) void drawWay(app, card)
  return card
}

async function drawWay(app: App, card: HTMLElement): Promise<void> {
  const { encode } = await import('uqr')
  const { data, size } = encode(location.origin, { border: 2 })
  const d = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : []))).join('')
  const label = app.words.t('QR code of {0}', location.origin)
  card.append(
    h('p', {}, app.words.t('The way here, for a telephone in this network:')),
    svg(
      'svg',
      { class: 'qr', viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': label },
      svg('rect', { width: size, height: size, fill: '#fff' }),
      svg('path', { d, fill: '#000' }),
    ),
  )
}

/** How a page that came by plain http from elsewhere gets what browsers give only to localhost. */
export function tunnel(): string {
  const port = location.port || '80'
  return `ssh -L ${port}:localhost:${port} ${location.hostname}`
}

function installCard(app: App, card: HTMLElement): HTMLElement {
  const { words } = app
  const box = h('div', {})
  card.append(box)
  app.show('page/install', (value) => {
    const state = String(value)
    const button = h('button', { class: 'primary', onclick: () => void install() }, words.t('Install'))
    const text: Record<string, string> = {
      no: words.t(
        'Not here: browsers install pages only over https, or from localhost. This one came by plain http from {0}. Give the engine a certificate, or open it through a tunnel: {1}',
        location.hostname,
        tunnel(),
      ),
      yes: words.t('It opens like an app, also when the engine is off.'),
      menu: words.t('Use the menu of your browser: "Install" or "Add to home screen".'),
      done: words.t('It is installed.'),
    }
    box.replaceChildren(h('p', {}, text[state] ?? ''), state === 'yes' ? button : '')
  })
  return card
}
