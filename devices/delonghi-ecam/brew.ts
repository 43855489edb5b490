// Brewing, stopping, switching on and off. Everything is checked before a byte leaves, nothing is ever sent twice, and
// what became of a command is read from the status of the machine.

import { type Command, type Json, JstpError, LinkError, outOfRange, PRIORITY, STATUS, suggest } from '#device'
import type { Machine } from './machine.ts'
import { type Recipe, startPayload, stopPayload } from './recipes.ts'
import { blockers, derive, isBrewing, isOn, isPouring, type Status } from './status.ts'
import { BEVERAGES, REQUEST, request } from './tables.ts'

/** Milliseconds to wait for the reply to a brew before its status is looked at instead. */
const REPLY_TIMEOUT = 1000

const ON = [0x02, 0x01]
const OFF = [0x01, 0x01]

/** What a brew says when something is not fitted. */
const FIT: Record<NonNullable<Recipe['accessory']>, string> = {
  'water-spout': 'fit the water spout',
  'milk-jug': 'fit the milk jug and turn its knob away from Clean',
}

/** Brews, and gives back what it was told to make. */
export async function brew(machine: Machine, body: Record<string, Json>, command: Command): Promise<Json> {
  const number = numberOf(body.recipe as string | number)
  const { stops } = machine
  const stopped = () => stops !== machine.stops
  const recipe = await machine.recipe(number, () => command.left())
  if (!recipe) throw cantMake(machine, number)
  const amounts = amountsOf(recipe, body)
  const made = { recipe: recipe.name, ...amounts }

  const status = await fresh(machine, command)
  refuseUnlessReady(machine, status)
  if (recipe.accessory && status.accessory !== undefined && status.accessory !== recipe.accessory) {
    throw new JstpError(
      STATUS.BAD_DISPATCH,
      `${recipe.name} needs another accessory: ${FIT[recipe.accessory]} (fitted: ${status.accessory})`,
      { code: 'alarm', needed: recipe.accessory, found: status.accessory },
    )
  }

  try {
    await machine.ask(startPayload(number, amounts), {
      priority: PRIORITY.command,
      timeout: Math.min(REPLY_TIMEOUT, command.left()),
      write(bytes) {
        if (stopped())
          throw new JstpError(STATUS.FAILED, 'not executed: stopped before it was sent', {
            code: 'not-executed',
          })
        machine.beverage = number
        return command.write(bytes)
      },
    })
  } catch (error) {
    await confirm(machine, command, error, isBrewing)
    return made // its state shows it already
  }
  machine.take(number)
  return made
}

/** Stops whatever is being made: past every line, however often. */
export async function stop(machine: Machine, command: Command): Promise<void> {
  machine.stops++
  try {
    await machine.ask(stopPayload(machine.beverage), {
      priority: PRIORITY.stop,
      timeout: Math.min(REPLY_TIMEOUT, command.left()),
      write: (bytes) => command.write(bytes),
    })
  } catch (error) {
    if (!command.reached || !(error instanceof LinkError)) throw error
  }
  // Its reply says that it has heard. Whether it has stopped says its state.
  if (!(await machine.waitFor((status) => !isPouring(status), command.left())))
    throw unconfirmed(machine, command)
}

/** Switches on or off. The machine does not reply to that: its status shows it. */
export async function power(machine: Machine, on: boolean, command: Command): Promise<void> {
  const status = await fresh(machine, command)
  if (isOn(status) === on) return
  const doing = derive(status).state
  if (
    machine.taken ||
    doing === 'brewing' ||
    doing === 'cleaning' ||
    doing === 'descaling' ||
    doing === 'stopping'
  ) {
    const word = machine.taken ? 'brewing' : doing
    throw new JstpError(STATUS.BAD_DISPATCH, `the machine is ${word}; wait until it is done, or stop it`, {
      code: 'busy',
      state: word,
    })
  }
  const arrived = (seen: Status) => isOn(seen) === on
  try {
    await machine.send(request(REQUEST.power, ...(on ? ON : OFF)), (bytes) => command.write(bytes))
  } catch (error) {
    return confirm(machine, command, error, arrived)
  }
  if (!(await machine.waitFor(arrived, command.left()))) throw unconfirmed(machine, command)
}

/** The state as it is now: the last poll may be seconds old, and somebody may stand at the machine. */
async function fresh(machine: Machine, command: Command): Promise<Status> {
  const status = await machine.waitFor(() => true, command.left() / 2)
  if (status) return status
  throw new JstpError(STATUS.FAILED, 'not executed: the machine does not tell its state', {
    code: 'not-executed',
  })
}

/**
 * After a command without a reply: the state says whether it was taken. Returns if so.
 * @throws what it failed with, when nothing was sent; else 504
 */
async function confirm(
  machine: Machine,
  command: Command,
  error: unknown,
  arrived: (status: Status) => boolean,
): Promise<void> {
  if (!command.reached || !(error instanceof LinkError)) throw error
  if (!(await machine.waitFor(arrived, command.left()))) throw unconfirmed(machine, command)
}

/** Whether its state contradicts it, or nothing can be known: either way it is not sent again. */
function unconfirmed(machine: Machine, command: Command): JstpError {
  return command.confirmed && machine.status
    ? new JstpError(
        STATUS.TIMEOUT,
        'the machine has got it, but its state does not show that it does it; it was not sent again',
        { code: 'unconfirmed' },
      )
    : new JstpError(
        STATUS.TIMEOUT,
        'it is not known whether the machine got it; it was not sent again: look at the machine',
        { code: 'uncertain' },
      )
}

function numberOf(recipe: string | number): number {
  if (typeof recipe === 'number') {
    if (BEVERAGES.has(recipe)) return recipe
    throw outOfRange(`there is no recipe ${recipe}; see recipes`, { found: recipe, field: 'recipe' })
  }
  for (const [number, name] of BEVERAGES) if (name === recipe) return number
  const meant = suggest(recipe, BEVERAGES.values())
  const found = recipe.slice(0, 60)
  throw outOfRange(`there is no recipe "${found}"; ${meant ? `did you mean "${meant}"? ` : ''}see recipes`, {
    found,
    field: 'recipe',
  })
}

function cantMake(machine: Machine, number: number): JstpError {
  const can = [...machine.recipes.values()].flatMap((recipe) => (recipe ? [recipe.name] : []))
  const name = BEVERAGES.get(number) ?? ''
  return outOfRange(
    `this machine can't make ${name}; it can make ${can.join(', ') || 'nothing that is known yet'}`,
    {
      field: 'recipe',
      found: name,
      allowed: can,
    },
  )
}

function refuseUnlessReady(machine: Machine, status: Status): void {
  const blocking = blockers(status)
  const { state } = derive(status)
  if (state === 'ready' || state === 'alarm') {
    if (machine.taken) throw busy('brewing')
    if (blocking.length === 0 && state === 'ready') return
    throw new JstpError(
      STATUS.BAD_DISPATCH,
      `the machine can't brew: ${blocking.map(({ name, remedy }) => `${name} (${remedy})`).join(', ')}`,
      { code: 'alarm', alarms: blocking.map(({ name }) => name) },
    )
  }
  throw busy(state)
}

function busy(state: string): JstpError {
  const hint = state === 'off' ? 'switch it on first (PUT power true)' : 'wait until it is ready'
  return new JstpError(STATUS.BAD_DISPATCH, `the machine is not ready but ${state}; ${hint}`, {
    code: 'busy',
    state,
  })
}

/** The amounts to ask for: what the body says within the limits of the machine, for the rest the recipe's. */
function amountsOf(recipe: Recipe, body: Record<string, Json>): Record<string, number> {
  const { amounts, name } = recipe
  for (const field of Object.keys(body)) {
    if (field === 'recipe' || Object.hasOwn(amounts, field)) continue
    throw outOfRange(
      `${name} has no ${field} that can be chosen; it has ${Object.keys(amounts).join(', ')}`,
      {
        recipe: name,
        field,
        found: body[field] ?? null,
        allowed: Object.keys(amounts),
      },
    )
  }
  const chosen: Record<string, number> = {}
  for (const [field, { min, max, value, unit }] of Object.entries(amounts)) {
    const wanted = (body[field] as number | undefined) ?? value
    if (wanted < min || wanted > max) {
      throw outOfRange(`${name}: ${field} ${wanted} can't be: ${min} to ${max}${unit ? ` ${unit}` : ''}`, {
        recipe: name,
        field,
        min,
        max,
        unit,
        found: wanted,
      })
    }
    chosen[field] = wanted
  }
  return chosen
}
