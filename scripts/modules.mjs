// Exits 0 when node_modules holds what package-lock.json says, so that nothing is installed twice or while offline.
// Compares versions, not times: a fresh clone and a touched file look alike to a clock.

import { readFileSync } from 'node:fs'

function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch (error) {
    if (error.code === 'ENOENT') return {}
    throw error
  }
}

const wanted = packagesOf('package-lock.json')
const installed = packagesOf('node_modules/.package-lock.json')
const isStale = ([path, { version, optional }]) =>
  path !== '' && installed[path]?.version !== version && !(optional && !installed[path])
const stale = Object.entries(wanted).filter(isStale)
process.exitCode = stale.length === 0 ? 0 : 1
