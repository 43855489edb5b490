// What the machine tells of its drinks. The frames are those of the fact sheet.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Assembler } from '../../devices/delonghi-ecam/frame.ts'
import { decodeLimits, decodeRecipe, recipeOf } from '../../devices/delonghi-ecam/recipes.ts'
import { bytes } from '../device/rig.ts'

const REPLIES: [number: number, name: string, recipe: string, limits: string, expected: unknown][] = [
  [
    1,
    'espresso',
    'd012a6f00101010028020308001b0419014413',
    'd025b0f001010014002800b4020003050800000118010101190101011b0004041c0000001532',
    { coffee: [20, 40, 180, 40], strength: [0, 3, 5, 3] },
  ],
  [
    2,
    'regular-coffee',
    'd010a6f001020100b402031b041901c34a',
    'd021b0f00201006400b400f00200030518010101190101011b0004041c0000004cf1',
    { coffee: [100, 180, 240, 180], strength: [0, 3, 5, 3] },
  ],
  [
    7,
    'cappuccino',
    'd017a6f001070100410900be02030c001b0419011c02a2cd',
    'd02cb0f007010014004100b409003c00be03840200030518010101190101010c0000001c0002001b000404d03c',
    { coffee: [20, 65, 180, 65], milk: [60, 190, 900, 190], strength: [0, 3, 5, 3], accessory: 'milk-jug' },
  ],
  [
    16,
    'hot-water',
    'd00ea6f001100f00fa19011c01e259',
    'd019b0f0100f001400fa01a418010101190101011c00010054c6',
    { water: [20, 250, 420, 250], accessory: 'water-spout' },
  ],
]

test('recipes and limits, as the machine tells them', () => {
  for (const [number, name, recipe, limits, expected] of REPLIES) {
    const assembler = new Assembler()
    const values = decodeRecipe(assembler.push(bytes(recipe)) as Uint8Array)
    const read = recipeOf(number, name, values, decodeLimits(assembler.push(bytes(limits)) as Uint8Array))
    const seen = Object.fromEntries(
      Object.entries(read?.amounts ?? {}).map(([field, { min, default: standard, max, value }]) => [
        field,
        [min, standard, max, value],
      ]),
    )
    assert.equal(read?.accessory ? { ...seen, accessory: read.accessory } : seen, expected, name)
  }
})

test('what can not be chosen is left out: Doppio+ has no strength, Cortado no water', () => {
  const of = (recipe: string, limits: string) =>
    recipeOf(1, 'x', decodeRecipe(bytes(`a6f00101${recipe}`)), decodeLimits(bytes(`b0f001${limits}`)))
  const doppio = of('01007802011b041901', '010050007800b40200010118010101190101011b0004041c000000')
  assert.equal(Object.keys(doppio?.amounts ?? {}), ['coffee'])
  const cortado = of(
    '01006402000f00001b041901',
    '010028006400f018010101020003050f000000000000190101011b000404',
  )
  assert.equal(Object.keys(cortado?.amounts ?? {}), ['coffee', 'strength'])
  const unset = of('0100000203', '010014002800b402000305')
  assert.equal(Object.keys(unset?.amounts ?? {}), ['strength'], 'a custom recipe that nobody has set')
  const temperature = of('010028 0001'.replace(' ', ''), '010014002800b400000103')
  assert.equal(temperature?.amounts.temperature, { min: 0, default: 1, max: 3, value: 1, unit: null })
})

test('an empty list means that it can not make it; an unknown ingredient ends the list', () => {
  const assembler = new Assembler()
  const values = decodeRecipe(assembler.push(bytes('d007a6f001187ceb')) as Uint8Array)
  const limits = decodeLimits(assembler.push(bytes('d006b0f0189fb2')) as Uint8Array)
  assert.is(recipeOf(24, 'cortado', values, limits), undefined)
  assert.equal([...decodeRecipe(bytes('a6f001010100280a01'))], [[1, 40]])
  assert.equal([...decodeRecipe(bytes('a6f0010101002809'))], [[1, 40]], 'cut off')
})

test.run()
