// The versions on this machine (design §9.27): that of the package, and beside it, in a folder of root's, the one in force and
// the one before. Every step leaves, whenever the power goes, the old version in force or the new one.
//
//   VERSION/   a version folder          current   a link to the one in force; none: the package's
//   previous   a link to the one before; none: the package's
//   trial      {to, from}: `current` is the new one and has not yet shown that it works
//   last       what became of the last update, for people

import { freshName, realVersionDisk, removeTree, replaceFile, type VersionDisk } from './disk.ts'
import { PROGRAM_LINK, type Update, UpdateError, type UpdateFiles } from './package.ts'
import { compareVersions, isVersion } from './version.ts'

/** A version; `null`: the package's. */
export type Which = string | null

export interface Trial {
  to: string
  from: Which
}

/** How the last update ended. */
export interface Last {
  version: string
  outcome: 'kept' | 'back'
  why: string
  /** Milliseconds since the epoch. */
  at: number
}

export interface VersionsOptions {
  /** `/var/lib/hormiga-versions` */
  folder: string
  /** The package's version folder: `/usr/lib/hormiga/engine`. */
  packaged: string
  /** Milliseconds since the epoch. */
  wall(): number
  disk?: VersionDisk
}

/** What stays free on the card, whatever an update needs. */
const RESERVE = 16 << 20
/** A file takes up whole blocks. */
const BLOCK = 4096
const MOST_READ = 4096

export class Versions {
  #folder: string
  #packaged: string
  #wall: () => number
  #disk: VersionDisk

  constructor({ folder, packaged, wall, disk = realVersionDisk }: VersionsOptions) {
    this.#folder = folder
    this.#packaged = packaged
    this.#wall = wall
    this.#disk = disk
  }

  /** The version of the package; `undefined`: there is none. */
  get packaged(): string | undefined {
    return this.#readVersion(this.#packaged)
  }

  /** Which is started: as `launch` chooses it. */
  get current(): Which {
    return this.#pointed('current') ?? null
  }

  /** Which a rollback goes to; the package's where that is newer. */
  get previous(): Which {
    const previous = this.#pointed('previous')
    if (previous === undefined || previous === this.#pointed('current')) return null
    return this.#unlessOlder(previous)
  }

  get trial(): Trial | undefined {
    const { to, from } = this.#readJson('trial') ?? {}
    return isVersion(to) && (from === null || isVersion(from)) ? { to, from } : undefined
  }

  get last(): Last | undefined {
    return this.#readJson('last') as Last | undefined
  }

  placeOf(which: Which): string {
    return which === null ? this.#packaged : `${this.#folder}/${which}`
  }

  /** For people. */
  nameOf(which: Which): string {
    return which ?? `${this.packaged ?? '?'} (the package's)`
  }

  /**
   * Whether it may take the place of what is in force. @param force older ones, too
   * @throws {UpdateError}
   */
  check({ version, after }: Pick<Update, 'version' | 'after'>, force: boolean): void {
    const { current, packaged } = this
    const now = current ?? packaged
    if (version === now) throw new UpdateError(`${version} is in force already`)
    if (force) return
    for (const [it, what] of [
      [current, 'in force'],
      [packaged, "the package's"],
    ] as const) {
      if (it != null && compareVersions(version, it) <= 0)
        throw new UpdateError(
          `${version} is not newer than ${it}, which is ${what}: root can still take it with --force`,
        )
    }
    if (now !== undefined && compareVersions(now, after) < 0)
      throw new UpdateError(
        `${version} replaces ${after} or newer, and here is ${now}: install one between them first`,
      )
  }

  /** Puts it beside the others, whole and on the disk. Nothing is in force by that. @throws {UpdateError} without space */
  install(version: string, files: UpdateFiles): void {
    if (this.#target('previous') === version) this.#point('previous', null)
    this.clean()
    const needed = [...files.values()].reduce((sum, { length }) => sum + length + BLOCK, RESERVE)
    const free = this.#disk.free(this.#folder)
    if (free < needed) {
      throw new UpdateError(
        `the card has ${toMB(free)} free, and ${toMB(needed)} are needed to be safe: df ${this.#folder}`,
      )
    }
    const fresh = freshName(this.#folder, version)
    this.#write(fresh, files)
    this.#disk.rename(fresh, `${this.#folder}/${version}`)
    this.#disk.syncFolder(this.#folder)
  }

  /** Puts an installed version in force, on trial. */
  begin(to: string): Trial {
    const trial = { to, from: this.current }
    // First: a new version is never in force without it.
    replaceFile(this.#disk, this.#folder, 'trial', JSON.stringify(trial))
    this.#point('current', to)
    return trial
  }

  /** The version on trial stays. `false`: it is not in force any more. */
  keep({ to, from }: Trial, why: string): boolean {
    if (this.current !== to || this.trial?.to !== to) return false
    this.#point('previous', from)
    this.#end({ version: to, outcome: 'kept', why })
    return true
  }

  /** The version before the trial is in force again. */
  back({ to, from }: Trial, why: string): void {
    this.#point('current', this.#unlessOlder(from))
    this.#end({ version: to, outcome: 'back', why })
  }

  /** By hand, to the version before. @returns it @throws {UpdateError} when there is none */
  rollback(): Which {
    const { current, previous } = this
    if (current === null) throw new UpdateError("the package's version is in force: there is none before it")
    this.#point('current', previous)
    this.#end({ version: current, outcome: 'back', why: 'by hand' })
    if (this.#target('previous') !== undefined) this.#point('previous', null)
    return previous
  }

  /** Removes what nobody needs: versions before the previous one, and what a power cut has left half done. Not during a trial. */
  clean(): void {
    const kept = [this.#target('current'), this.#target('previous')]
    const left = this.#disk.list(this.#folder).filter((name) => !kept.includes(name))
    const ours = left.filter((name) => name.startsWith('.') || isVersion(name))
    for (const name of ours) removeTree(this.#disk, `${this.#folder}/${name}`)
    if (ours.length > 0) this.#disk.syncFolder(this.#folder)
  }

  /** The newest of package and update wins. */
  #unlessOlder(which: Which): Which {
    const { packaged } = this
    if (which === null || packaged === undefined) return which
    return compareVersions(which, packaged) <= 0 ? null : which
  }

  #end(last: Omit<Last, 'at'>): void {
    replaceFile(this.#disk, this.#folder, 'last', JSON.stringify({ ...last, at: this.#wall() }))
    if (!this.#disk.look(`${this.#folder}/trial`)) return
    this.#disk.remove(`${this.#folder}/trial`)
    this.#disk.syncFolder(this.#folder)
  }

  #point(name: 'current' | 'previous', which: Which): void {
    const path = `${this.#folder}/${name}`
    if (which === null) {
      if (!this.#disk.look(path)) return
      this.#disk.remove(path)
    } else {
      const fresh = freshName(this.#folder, name)
      if (this.#disk.look(fresh)) this.#disk.remove(fresh)
      this.#disk.link(which, fresh)
      this.#disk.syncFolder(this.#folder)
      this.#disk.rename(fresh, path)
    }
    this.#disk.syncFolder(this.#folder)
  }

  /** Where a link leads, if a whole version is there. */
  #pointed(name: 'current' | 'previous'): string | undefined {
    const target = this.#target(name)
    return target && this.#disk.look(`${this.#folder}/${target}/hormiga.js`) === 'file' ? target : undefined
  }

  #target(name: 'current' | 'previous'): string | undefined {
    const path = `${this.#folder}/${name}`
    if (this.#disk.look(path) !== 'link') return undefined
    const target = this.#disk.readLink(path)
    return isVersion(target) ? target : undefined
  }

  #write(place: string, files: UpdateFiles): void {
    const folders = new Set<string>([place])
    this.#disk.makeFolder(place)
    for (const [path, content] of files) {
      let folder = place
      for (const part of path.split('/').slice(0, -1)) {
        folder += `/${part}`
        if (folders.has(folder)) continue
        this.#disk.makeFolder(folder)
        folders.add(folder)
      }
      this.#disk.create(`${place}/${path}`, content)
    }
    this.#disk.link(PROGRAM_LINK.target, `${place}/${PROGRAM_LINK.name}`)
    for (const folder of [...folders].reverse()) this.#disk.syncFolder(folder)
  }

  #readVersion(folder: string): string | undefined {
    const path = `${folder}/VERSION`
    if (this.#disk.look(path) !== 'file') return undefined
    const text = Buffer.from(this.#disk.read(path)).toString('utf8').trim()
    return isVersion(text) ? text : undefined
  }

  #readJson(name: string): Record<string, unknown> | undefined {
    const path = `${this.#folder}/${name}`
    if (this.#disk.look(path) !== 'file') return undefined
    const text = Buffer.from(this.#disk.read(path)).subarray(0, MOST_READ).toString('utf8')
    try {
      const value = JSON.parse(text)
      return typeof value === 'object' && value !== null ? value : undefined
    } catch {
      return undefined
    }
  }
}

function toMB(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
