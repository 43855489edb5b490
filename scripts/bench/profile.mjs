// Which lines of the source the engine's CPU went to, from the profiles that --profile keeps.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { projectRoot } from '../build.mjs'

const hottest = 25

/** Prints, for each profile in a folder, the lines that took the most time themselves. */
export function printHotLines(folder) {
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith('.cpuprofile'))
    .sort()) {
    const profile = JSON.parse(readFileSync(join(folder, file), 'utf8'))
    const { lines, total } = linesOf(profile)
    console.log(`\n${file}: ${(total / 1000).toFixed(0)} ms busy`)
    for (const [line, us] of [...lines].sort((a, b) => b[1] - a[1]).slice(0, hottest)) {
      console.log(`  ${((100 * us) / total).toFixed(1).padStart(5)} %  ${line}`)
    }
  }
}

/** µs by line, leaving out the time in which nothing was to be done. */
function linesOf({ nodes, samples, timeDeltas }) {
  const interval = timeDeltas.reduce((sum, us) => sum + us, 0) / samples.length
  const maps = new Map()
  const lines = new Map()
  let total = 0
  for (const { callFrame, hitCount, positionTicks } of nodes) {
    if (callFrame.functionName === '(idle)') continue
    const ticked = positionTicks ?? [{ line: callFrame.lineNumber + 1, ticks: hitCount }]
    for (const { line, ticks } of ticked) {
      const place = placeOf(callFrame, line, maps)
      lines.set(place, (lines.get(place) ?? 0) + ticks * interval)
      total += ticks * interval
    }
  }
  return { lines, total }
}

function placeOf({ url, functionName }, line, maps) {
  if (!url.startsWith('file:')) return `${url || '(V8)'} ${functionName}`
  const path = fileURLToPath(url)
  if (!maps.has(path)) maps.set(path, mapOf(path))
  const entry = maps.get(path)?.findEntry(line - 1, 200)
  if (!entry?.originalSource) return `${relative(projectRoot, path)}:${line} ${functionName}`
  const source = relative(projectRoot, fileURLToPath(new URL(entry.originalSource, url)))
  return `${source}:${entry.originalLine + 1} ${functionName}`
}

function mapOf(path) {
  return existsSync(`${path}.map`)
    ? new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')))
    : undefined
}
