// How well the mesh's rule of choice shares work among engines of unequal power: engines and clients on a virtual clock.
// `node scripts/bench/sections/balance.mjs` draws src/mesh/balance.svg.

import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { projectRoot } from '../../build.mjs'
import { rulesOf, simulate } from '../simulate.mjs'

/** Seconds that the rules have to find the split, and over which saturation is averaged. */
const SETTLE = 30
const WINDOW = 10
const SECONDS = 90

const scenarios = {
  // Everybody hears the same: who turns at once turns together.
  herd: { count: 1, powers: [1, 4], clients: 2000, load: 0.7, size: 0.01 },
  many: { count: 250, powers: [1, 1, 2, 2, 4, 4, 8, 8], clients: 16, load: 0.7, size: 0.25 },
  near: { count: 4, powers: [1, 2, 4], clients: 500, load: 0.88, size: 0.01 },
}

const names = ['mesh', 'random', 'round-robin', 'two by saturation', 'best']

async function loadRules() {
  const entryPoints = [join(projectRoot, 'src/mesh/choose.ts')]
  const { outputFiles } = await build({
    entryPoints,
    bundle: true,
    format: 'esm',
    write: false,
    logLevel: 'silent',
  })
  return rulesOf(await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`))
}

/** The saturation of the worst engine, window by window, and how much an engine's goes up and down. */
function judge(saturations) {
  const steady = saturations.map((seconds) => seconds.slice(SETTLE))
  const windows = Math.floor(Math.min(...steady.map(({ length }) => length)) / WINDOW)
  const worst = Array.from({ length: windows }, (_, i) =>
    Math.max(...steady.map((seconds) => mean(seconds.slice(i * WINDOW, (i + 1) * WINDOW)))),
  )
  return { worst: mean(worst), swing: Math.max(...steady.map(deviation)) }
}

function run(rule, { count, ...scenario }) {
  const judged = Array.from({ length: count }, (_, seed) =>
    judge(simulate(rule, { ...scenario, seconds: SECONDS, seed })),
  )
  return { worst: mean(judged.map(({ worst }) => worst)), swing: mean(judged.map(({ swing }) => swing)) }
}

export const balance = {
  title:
    'choice among engines of unequal power, simulated: saturation of the worst one (0.7 would be ideal, 0.88 for `near`) and how much it swings',
  once: true,
  async round() {
    const rules = await loadRules()
    const figures = {}
    for (const [scenario, options] of Object.entries(scenarios)) {
      for (const name of names) {
        const { worst, swing } = run(rules[name], options)
        figures[`${scenario}, ${name}: worst`] = worst
        if (scenario === 'herd') figures[`${scenario}, ${name}: swing`] = swing
      }
    }
    return figures
  },
  judged: [
    // As if work were a liquid: then all would have the load of the whole.
    ...Object.entries(scenarios).map(([scenario, { load }]) => ({
      name: `worst in ${scenario}, mesh / ideal`,
      of: (r) => r[`${scenario}, mesh: worst`] / load,
      most: 1.1,
    })),
    ...names.slice(1).map((name) => ({
      name: `worst in many, ${name} / ideal`,
      of: (r) => r[`many, ${name}: worst`] / scenarios.many.load,
    })),
    {
      name: 'swing in herd, mesh / best',
      of: (r) => r['herd, mesh: swing'] / r['herd, best: swing'],
      most: 1.5,
    },
    {
      name: 'swing in herd, two / best',
      of: (r) => r['herd, two by saturation: swing'] / r['herd, best: swing'],
    },
  ],
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function deviation(values) {
  const middle = mean(values)
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)))
}

const COLORS = { mesh: '#0b6e4f', random: '#c8553d', 'two by saturation': '#e0a030', best: '#7a8ca3' }
const [WIDTH, HEIGHT, LEFT, TOP] = [640, 240, 40, 30]

/** Saturation of both engines of `herd`, by three rules. */
async function draw() {
  const rules = await loadRules()
  const x = (second) => LEFT + (second / SECONDS) * (WIDTH - LEFT - 10)
  const y = (saturation) => TOP + (1 - saturation) * (HEIGHT - TOP - 25)
  const lines = Object.entries(COLORS).map(([name, color], index) => {
    const engines = simulate(rules[name], { ...scenarios.herd, seconds: SECONDS, seed: 1 })
    const path = (seconds) =>
      seconds.map((saturation, second) => `${x(second).toFixed(0)},${y(saturation).toFixed(0)}`).join(' ')
    const shape = engines.map((seconds) => `<polyline points="${path(seconds)}" stroke="${color}"/>`).join('')
    return `${shape}<text x="${LEFT + index * 150}" y="18" fill="${color}">${name}</text>`
  })
  const grid = [0, 0.5, 1].map(
    (at) =>
      `<text x="8" y="${y(at) + 4}">${at}</text><path d="M${LEFT} ${y(at)}H${WIDTH - 10}" stroke="#ddd"/>`,
  )
  const label = `<text x="${WIDTH - 10}" y="${HEIGHT - 6}" text-anchor="end">${SECONDS} s</text>`
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">` +
    '<title>Saturation of two engines, one four times as strong, with 2,000 clients, by rule of choice</title>' +
    `<rect width="100%" height="100%" fill="#fff"/>${grid.join('')}${label}` +
    `<g fill="none" stroke-width="1.5">${lines.map((line) => line.replace(/<text.*/, '')).join('')}</g>` +
    `${lines.map((line) => /<text.*/.exec(line)[0]).join('')}</svg>\n`
  )
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  writeFileSync(join(projectRoot, 'src/mesh/balance.svg'), await draw())
}
