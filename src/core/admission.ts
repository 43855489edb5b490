// What must not come in: the first look at a dispatch from a channel, and at who may do what without a key.

import type { Channel } from './channel.ts'
import { type Dispatch, transactionOf } from './dispatch.ts'
import type { Guard } from './guard.ts'
import { JstpError, STATUS } from './status.ts'

export const EXPIRED = { message: 'expired on its way', expired: true }

/** @throws {JstpError} 504 when its time is over, 400 when too much is open on the channel already. */
export function checkLoad(channel: Channel, dispatch: Dispatch, transactions: number): void {
  if (dispatch.expires === 0) throw new JstpError(STATUS.TIMEOUT, EXPIRED.message, EXPIRED)
  if (channel.open < transactions || !transactionOf(dispatch)) return
  throw new JstpError(STATUS.BAD_DISPATCH, `more than ${transactions} transactions open on this channel`)
}

/** @throws {JstpError} 401 when it is not allowed to whoever shows no key. */
export function checkAccess({ access, remote }: Channel, dispatch: Dispatch, guard: Guard | undefined): void {
  if (!access || access.permits(dispatch) || guard?.allows(dispatch) || remote?.expects(dispatch)) return
  const message = `${dispatch.method} is not allowed here without a key: see "access" in the configuration`
  throw new JstpError(STATUS.UNAUTHORIZED, message, guard?.required)
}

/** Whether a relay carries it unread: its recipient decides (design §9.17). */
export function isOpaque({ sec, resource, endpoint }: Dispatch): boolean {
  if (sec === undefined) return resource?.length === 2 && resource[0] === 'sec' && resource[1] === 'id'
  const [root] = resource ?? endpoint?.resource ?? []
  return root === 'sealed' || root === 'sec'
}
