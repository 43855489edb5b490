// Keys for the section `identity`: whoever is made here knows and trusts the others by number. Measured is the source,
// bundled as dist/ is: dist/index.js has no door to a single signature.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { projectRoot } from '../build.mjs'

const parts = `
  export { Engine, nodeEnv } from './src/index.ts'
  export { didOf } from './src/identity/did.ts'
  export { Guard } from './src/identity/guard.ts'
  export { Identity } from './src/identity/identity.ts'
  export { lastingPrekeys } from './src/identity/prekeys.ts'
  export { nodeProvider } from './src/identity/provider-node.ts'
  export { Trust } from './src/identity/trust.ts'
  export { readTrust } from './src/identity/trust-file.ts'`

/** What strangers may cause is no part of the figures. */
const settings = { verify: { rate: 1e9, burst: 1e9 } }

/** The keys that the server knows. */
export const subscribers = Array.from({ length: 100 }, (_, i) => i + 1)

const allow = [
  { method: ['*'], resource: ['...'] },
  { method: ['BIND'], resource: ['...'], events: ['*'] },
]

/** Writes the bundle of the parties. Returns where it is. */
export function bundleParts() {
  return bundleSource('identity', parts, {
    sourcemap: true,
    external: ['bufferutil', 'utf-8-validate'],
    banner: {
      js: "import { createRequire as makeRequire$ } from 'node:module'; const require = makeRequire$(import.meta.url);",
    },
  })
}

/** Writes what `contents` exports of the source as one file, `more` being options of esbuild. Returns where it is. */
export async function bundleSource(name, contents, more) {
  const folder = join(projectRoot, '.build/bench')
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${name}.mjs`)
  await build({
    stdin: { contents, resolveDir: projectRoot, loader: 'ts' },
    absWorkingDir: projectRoot,
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'silent',
    ...more,
  })
  return outfile
}

/** From that bundle: makes parties, each with the key of its number, who trust the others that are named to them. */
export async function importParties(file) {
  const parts = await import(pathToFileURL(file).href)
  const { didOf, Engine, Guard, Identity, lastingPrekeys, nodeEnv, nodeProvider, readTrust, Trust } = parts
  const signerOf = (number) => nodeProvider.signer(new Uint8Array(32).fill(number + 1))
  const idOf = (number) => didOf(signerOf(number).kid)
  const optionsOf = (number, others) => {
    const signer = signerOf(number)
    const keys = others.map((other) => ({ id: idOf(other), name: `party-${other}`, allow }))
    const file = readTrust({ v: 1, keys }, 'the trust file of the bench')
    const trust = new Trust(nodeProvider, signer.kid, { file, uptime: () => performance.now() })
    return { provider: nodeProvider, signer, trust, prekeys: lastingPrekeys(nodeProvider), settings }
  }
  return {
    idOf,
    /** No engine: protects and opens. */
    identity: (number, others) => new Identity({ ...optionsOf(number, others), env: nodeEnv() }),
    /** `number`: of its key; `undefined`: it has none. */
    engine: (number, others = []) =>
      new Engine({
        name: 'bench',
        guard: number === undefined ? undefined : new Guard(optionsOf(number, others)),
      }),
  }
}
