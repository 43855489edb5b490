// Finds the cases in a folder: steps in .json files, functions in .mjs files.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Stage } from './stage.mjs'

export async function loadCases(folder) {
  const files = (await readdir(folder)).filter((name) => /\.(json|mjs)$/.test(name)).sort()
  const groups = await Promise.all(files.map((name) => loadFile(folder, name)))
  const cases = groups.flat()
  checkIds(cases)
  return cases
}

async function loadFile(folder, name) {
  const path = join(folder, name)
  const {
    section,
    needs = [],
    cases,
  } = name.endsWith('.json') ? JSON.parse(await readFile(path, 'utf8')) : await import(pathToFileURL(path))
  return cases.map((item) => check({ ...item, section, needs: [...needs, ...(item.needs ?? [])] }, name))
}

function check(item, file) {
  for (const field of ['id', 'title', 'rule'])
    if (!item[field]) throw new Error(`${file}: ${item.id} has no ${field}`)
  for (const step of item.steps ?? []) verbOf(step, item.id)
  return item
}

function checkIds(cases) {
  const seen = new Set()
  for (const { id } of cases) {
    if (seen.has(id)) throw new Error(`two cases are called ${id}`)
    seen.add(id)
  }
}

const verbs = new Set(Object.getOwnPropertyNames(Stage.prototype))
for (const name of ['constructor', 'peer', 'clear', 'fail']) verbs.delete(name)

/** The first key of a step is its verb. */
function verbOf(step, id) {
  const [verb] = Object.keys(step)
  if (!verbs.has(verb)) throw new Error(`${id}: no verb ${verb}`)
  return verb
}

export async function play(item, options) {
  const stage = new Stage(options, item.id)
  try {
    if (item.run) await item.run(stage)
    else await playSteps(item, stage)
  } finally {
    await stage.clear()
  }
}

async function playSteps({ id, steps }, stage) {
  for (const [index, step] of steps.entries()) {
    const verb = verbOf(step, id)
    const { [verb]: subject, ...details } = step
    try {
      await stage[verb](subject, details)
    } catch (error) {
      error.message = `${error.message} [step ${index + 1}: ${verb}]`
      throw error
    }
  }
}
