// The primitives against the vectors of their RFCs, and against Project Wycheproof where its files are at hand
// (HORMIGA_WYCHEPROOF), on every provider that runs in Node.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fromText, toText } from '../../src/identity/base64url.ts'
import { ascii, concat } from '../../src/identity/bytes.ts'
import { expand, extract, hkdf } from '../../src/identity/hkdf.ts'
import { hpkeOpen, hpkeSeal, schedule } from '../../src/identity/hpke.ts'
import { keyFault, strictVerifier } from '../../src/identity/keys.ts'
import { hex, node, providers, range, toHex, web } from './kit.ts'

const FOLDER = process.env.HORMIGA_WYCHEPROOF

const NONE = new Uint8Array(0)

/** RFC 8032 §7.1: secret, public, message, signature. */
const ED25519 = [
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
] as const

/** RFC 7748 §6.1 */
const ALICE = '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'
const BOB = '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'

for (const provider of providers) {
  const { name } = provider

  test(`RFC 8032 Ed25519 (${name})`, async () => {
    for (const [secret, kid, message, signature] of ED25519) {
      const signer = await provider.signer(hex(secret))
      assert.is(toHex(signer.kid), kid)
      assert.is(toHex(await signer.sign(hex(message))), signature)
      const verifier = strictVerifier(provider, hex(kid))
      assert.is(await verifier.verify(hex(message), hex(signature)), true)
      assert.is(await verifier.verify(hex(`${message}00`), hex(signature)), false)
    }
  })

  test(`RFC 5869 HKDF-SHA-256 (${name})`, async () => {
    const long = { ikm: range(0x00, 80), salt: range(0x60, 80), info: range(0xb0, 80) }
    const a1 = await extract(provider, range(0, 13), new Uint8Array(22).fill(0x0b))
    assert.is(toHex(a1), '077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5')
    assert.is(
      toHex(await expand(provider, a1, range(0xf0, 10), 42)),
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    )
    assert.is(
      toHex(await hkdf(provider, long.ikm, long.salt, long.info, 82)),
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
    )
    assert.is(
      toHex(await hkdf(provider, new Uint8Array(22).fill(0x0b), NONE, NONE, 42)),
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    )
  })

  test(`RFC 8439 §2.8.2 ChaCha20-Poly1305 (${name})`, () => {
    const aead = provider.aead(range(0x80, 32))
    const nonce = hex('070000004041424344454647')
    const aad = hex('50515253c0c1c2c3c4c5c6c7')
    const plain = ascii(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    )
    const sealed =
      'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691'
    assert.is(toHex(aead.seal(nonce, aad, plain)), sealed)
    assert.is(toHex(aead.open(nonce, aad, hex(sealed))), toHex(plain))
    assert.is(aead.open(nonce, aad, hex(`${sealed.slice(0, -2)}90`)), undefined)
    assert.is(aead.open(nonce, aad, hex('00')), undefined)
  })

  test(`RFC 9180 A.2.1 HPKE base (${name})`, async () => {
    const info = hex('4f6465206f6e2061204772656369616e2055726e')
    const ephemeral = await provider.exchange(
      hex('f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600'),
    )
    const own = await provider.exchange(
      hex('8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb'),
    )
    const enc = '1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a'
    const to = '4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a'
    assert.is(toHex(ephemeral.publicKey), enc)
    assert.is(toHex(own.publicKey), to)
    const dh = (await ephemeral.derive(hex(to))) as Uint8Array
    const { secret, key, nonce } = await schedule(provider, dh, hex(enc), hex(to), info)
    assert.is(toHex(secret), '0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7')
    assert.is(toHex(key), 'ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91')
    assert.is(toHex(nonce), '5c4d98150661b848853b547f')
    const plain = hex('4265617574792069732074727574682c20747275746820626561757479')
    const aad = hex('436f756e742d30')
    const sealed = await hpkeSeal(provider, hex(to), info, aad, plain, ephemeral)
    assert.is(
      toHex(sealed?.ct),
      '1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28',
    )
    const opened = await hpkeOpen(provider, own, sealed as NonNullable<typeof sealed>, info, aad)
    assert.is(toHex(opened), toHex(plain))
  })

  test(`RFC 7748 §6.1 X25519 (${name})`, async () => {
    const alice = await provider.exchange(hex(ALICE))
    const bob = await provider.exchange(hex(BOB))
    assert.is(toHex(alice.publicKey), '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
    assert.is(toHex(bob.publicKey), 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
    const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'
    assert.is(toHex(await alice.derive(bob.publicKey)), shared)
    assert.is(toHex(await bob.derive(alice.publicKey)), shared)
    assert.is(await alice.derive(new Uint8Array(32)), undefined, 'a secret of zeros is no secret')
  })

  test(`B5 base64url is canonical (${name})`, () => {
    for (let length = 0; length < 70; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 255)
      const text = provider.toText(bytes)
      assert.is(text, Buffer.from(bytes).toString('base64url'))
      assert.is(toHex(provider.fromText(text)), toHex(bytes))
    }
    for (const text of [
      'A',
      'AB',
      'AAB',
      'AA==',
      'AA=',
      'A A',
      'AAA+',
      'AA/A',
      'AAAA\n',
      'AAAAB',
      'é',
      '\u0000AAA',
    ]) {
      assert.is(provider.fromText(text), undefined, JSON.stringify(text))
    }
  })
}

test('B3 keys that must never be taken, in each of their encodings', () => {
  const small = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  ]
  const beyond = ['ed', 'ee', 'f0', 'ff'].map((byte) => `${byte}${'ff'.repeat(30)}7f`)
  for (const text of [...small, ...beyond]) {
    for (const sign of [0, 0x80]) {
      const key = hex(text)
      key[31] = (key[31] as number) | sign
      assert.type(keyFault(key), 'string', toHex(key))
    }
  }
  assert.is(keyFault(hex(ED25519[0][1])), undefined)
  assert.type(keyFault(new Uint8Array(31)), 'string')
})

test('T1 under a small-order key nothing verifies, not even what Node itself would take', async () => {
  // R = identity, s = 0 verifies for every message under A = identity where nobody refuses A.
  const forged = concat(hex('01'), new Uint8Array(63))
  const weak = hex(`01${'00'.repeat(31)}`)
  assert.is(node.verifier(weak).verify(NONE, forged), true, 'the hole that is closed here')
  for (const provider of providers)
    assert.is(await strictVerifier(provider, weak).verify(NONE, forged), false)
})

test('R20 s below L, whatever a platform would take', async () => {
  const lax = { ...node, verifier: () => ({ verify: () => true }) }
  const verifier = strictVerifier(lax, hex(ED25519[0][1]))
  const order = 'edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010'
  const signature = (s: string) => concat(new Uint8Array(32), hex(s))
  assert.is(await verifier.verify(NONE, signature(`ec${order.slice(2)}`)), true)
  for (const s of [order, `ee${order.slice(2)}`, 'ff'.repeat(32), `${'00'.repeat(31)}80`]) {
    assert.is(await verifier.verify(NONE, signature(s)), false, s)
  }
  assert.is(await verifier.verify(NONE, new Uint8Array(63)), false)
})

test('base64url of pages and of Node are the same', () => {
  for (let i = 0; i < 200; i++) {
    const bytes = node.random(i)
    assert.is(toText(bytes), node.toText(bytes))
    assert.is(toHex(fromText(node.toText(bytes))), toHex(bytes))
  }
  assert.is(web.name, 'web')
})

interface Case {
  tcId: number
  result: 'valid' | 'invalid' | 'acceptable'
  [field: string]: string | number | string[]
}

interface Group {
  tests: Case[]
  publicKey?: { pk: string }
  ivSize?: number
  tagSize?: number
}

if (FOLDER && existsSync(FOLDER)) {
  const load = (name: string) =>
    (JSON.parse(readFileSync(join(FOLDER, `${name}_test.json`), 'utf8')) as { testGroups: Group[] })
      .testGroups

  const run = (
    name: string,
    file: string,
    check: (group: Group, it: Record<string, string>) => Promise<boolean>,
  ) => {
    test(`T1 Wycheproof ${name}`, async () => {
      const counts = { valid: 0, invalid: 0, acceptable: 0 }
      for (const group of load(file)) {
        for (const it of group.tests) {
          const isGood = await check(group, it as unknown as Record<string, string>)
          if (it.result !== 'acceptable') assert.is(isGood, it.result === 'valid', `${name} tcId ${it.tcId}`)
          counts[it.result]++
        }
      }
      console.log(`     Wycheproof ${name}: ${JSON.stringify(counts)}`)
    })
  }

  for (const provider of providers) {
    run(`Ed25519 (${provider.name})`, 'ed25519', async ({ publicKey }, { msg, sig }) =>
      strictVerifier(provider, hex(publicKey?.pk as string)).verify(hex(msg as string), hex(sig as string)),
    )
    run(`X25519 (${provider.name})`, 'x25519', async (_, it) => {
      const own = await provider.exchange(hex(it.private as string))
      const secret = await own.derive(hex(it.public as string))
      // Zero secrets count as refused; all others must be right, "acceptable" or not.
      if (secret) assert.is(toHex(secret), it.shared, `tcId ${it.tcId}`)
      else assert.match(it.shared as string, /^0+$/, `tcId ${it.tcId}`)
      return true
    })
    run(`ChaCha20-Poly1305 (${provider.name})`, 'chacha20_poly1305', async ({ ivSize }, it) => {
      if (ivSize !== 96) return false // another nonce than that of the suite
      const aead = provider.aead(hex(it.key as string))
      const [iv, aad, msg] = [hex(it.iv as string), hex(it.aad as string), hex(it.msg as string)]
      const opened = aead.open(iv, aad, hex(`${it.ct}${it.tag}`))
      if (it.result === 'valid') {
        assert.is(toHex(aead.seal(iv, aad, msg)), `${it.ct}${it.tag}`)
        assert.is(toHex(opened), it.msg)
      }
      return opened !== undefined
    })
    run(`HKDF-SHA-256 (${provider.name})`, 'hkdf_sha256', async (_, it) => {
      try {
        const okm = await hkdf(
          provider,
          hex(it.ikm as string),
          hex(it.salt as string),
          hex(it.info as string),
          Number(it.size),
        )
        return toHex(okm) === it.okm
      } catch {
        return false
      }
    })
  }
} else {
  console.log('     Wycheproof was not run: set HORMIGA_WYCHEPROOF to the folder with its *_test.json files')
}

test.run()
