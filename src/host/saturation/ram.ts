// How full the memory is: /proc/meminfo, and what control groups leave of it.

import type { Group } from './groups.ts'
import type { Sources } from './sources.ts'
import { numberAfter, readPressure, toNumber, toRatio } from './text.ts'

export interface RamReading {
  /** 0–1 */
  used?: number
  /** Bytes that there are for us: of the computer, or of the tightest group. */
  total?: number
  /** Bytes that can be had without swapping, wherever it is tightest. */
  available?: number
  /** Bytes of swap in use. */
  swap?: number
  /** Part of the last 10 s in which some task waited for memory, 0–1. */
  pressure?: number
}

export class Ram {
  #sources: Sources
  #groups: Group[] = []

  constructor(sources: Sources) {
    this.#sources = sources
  }

  survey(groups: Group[]): void {
    this.#groups = groups.filter(({ memory }) => memory !== undefined)
  }

  read(): RamReading {
    const machine = this.#readMachine()
    if (!machine) return {}
    let { total, available } = machine
    for (const group of this.#groups) {
      const limit = group.memory as number
      const current = toNumber(this.#sources.follow(`${group.folder}/memory.current`))
      if (current === undefined) continue
      // Pages of files that nobody has used lately are given back as soon as somebody wants memory.
      const stat = this.#sources.follow(`${group.folder}/memory.stat`) ?? ''
      const cache = numberAfter(stat, 'inactive_file ') ?? 0
      total = Math.min(total, limit)
      available = Math.min(available, Math.max(0, limit - Math.max(0, current - cache)))
    }
    const { swap } = machine
    const pressure = readPressure(this.#sources, 'memory')
    return { used: toRatio(total - available, total), total, available, swap, pressure }
  }

  #readMachine(): { total: number; available: number; swap?: number } | undefined {
    const { platform, os } = this.#sources
    if (platform !== 'linux') return { total: os.totalmem(), available: os.freemem() }
    const text = this.#sources.follow('/proc/meminfo')
    if (text === undefined) return undefined
    const bytes = (word: string) => (numberAfter(text, `${word}:`) ?? 0) * 1024
    const total = bytes('MemTotal')
    // Kernels before 3.14 don't tell what can be had.
    const available = bytes('MemAvailable') || bytes('MemFree') + bytes('Buffers') + bytes('Cached')
    return total > 0 ? { total, available, swap: bytes('SwapTotal') - bytes('SwapFree') } : undefined
  }
}
