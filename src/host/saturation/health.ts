// The answer of `/health`: that the process lives proves nothing, so it tells whether the data of every configured device
// is fresh (design §5).

export interface HealthDevice {
  /** As in `["engine","devices"]`. */
  state: string
  /** Why, for people. */
  cause: string
  /** Milliseconds since it was last heard; null: never. */
  age: number | null
  /** Milliseconds that its profile allows; null: it may be silent for ever. */
  bound: number | null
}

export interface Health {
  status: 200 | 503
  body: { ok: boolean; devices: Record<string, HealthDevice & { ok: boolean }> }
}

export function health(devices: Record<string, HealthDevice>): Health {
  const judged = Object.entries(devices).map(([name, { state, cause, age, bound }]) => {
    const isFresh = bound === null || (age !== null && age <= bound)
    return [name, { ok: state === 'up' && isFresh, state, cause, age, bound }] as const
  })
  const ok = judged.every(([, device]) => device.ok)
  return { status: ok ? 200 : 503, body: { ok, devices: Object.fromEntries(judged) } }
}
