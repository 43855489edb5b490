// What protecting and opening cost in process, each in turns with the bare primitives of node:crypto that it can't do
// without. argv: port (not used), "crypto", the bundle of parties.mjs.

import * as crypto from 'node:crypto'
import { importParties } from '../parties.mjs'
import { serve } from './serve.cjs'

const { idOf, identity } = await importParties(process.argv[4])

/** 200 bytes of JSON. */
const body = { value: 92.5, unit: 'C', state: 'ready', note: 'x'.repeat(148) }
const from = { channel: 'bench', isRelay: true }
const a = identity(0, [1])
const b = identity(1, [0])
/** As somebody would say it who asks often. */
const toB = Object.fromEntries(['ctx', 'sign', 'seal'].map((mode) => [mode, { key: idOf(1), mode }]))

function dispatch() {
  return { method: 'PUT', resource: ['cafetera', 'estado'], timestamp: Date.now(), token: [], body }
}

function wire(outer) {
  return JSON.parse(JSON.stringify(outer))
}

function only(results, kind) {
  const [result] = results
  if (results.length !== 1 || result.kind !== kind)
    throw new Error(`${kind} expected: ${JSON.stringify(results).slice(0, 300)}`)
  return result
}

/** Both know each other's prekey and challenge. */
function introduce(one, other) {
  const { reply } = only(other.open(wire(one.begin(other.id, 'id')), from), 'reply')
  only(one.open(wire(reply), from), 'learned')
}

/** Both halves of a handshake: what A sends, and what it makes of the answer. */
function shake() {
  const { reply } = only(b.open(wire(a.begin(b.id, 'context')), from), 'reply')
  only(a.open(wire(reply), from), 'learned')
}

function protect(mode) {
  return a.protect(dispatch(), toB[mode]).outer
}

function open(outer) {
  only(b.open(outer, from), 'request')
}

introduce(a, b)
introduce(b, a)
shake()
open(wire(protect('ctx')))

const ed25519 = crypto.generateKeyPairSync('ed25519')
const x25519 = [crypto.generateKeyPairSync('x25519'), crypto.generateKeyPairSync('x25519')]
const key = crypto.randomBytes(32)
const nonce = crypto.randomBytes(12)
const aad = crypto.randomBytes(33)
const tag = { authTagLength: 16 }
const padded = crypto.randomBytes(Buffer.from(protect('ctx').sec.ct, 'base64url').length - 16)
/** As much as is signed of the same dispatch. */
const signedLength = 118 + Buffer.from(protect('sign').sec.p, 'base64url').length
const sealed = bareSeal()

function bareSeal() {
  const cipher = crypto.createCipheriv('chacha20-poly1305', key, nonce, tag)
  cipher.setAAD(aad, { plaintextLength: padded.length })
  const text = cipher.update(padded)
  cipher.final()
  return { text, tag: cipher.getAuthTag() }
}

function bareOpen() {
  const decipher = crypto.createDecipheriv('chacha20-poly1305', key, nonce, tag)
  decipher.setAuthTag(sealed.tag)
  decipher.setAAD(aad, { plaintextLength: padded.length })
  const plain = decipher.update(sealed.text)
  decipher.final()
  return plain
}

/** No two alike: of one signature that comes again and again the processor knows every branch. */
function randomInput() {
  return crypto.randomBytes(signedLength)
}

function bareSign(input) {
  return crypto.sign(null, input, ed25519.privateKey)
}

function randomSigned() {
  const input = randomInput()
  return { input, signature: bareSign(input) }
}

function bareVerify({ input, signature }) {
  return crypto.verify(null, input, ed25519.publicKey, signature)
}

function bareAgree(side) {
  const [{ privateKey }, { publicKey }] = [x25519[side], x25519[1 - side]]
  return crypto.diffieHellman({ privateKey, publicKey })
}

function bareShake(both) {
  for (let side = 0; side < 2; side++) {
    crypto.generateKeyPairSync('x25519')
    bareSign(both[side].input)
    bareVerify(both[side])
    bareAgree(side)
  }
}

/** What a sealed dispatch can't do without, beside the derivation of its key. */
function bareSealed(input) {
  crypto.generateKeyPairSync('x25519')
  bareAgree(0)
  bareSign(input)
  bareSeal()
}

function bareUnsealed(signed) {
  bareAgree(1)
  bareOpen()
  bareVerify(signed)
}

/** What is compared. `material` is made before, and not measured: one for each call. */
const duels = {
  protect: { size: 4000, run: () => protect('ctx'), bare: bareSeal },
  unprotect: { size: 4000, material: () => wire(protect('ctx')), run: open, bare: bareOpen },
  sign: { size: 1000, run: () => protect('sign'), bareMaterial: randomInput, bare: bareSign },
  verify: {
    size: 600,
    material: () => wire(protect('sign')),
    run: open,
    bareMaterial: randomSigned,
    bare: bareVerify,
  },
  handshake: { size: 100, run: shake, bareMaterial: () => [randomSigned(), randomSigned()], bare: bareShake },
  seal: { size: 200, run: () => protect('seal'), bareMaterial: randomInput, bare: bareSealed },
  unseal: {
    size: 200,
    material: () => wire(protect('seal')),
    run: open,
    bareMaterial: randomSigned,
    bare: bareUnsealed,
  },
}

/** µs of CPU for each call. Everybody pays for his own garbage: before and after there is none. */
function cost(size, run, material = () => undefined) {
  const made = Array.from({ length: size }, material)
  globalThis.gc({ type: 'minor' })
  globalThis.gc({ type: 'minor' })
  const before = process.cpuUsage()
  for (let i = 0; i < size; i++) run(made[i])
  globalThis.gc({ type: 'minor' })
  const { user, system } = process.cpuUsage(before)
  return (user + system) / size
}

serve({
  /** @returns for each duel two lists of µs: turns that stood beside each other. */
  duels(turns) {
    const costs = {}
    for (const [name, { size, run, material, bare, bareMaterial }] of Object.entries(duels)) {
      costs[name] = { ours: [], bare: [] }
      for (let turn = -1; turn < turns; turn++) {
        const ours = cost(size, run, material)
        const theirs = cost(size, bare, bareMaterial)
        if (turn < 0) continue // still cold
        costs[name].ours.push(ours)
        costs[name].bare.push(theirs)
      }
    }
    return costs
  },
})
