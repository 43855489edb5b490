// What of Marlin is data: its settings, and how it is stopped.

import type { Action } from '#device'

/** Settings by the commands that set them. */
export const SETTINGS = ['M92', 'M201', 'M203', 'M204', 'M205', 'M206', 'M301', 'M304', 'M851', 'M900']

/** No more waiting for heat, then a stop of all motors. Without numbers they are heard as soon as they are read. */
export const STOP = ['M108', 'M410']

/** The actions that stop something; without the emergency parser they are read only when the line before them has been. */
export function stopsOf(hasParser: boolean): Record<'stop' | 'kill', Action> {
  const stop = hasParser ? 'immediate' : 'queued'
  return {
    stop: {
      urgent: true,
      stop,
      description: 'Stops all motors at once, and throws away all that it was told; heaters stay as they are',
    },
    kill: {
      urgent: true,
      stop,
      description: 'Switches motors and heaters off; after that it must be restarted',
    },
  }
}
