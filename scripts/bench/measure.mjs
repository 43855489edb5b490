// What a figure is made of: time, the CPU and the memory of a process as Linux counts them, medians.

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export { sleep }

/** Milliseconds. */
export function now() {
  return performance.now()
}

/** User and system time of a process so far, all its threads, in µs. Resolves far finer than the ticks of `stat`. */
export function cpuOf(pid) {
  let ns = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0])
  }
  return ns / 1000
}

/** Resident memory of a process in MB (10^6 bytes). */
export function memoryOf(pid) {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return (Number(kib) * 1024) / 1e6
}

/**
 * Watches a counter for `ms`, after `warm` ms that don't count: the first second of a process is its slowest.
 * @returns `{rate, cpu}`: counts a second, and µs of CPU of the process for each.
 */
export async function watch(pid, count, { warm = 800, ms = 800 } = {}) {
  await sleep(warm)
  const start = { at: now(), cpu: cpuOf(pid), count: count() }
  await sleep(ms)
  const counted = count() - start.count
  if (counted === 0) throw new Error(`nothing came through in ${ms} ms`)
  return { rate: (counted / (now() - start.at)) * 1000, cpu: (cpuOf(pid) - start.cpu) / counted }
}

/** What lies at `share` (0 to 1) of a list of numbers. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Of two middle ones the mean, so that two rounds are not judged by their worse half. */
export function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
