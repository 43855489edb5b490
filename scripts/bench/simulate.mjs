// Engines and clients on a virtual clock: who gets the next request, by different rules, and how full that makes the engines.

/** Numbers from 0 up to 1, the same for the same seed. */
export function seeded(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Things by time, the earliest first: a heap. */
class Agenda {
  #heap = []

  get size() {
    return this.#heap.length
  }

  add(at, run) {
    const heap = this.#heap
    let i = heap.push({ at, run }) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (heap[parent].at <= heap[i].at) break
      ;[heap[parent], heap[i]] = [heap[i], heap[parent]]
      i = parent
    }
  }

  next() {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (heap.length === 0) return first
    heap[0] = last
    for (let i = 0; ; ) {
      const left = 2 * i + 1
      let least = i
      for (const child of [left, left + 1])
        if (child < heap.length && heap[child].at < heap[least].at) least = child
      if (least === i) return first
      ;[heap[least], heap[i]] = [heap[i], heap[least]]
      i = least
    }
  }
}

/** Between asking and asked, and for a report. Seconds. */
const DELAY = 0.005
const PERIOD = 1
const RISE = 2
const FALL = 10
const CRITICAL = 0.95

/** One engine: does one thing after the other, and says once a second how much of it was work. */
class Engine {
  constructor(power) {
    this.power = power
    this.free = 0
    this.busy = 0
    this.isCritical = false
    this.since = undefined
    this.saturations = []
  }

  /** When it will be done. */
  take(now, work) {
    const seconds = work / this.power
    this.free = Math.max(now, this.free) + seconds
    this.busy += seconds
    return this.free
  }

  /** What it was busy with in the last period; what is still to be done is for later ones. */
  report(now) {
    const rest = Math.max(0, this.free - now)
    const done = this.busy - rest
    this.busy = rest
    const saturation = Math.min(1, done / PERIOD)
    this.saturations.push(saturation)
    const isOver = saturation >= (this.isCritical ? CRITICAL * 0.95 : CRITICAL)
    if (isOver === this.isCritical) this.since = undefined
    else {
      this.since ??= now
      if (now - this.since >= (isOver ? RISE : FALL) - PERIOD / 2) this.isCritical = isOver
    }
    return saturation
  }
}

/** How a client sees its engines. */
function views(engines) {
  return engines.map((engine) => ({
    engine,
    standing: 'good',
    isCritical: false,
    weight: 1,
    saturation: undefined,
    open: 0,
    at: 0,
  }))
}

/**
 * The rules. Each makes for a client, which knows `views`, what chooses one of them. `heard`: after a report, with the
 * seconds since the last one.
 */
export function rulesOf({ choose, weigh }) {
  const among = (all) => {
    const good = all.filter(({ isCritical }) => !isCritical)
    return good.length > 0 ? good : all
  }
  return {
    mesh: {
      pick: (client, random) => choose(client.views, random),
      heard: weigh,
    },
    random: { pick: ({ views }, random) => views[Math.floor(random() * views.length)] },
    'round-robin': { pick: (client) => client.views[client.turn++ % client.views.length] },
    'two by saturation': {
      pick: ({ views }, random) => {
        const all = among(views)
        const [a, b] = [0, 1].map(() => all[Math.floor(random() * all.length)])
        const burden = ({ load = 0, open }) => load + open / 100
        return burden(a) <= burden(b) ? a : b
      },
    },
    // What nobody can know: the power of every engine.
    best: {
      pick: ({ views }, random) => {
        let left = random() * views.reduce((sum, { engine }) => sum + engine.power, 0)
        const isIt = ({ engine }) => {
          left -= engine.power
          return left < 0
        }
        return views.find(isIt) ?? views[0]
      },
    },
  }
}

/**
 * One service.
 * @param options `powers` of its engines (work per second), `clients`, `load` (part of all the power), `size` of a request
 *   (work), `seconds`, `seed`
 * @returns the saturations of every engine, second by second
 */
export function simulate(rule, { powers, clients: count, load, size, seconds, seed }) {
  const random = seeded(seed)
  const agenda = new Agenda()
  const engines = powers.map((power) => new Engine(power))
  const clients = Array.from({ length: count }, () => ({
    views: views(engines),
    turn: Math.floor(random() * powers.length),
  }))
  const gap = (count * size) / (load * powers.reduce((sum, power) => sum + power, 0))
  const later = (mean) => -Math.log(1 - random()) * mean
  const ask = (client) => (now) => {
    const view = rule.pick(client, random)
    view.open++
    agenda.add(view.engine.take(now + DELAY, size * (0.5 + random())) + DELAY, () => void view.open--)
    agenda.add(now + later(gap), ask(client))
  }
  const report = (engine, index) => (now) => {
    const saturation = engine.report(now)
    for (const { views: all } of clients) {
      const view = all[index]
      view.load = saturation
      view.isCritical = engine.isCritical
      rule.heard?.(view, all, now - view.at)
      view.at = now
    }
    agenda.add(now + PERIOD, report(engine, index))
  }
  for (const client of clients) agenda.add(later(gap), ask(client))
  for (const [index, engine] of engines.entries()) agenda.add(PERIOD * random(), report(engine, index))
  for (let next = agenda.next(); next.at < seconds; next = agenda.next()) next.run(next.at)
  return engines.map(({ saturations }) => saturations)
}
