// The control groups (version 2) that this process is in: what a container or a service may use of the computer.

import type { Mount } from './mounts.ts'
import type { Sources } from './sources.ts'
import { toNumber } from './text.ts'

/** What one group allows. */
export interface Group {
  folder: string
  /** Bytes: `memory.max`, or `memory.high`, above which the kernel slows it down. */
  memory?: number
  /** Cores: the quota of `cpu.max`. */
  cores?: number
}

/** Groups inside each other are few. */
const DEPTH = 16

/** Our group and those around it that set a limit, innermost first. */
export function findGroups(sources: Sources, mounts: Mount[]): Group[] {
  const mount = mounts.find(({ type }) => type === 'cgroup2')
  const path = /^0::(\/.*)$/m.exec(sources.read('/proc/self/cgroup') ?? '')?.[1]
  if (!mount || path === undefined) return []
  const groups: Group[] = []
  const names = within(path, mount.root).split('/').filter(Boolean)
  for (let depth = Math.min(names.length, DEPTH); depth >= 0; depth--) {
    const folder = [mount.point, ...names.slice(0, depth)].join('/')
    const limits = ['memory.max', 'memory.high'].map((file) => toNumber(sources.read(`${folder}/${file}`)))
    const memory = Math.min(...limits.map((limit) => limit ?? Number.POSITIVE_INFINITY))
    const cores = toCores(sources.read(`${folder}/cpu.max`))
    if (memory < Number.POSITIVE_INFINITY || cores) {
      groups.push({ folder, ...(memory < Number.POSITIVE_INFINITY && { memory }), ...(cores && { cores }) })
    }
  }
  return groups
}

/** Below the mount: a container may see only a part of the tree. */
function within(path: string, root: string): string {
  if (root === '/') return path
  return path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : path
}

/** Of `50000 100000`: half a core; of `max 100000`: `undefined`. */
function toCores(text: string | undefined): number | undefined {
  const [quota, period] = text?.split(' ').map(Number) ?? []
  return quota && period ? quota / period : undefined
}
