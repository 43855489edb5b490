// §9.28 The power is cut anywhere in the first start, and in a later one: the next start has a whole key, and one that was ever
// in use is never lost.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Keystore, openKeystore, peekKid } from '../../src/identity/keystore.ts'
import { nothingLearned } from '../../src/identity/trust.ts'
import { CutDisk, everyCut, type Tree } from './cut-disk.ts'

const FOLDER = '/var/lib/hormiga/keys'
const EMPTY: Tree = { '/var': 'd', '/var/lib': 'd', '/var/lib/hormiga': 'd' }
const LOCK = `${FOLDER}/lock`

const open = (disk: CutDisk): Keystore =>
  openKeystore({ folder: FOLDER, now: () => 0, serial: 'board-1', user: 0, disk: disk.keyDisk })

/** The process that held the lock is no more. */
const afterBoot = (tree: Tree): CutDisk => new CutDisk(tree[LOCK] ? { ...tree, [LOCK]: 'f4194304 1' } : tree)

const hex = (kid: Uint8Array | undefined) => kid && Buffer.from(kid).toString('hex')

let counted = 0

test('§9.28 a first start that is cut anywhere: the next has whole keys, and takes the key that is there', async () => {
  const { cut } = await everyCut(EMPTY, open)
  for (const tree of cut) {
    counted++
    const disk = afterBoot(tree)
    const before = tree[`${FOLDER}/identity.pem`] ? hex(peekKid(FOLDER, disk.keyDisk)) : undefined
    const { signer } = open(disk)
    if (before !== undefined) assert.is(hex(signer.kid), before)
  }
  assert.ok(counted > 50, `${counted} states`)
})

test('§9.28 once the keys are open the identity survives every cut, there and in later starts', async () => {
  let kid: string | undefined
  const { done } = await everyCut(EMPTY, (disk) => {
    kid = hex(open(disk).signer.kid)
  })
  assert.ok(done.length > 0)
  for (const tree of done) {
    counted++
    const first = afterBoot(tree)
    assert.is(hex(open(first).signer.kid), kid)
    const { cut } = await everyCut(afterBoot(tree).tree, (disk) => {
      const keys = open(disk)
      keys.saveLearned(nothingLearned())
      keys.close()
    })
    for (const later of cut) {
      counted++
      assert.is(hex(open(afterBoot(later)).signer.kid), kid)
    }
  }
  console.log(`note: ${counted} states of the key folder after a power cut`)
})

test.run()
