// What commands have in common: that they have reached the machine, how long they wait, and why they are not done.

import { type Clock, type Command, JstpError, STATUS } from '#device'

export const ENCODER = new TextEncoder()

/** It counts as written before it is, by an empty line: what may have got there is never sent again. */
export function reach(command: Command): Promise<void> {
  return command.write(ENCODER.encode('\n'))
}

/** Whether it is done in time. */
export function within(clock: Clock, ms: number, work: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const late = clock.after(ms, () => resolve(false))
    work
      .then(
        () => resolve(true),
        () => resolve(false),
      )
      .finally(late)
  })
}

export function refused(message: string, code: 'alarm' | 'busy'): JstpError {
  return new JstpError(STATUS.BAD_DISPATCH, message, { code })
}

export function unknownFate(text: string): JstpError {
  return new JstpError(STATUS.TIMEOUT, `${text}: what became of it is not known`, { code: 'uncertain' })
}
