// What stands around every view: where one can go, whether the engine is there, what is wrong, and the way to stop.

import type { Json } from '../core/dispatch.ts'
import type { App } from './app.ts'
import { chartsView } from './charts.ts'
import { devicesView } from './devices/view.ts'
import { fieldsOf } from './directory.ts'
import { h, icon, setText } from './dom.ts'
import { helpView } from './help.ts'
import { inspectorView } from './inspector.ts'
import { logView } from './log.ts'
import { meshView } from './mesh.ts'
import { pairingView } from './pairing.ts'
import { stopBar } from './stop-bar.ts'

type View = (app: App) => HTMLElement

const VIEWS: Record<string, { title: string; view: View }> = {
  devices: { title: 'Devices', view: devicesView },
  charts: { title: 'Charts', view: chartsView },
  mesh: { title: 'Mesh', view: meshView },
  inspector: { title: 'Inspector', view: inspectorView },
  log: { title: 'Log', view: logView },
  help: { title: 'Help', view: helpView },
}

export class Frame {
  readonly #app: App
  readonly #root = document.getElementById('app') as HTMLElement

  constructor(app: App) {
    this.#app = app
  }

  /** @param isMoved somebody has gone to another view, and is to be at its start. */
  render(isMoved: boolean): void {
    const app = this.#app
    const { words } = app
    const name = VIEWS[location.hash.slice(1)] ? location.hash.slice(1) : 'devices'
    const { title, view } = VIEWS[name] as (typeof VIEWS)[string]
    document.documentElement.lang = words.language
    const focused = document.activeElement?.id
    const heading = h('h1', { tabindex: '-1' }, words.t(title))
    const content = app.isStranger && name !== 'help' ? pairingView(app) : view(app)
    const main = h('main', { id: 'main', class: `view ${name}` }, heading, content)
    this.#root.replaceChildren(
      h(
        'a',
        { class: 'skip', href: '#main', onclick: (event: Event) => skip(event, heading) },
        words.t('skip to the content'),
      ),
      this.#side(name),
      h('div', { class: 'page' }, this.#notices(), main),
      stopBar(app),
    )
    if (!isMoved) {
      // Who has changed something that all depends on stays where they are.
      if (focused) document.getElementById(focused)?.focus()
      return
    }
    scrollTo(0, 0)
    heading.focus()
  }

  #side(current: string): HTMLElement {
    const { words } = this.#app
    const engine = h('span', { class: 'engine-name' })
    this.#app.show('engine', (value) => {
      const { name } = fieldsOf(value)
      setText(engine, String(name ?? location.host))
      document.title = `${engine.textContent} · hormiga`
    })
    const links = Object.entries(VIEWS).map(([name, { title }]) =>
      h(
        'li',
        {},
        h(
          'a',
          { href: `#${name}`, 'aria-current': name === current ? 'page' : undefined },
          icon(name),
          h('span', {}, words.t(title)),
        ),
      ),
    )
    return h(
      'header',
      { class: 'side' },
      h('a', { class: 'brand', href: '#devices' }, icon('ant'), engine),
      h('nav', { 'aria-label': words.t('Views') }, h('ul', {}, ...links)),
      h('div', { class: 'foot' }, this.#status(), this.#language()),
    )
  }

  #status(): HTMLElement {
    const { words } = this.#app
    const text = h('span', {})
    const status = h('p', { class: 'link' }, h('span', { class: 'dot' }), text)
    this.#app.show('page/link', () => {
      const { isOpen, since, isNew } = this.#app.link
      status.classList.toggle('is-open', isOpen)
      const lost = isNew ? words.t('connecting…') : words.t('offline since {0}', words.time(since))
      setText(text, isOpen ? words.t('connected') : lost)
    })
    return status
  }

  #language(): HTMLElement {
    const { words } = this.#app
    const choose = ({ target }: Event) => this.#app.speak((target as HTMLSelectElement).value as 'en' | 'es')
    const option = (value: string, text: string) =>
      h('option', { value, lang: value, selected: words.language === value }, text)
    return h(
      'select',
      { class: 'language', id: 'language', 'aria-label': words.t('Language'), onchange: choose },
      option('en', 'English'),
      option('es', 'Español'),
    )
  }

  /** Offline, and alarms of all devices. Both are read aloud when they come. */
  #notices(): HTMLElement {
    const app = this.#app
    const { words } = app
    const offline = h('div', { role: 'status', class: 'offline' })
    const alarms = h('div', { role: 'alert', class: 'alerts' })
    app.show('page/link', () => {
      const { isOpen, since, isNew } = app.link
      document.body.classList.toggle('is-offline', !isOpen && !isNew)
      if (isOpen || isNew) return offline.replaceChildren()
      const text = words.t(
        'offline since {0}. It comes back by itself; what you see is what was last known.',
        words.time(since),
      )
      const retry = h('button', { class: 'quiet', onclick: () => app.client.probe() }, words.t('Try now'))
      offline.replaceChildren(icon('offline'), h('p', {}, text), retry)
    })
    const told = new Map<string, Json>()
    for (const { name, points } of app.things) {
      if (!points.some(({ resource }) => resource.join('/') === `${name}/alarms`)) continue
      const tell = () => {
        const isBlocked = app.store.get(`${name}/state`) === 'alarm'
        const found = app.store.get(`${name}/alarms`)
        told.set(name, isBlocked && Array.isArray(found) ? found : [])
        showAlarms(app, alarms, told)
      }
      app.show(`${name}/alarms`, tell)
      app.show(`${name}/state`, tell)
    }
    return h('div', { class: 'notices' }, offline, alarms)
  }
}

function showAlarms({ words }: App, box: HTMLElement, told: Map<string, Json>): void {
  const lines = [...told].filter(([, names]) => (names as Json[]).length > 0)
  const text = lines.map(
    ([name, names]) => `${name}: ${(names as string[]).map((it) => words.word(it)).join(', ')}`,
  )
  if (box.dataset.text === text.join()) return
  box.dataset.text = text.join()
  box.replaceChildren(
    ...text.map((line) =>
      h('p', { class: 'alert' }, icon('alarm'), h('strong', {}, words.t('Alarm')), ' ', line),
    ),
  )
}

function skip(event: Event, heading: HTMLElement): void {
  event.preventDefault()
  heading.focus()
}
