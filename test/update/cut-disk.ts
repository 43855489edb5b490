// A disk in memory that keeps what is safe apart from what is only remembered, and loses power at a given step (design §9.28).
// After a cut any of the changes of names since their folder was last synced may be on it, in their order, and of a content
// that was not synced anything.

import type { KeyDisk } from '../../src/identity/key-disk.ts'
import type { VersionDisk } from '../../src/update/disk.ts'

/** By path: `d` a folder, `l…` a link and where it leads, `f…` a file and what is in it. */
export type Tree = Record<string, string>

interface File {
  kind: 'file'
  content: string
  /** What may be there instead after a cut. */
  variants: string[]
}
interface Folder {
  kind: 'folder'
  seen: Names
  safe: Names
}
interface Link {
  kind: 'link'
  target: string
}
type Node = File | Folder | Link
type Names = Map<string, Node>
type Change = (names: Names) => void

export class PowerCut extends Error {}

const MOST_PENDING = 12

export class CutDisk {
  #root: Folder = { kind: 'folder', seen: new Map(), safe: new Map() }
  #pending: { folder: Folder; change: Change }[] = []
  #steps: number
  /** Bytes that are free, for who asks. */
  space = 1e9

  constructor(tree: Tree, steps = Infinity) {
    this.#steps = steps
    for (const path of Object.keys(tree).sort()) {
      const text = tree[path] as string
      const node: Node =
        text === 'd'
          ? { kind: 'folder', seen: new Map(), safe: new Map() }
          : text.startsWith('l')
            ? { kind: 'link', target: text.slice(1) }
            : { kind: 'file', content: text.slice(1), variants: [] }
      const { folder, name } = this.#parent(path)
      folder.seen.set(name, node)
      folder.safe.set(name, node)
    }
  }

  /** As a program sees it. */
  get tree(): Tree {
    return flatten(this.#root, ({ seen }) => seen)
  }

  /** Every state in which a cut may leave it now. */
  afterCut(): Tree[] {
    if (this.#pending.length > MOST_PENDING) throw new Error(`${this.#pending.length} changes are not synced`)
    const found = new Map<string, Tree>()
    for (let chosen = 0; chosen < 1 << this.#pending.length; chosen++) {
      const names = new Map<Folder, Names>()
      const namesOf = (folder: Folder) => {
        const known = names.get(folder) ?? new Map(folder.safe)
        names.set(folder, known)
        return known
      }
      this.#pending.forEach(({ folder, change }, index) => {
        if (chosen & (1 << index)) change(namesOf(folder))
      })
      for (const tree of variants(this.#root, namesOf)) found.set(keyOf(tree), tree)
    }
    return [...found.values()]
  }

  get versionDisk(): VersionDisk {
    return {
      look: (path) => this.#find(path)?.kind,
      read: (path) => this.#read(path),
      readLink: (path) => (this.#find(path) as Link).target,
      list: (path) => this.#list(path),
      makeFolder: (path) => this.#makeFolder(path),
      create: (path, content) => this.#create(path, content),
      link: (target, path) => this.#put(path, { kind: 'link', target }),
      rename: (from, to) => this.#rename(from, to),
      remove: (path) => this.#remove(path),
      removeFolder: (path) => {
        if (this.#list(path).length > 0) throw new Error(`ENOTEMPTY: ${path}`)
        this.#remove(path)
      },
      syncFolder: (path) => this.#sync(path),
      free: () => this.space,
    }
  }

  get keyDisk(): KeyDisk {
    return {
      look: (path) => {
        const node = this.#find(path)
        return node && { kind: node.kind, owner: 0, mode: node.kind === 'folder' ? 0o700 : 0o600 }
      },
      read: (path) => this.#read(path),
      list: (path) => this.#list(path),
      makeFolder: (path) => {
        const parts = path.split('/').slice(1)
        for (let count = 1; count <= parts.length; count++) {
          const at = `/${parts.slice(0, count).join('/')}`
          if (!this.#find(at)) this.#makeFolder(at)
        }
      },
      create: (path, content) => this.#create(path, content),
      rename: (from, to) => this.#rename(from, to),
      link: (from, to) => this.#put(to, this.#find(from) as Node),
      remove: (path) => this.#remove(path),
      syncFolder: (path) => this.#sync(path),
    }
  }

  #step(): void {
    if (this.#steps-- <= 0) throw new PowerCut('power cut')
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of path.split('/').filter(Boolean)) {
      while (node?.kind === 'link') throw new Error(`${path} leads through a link: not modelled`)
      node = node?.kind === 'folder' ? node.seen.get(name) : undefined
    }
    return node
  }

  #parent(path: string): { folder: Folder; name: string } {
    const at = path.lastIndexOf('/')
    const folder = this.#find(path.slice(0, at))
    if (folder?.kind !== 'folder') throw new Error(`ENOENT: ${path}`)
    return { folder, name: path.slice(at + 1) }
  }

  #change(folder: Folder, change: Change): void {
    this.#step()
    change(folder.seen)
    this.#pending.push({ folder, change })
  }

  #put(path: string, node: Node): void {
    const { folder, name } = this.#parent(path)
    if (folder.seen.has(name)) throw Object.assign(new Error(`EEXIST: ${path}`), { code: 'EEXIST' })
    this.#change(folder, (names) => names.set(name, node))
  }

  #makeFolder(path: string): void {
    this.#put(path, { kind: 'folder', seen: new Map(), safe: new Map() })
  }

  #create(path: string, bytes: Uint8Array): void {
    const content = Buffer.from(bytes).toString('latin1')
    const half = content.slice(0, content.length / 2)
    const file: File = {
      kind: 'file',
      content: '',
      variants: ['', half, content, '\0'.repeat(content.length)],
    }
    this.#put(path, file)
    this.#step()
    file.content = content
    this.#step()
    file.variants = []
  }

  #rename(from: string, to: string): void {
    const { folder, name } = this.#parent(from)
    const target = this.#parent(to)
    const node = folder.seen.get(name)
    if (!node) throw Object.assign(new Error(`ENOENT: ${from}`), { code: 'ENOENT' })
    if (target.folder !== folder) throw new Error('a rename into another folder: not modelled')
    this.#change(folder, (names) => {
      names.delete(name)
      names.set(target.name, node)
    })
  }

  #remove(path: string): void {
    const { folder, name } = this.#parent(path)
    if (!folder.seen.has(name)) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
    this.#change(folder, (names) => names.delete(name))
  }

  #sync(path: string): void {
    const folder = this.#find(path) as Folder
    this.#step()
    for (const { change } of this.#pending.filter((it) => it.folder === folder)) change(folder.safe)
    this.#pending = this.#pending.filter((it) => it.folder !== folder)
  }

  #read(path: string): Uint8Array {
    return Buffer.from((this.#find(path) as File).content, 'latin1')
  }

  #list(path: string): string[] {
    return [...(this.#find(path) as Folder).seen.keys()]
  }
}

export function keyOf(tree: Tree): string {
  return JSON.stringify(Object.entries(tree).sort())
}

/**
 * Runs it again and again, with the power cut one step later each time. @returns every state that is left by a cut, and by
 * none, and what was thrown if it was not a cut
 */
export async function everyCut(
  tree: Tree,
  run: (disk: CutDisk) => unknown,
): Promise<{ cut: Tree[]; done: Tree[] }> {
  const cut = new Map<string, Tree>()
  for (let steps = 0; ; steps++) {
    const disk = new CutDisk(tree, steps)
    const isDone = await Promise.resolve()
      .then(() => run(disk))
      .then(
        () => true,
        (error) => {
          if (!(error instanceof PowerCut)) throw error
          return false
        },
      )
    const left = disk.afterCut()
    if (isDone) return { cut: [...cut.values()], done: left }
    for (const it of left) cut.set(keyOf(it), it)
  }
}

function flatten(root: Folder, namesOf: (folder: Folder) => Names): Tree {
  const tree: Tree = {}
  const visit = (folder: Folder, path: string) => {
    for (const [name, node] of namesOf(folder)) {
      const at = `${path}/${name}`
      tree[at] = node.kind === 'folder' ? 'd' : node.kind === 'link' ? `l${node.target}` : `f${node.content}`
      if (node.kind === 'folder') visit(node, at)
    }
  }
  visit(root, '')
  return tree
}

/** One tree, or several where a content was not synced. */
function variants(root: Folder, namesOf: (folder: Folder) => Names): Tree[] {
  const open: [path: string, File][] = []
  const visit = (folder: Folder, path: string) => {
    for (const [name, node] of namesOf(folder)) {
      if (node.kind === 'folder') visit(node, `${path}/${name}`)
      if (node.kind === 'file' && node.variants.length > 0) open.push([`${path}/${name}`, node])
    }
  }
  visit(root, '')
  const tree = flatten(root, namesOf)
  const [path, file] = open[0] ?? []
  if (path === undefined || !file) return [tree]
  return file.variants.map((content) => ({ ...tree, [path]: `f${content}` }))
}
