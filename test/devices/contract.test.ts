// What holds for every device: the folder is walked, so a new one is tested the moment it exists.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Field, matchProfile, type Profile, simulatedLink, startDevice } from '../../src/device/index.ts'
import { FakeOwner, pass, SILENT, TestClock } from '../device/rig.ts'

const NAMES = readdirSync('devices', { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
)

async function load(name: string): Promise<Profile> {
  const { default: profile } = (await import(`../../devices/${name}/device.ts`)) as { default: Profile }
  return profile
}

/** Every field of a profile, with its path. */
function fields(profile: Profile): [path: string, field: Field][] {
  const walk = (path: string, field: Field): [string, Field][] => [
    [path, field],
    ...Object.entries(field.fields ?? {}).flatMap(([name, inner]) => walk(`${path}.${name}`, inner)),
  ]
  const bodies = Object.entries(profile.actions).flatMap(([action, { body = {} }]) =>
    Object.entries(body).map(([name, field]): [string, Field] => [`${action}.${name}`, field]),
  )
  return [...Object.entries(profile.points), ...Object.entries(profile.options ?? {}), ...bodies].flatMap(
    ([path, field]) => walk(path, field),
  )
}

test('there are devices', () => {
  assert.ok(NAMES.includes('delonghi-ecam'))
})

for (const name of NAMES) {
  test(`${name}: the folder is whole`, async () => {
    const profile = await load(name)
    assert.is(profile.name, name, 'the name is that of the folder')
    assert.ok(profile.title.length > 3)
    assert.ok(profile.silence >= 1000, 'silence is in milliseconds')
    for (const file of ['README.md', 'session.txt']) assert.ok(existsSync(`devices/${name}/${file}`), file)
    const session = readFileSync(`devices/${name}/session.txt`, 'utf8')
    for (const line of session.split('\n')) {
      assert.match(line, /^(#.*|[<>] [0-9a-f]{2}( ?[0-9a-f]{2})*|)$/, 'a line of session.txt')
    }
    assert.match(session, /^> /m)
    assert.match(session, /^< /m)
  })

  test(`${name}: all is documented, in the profile and for people`, async () => {
    const profile = await load(name)
    const readme = readFileSync(`devices/${name}/README.md`, 'utf8')
    for (const [path, { description }] of [...fields(profile), ...Object.entries(profile.actions)]) {
      assert.ok(description.length >= 3, `${path} has a description`)
      assert.not.match(description, /\.$/, `${path}: no full stop`)
    }
    for (const word of [...Object.keys(profile.points), ...Object.keys(profile.actions)]) {
      assert.ok(readme.includes(`\`${word}\``), `README.md says what ${word} is`)
    }
  })

  test(`${name}: ranges are sane`, async () => {
    for (const [path, { range, values, type, unit }] of fields(await load(name))) {
      const types = [type].flat()
      if (range) {
        assert.ok(range[0] < range[1], `${path}: min < max`)
        assert.ok(types.includes('number') || types.includes('integer'), `${path}: only numbers have a range`)
      }
      if (values) assert.is(new Set(values).size, values.length, `${path}: no value twice`)
      if (unit !== undefined) assert.ok(unit.length > 0 && unit.length < 10, `${path}: unit`)
    }
  })

  test(`${name}: it is found by what its own match says`, async () => {
    const profile = await load(name)
    for (const { medium, service, address } of profile.match) {
      const seen = { medium, services: service ? [service.toUpperCase()] : [], address }
      if (service || address) assert.is(matchProfile([profile], seen), profile)
    }
    assert.is(
      matchProfile([profile], { medium: 'ble', services: [], name: '', address: 'ff:ff:ff:ff:ff:ff' }),
      undefined,
    )
  })

  test(`${name}: its simulator comes up, every point answers, nonsense is refused, nothing is left behind`, async () => {
    const profile = await load(name)
    const clock = new TestClock()
    const owner = new FakeOwner('thing')
    const simulator = await profile.simulate(clock)
    const device = startDevice({
      name: 'thing',
      profile,
      link: simulatedLink(simulator, clock),
      owner,
      clock,
      log: SILENT,
      answerTimeout: 10_000,
    })
    await clock.advance(5000)
    assert.is(device.status().state, 'up')
    assert.type(device.status().lastSeen, 'number', 'it has been heard')
    assert.is((await owner.ask('GET', '')).status, 200)
    const { points, actions } = device.shape()
    for (const [point, { methods }] of Object.entries(points)) {
      for (const method of methods) {
        if (method === 'GET') {
          const { status, body } = await pass(clock, owner.ask('GET', point))
          assert.is(status, 200, `GET ${point}`)
          assert.equal(Object.keys(body).sort(), ['age', 'online', 'retained', 'unit', 'value'])
        } else {
          const { status, body } = await owner.ask(method, point, { 'no such field': 1 })
          assert.is(status, 400, `${method} ${point}`)
          assert.is(body.code, 'range')
        }
      }
    }
    for (const action of Object.keys(actions)) {
      const { status, body } = await owner.ask('POST', action, { 'no such field': 1 })
      assert.is(status, 400, `POST ${action}`)
      assert.is(body.code, 'range')
    }
    for (const { point } of owner.reports) assert.ok(points[point], `a report of ${point}`)
    await device.close()
    await clock.advance(120_000)
    assert.is(clock.pending, 0, 'timers')
    assert.is((await owner.ask('GET', '')).body.online, false)
  })
}

test.run()
