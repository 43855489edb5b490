// A project of a few lines with the real scripts in it, in a folder of its own, to break on purpose.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const copied = ['package.json', 'tsconfig.json', 'biome.json', '.gitignore', 'scripts']

const sources: { [path: string]: string } = {
  'src/core/door.ts': `// The engine.

/** Counts. */
export class Engine {
  readonly count = 1
}
`,
  'src/codec/json.ts': `// The codec.

import type { Engine } from '../core/door.ts'

export const encode = (engine: Engine): string => JSON.stringify(engine.count)
`,
  'src/transports/browser-ws.ts': `// The transport.

import { encode } from '../codec/json.ts'
import type { Engine } from '../core/door.ts'

export const send = (engine: Engine): string => encode(engine)
`,
  'src/device/index.ts': `// The door for devices.

export const device = (name: string) => ({ name, link: { medium: 'none' } })
`,
  'devices/lamp/device.ts': `// A lamp.

import { device } from '#device'

export default device('the lamp itself')
`,
  'devices/fan/device.ts': `// A fan.

import { device } from '#device'

export default device('the fan itself')
`,
  'src/main.ts': `// The program.

export async function load(name: string): Promise<string> {
  const found = (await import(\`../devices/\${name}/device.ts\`)) as { default: { name: string } }
  return found.default.name
}
`,
  'src/cli.ts': `#!/usr/bin/env node
// The command line.

import { Engine } from './core/door.ts'
import { load } from './main.ts'

console.log(new Engine().count, await load(process.argv[2] ?? 'lamp'))
`,
  'src/index.ts': `// The door for Node programs.

export { Engine } from './core/door.ts'
export { load } from './main.ts'
`,
  'src/browser.ts': `// The door for web pages.

export { Engine } from './core/door.ts'
export { send } from './transports/browser-ws.ts'
`,
  'src/web/app.ts': `// The page.

import { Engine } from '../browser.ts'

document.title = String(new Engine().count)
`,
  'src/web/sw.ts': `// What keeps the page.

declare const BUILD: string

console.log(BUILD)
`,
  'src/web/style.css': 'body {\n  margin: 0;\n}\n',
  'src/web/index.html': '<!doctype html>\n<script type="module" src="/.hormiga/app.js"></script>\n',
  'src/web/manifest.webmanifest': '{}\n',
  'src/web/icons/icon.svg':
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><title>an icon</title></svg>\n',
  'src/web/icons/icon-192.png': '',
  'src/web/icons/icon-512.png': '',
  'src/browser-identity.ts': `// The door for web pages with a key.

export * from './browser.ts'
`,
}

export interface Stub {
  readonly root: string
  /** Runs a program of Node's in the stub; resolves to its exit code and all it printed. */
  run(...args: string[]): { code: number | null; output: string }
  write(path: string, text: string): void
  remove(path?: string): void
}

/** Makes a project in which every check passes. `remove()` it at the end. */
export function makeStub(): Stub {
  const root = mkdtempSync(join(tmpdir(), 'hormiga-stub-'))
  // Not the benchmarks: they measure the real sources, which are not here.
  const filter = (path: string) => path !== 'scripts/bench'
  for (const path of copied) cpSync(path, join(root, path), { recursive: true, filter })
  symlinkSync(join(process.cwd(), 'node_modules'), join(root, 'node_modules'))
  const stub: Stub = {
    root,
    run(...args) {
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
      return { code: status, output: stdout + stderr }
    },
    write(path, text) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    },
    remove(path = '') {
      rmSync(join(root, path), { recursive: true, force: true })
    },
  }
  for (const [path, text] of Object.entries(sources)) stub.write(path, text)
  return stub
}
