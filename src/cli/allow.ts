// Rights and ways as they are written on a command line: `GET,BIND cafetera/...` and `relay:33333,192.168.1.20:33333`.

import type { Element, Hop, Json } from '../core/dispatch.ts'
import { JstpError } from '../core/status.ts'
import { formatUri, parseUri } from '../core/uri.ts'
import { type RightData, readRight } from '../identity/rights.ts'
import { UsageError } from './args.ts'

export const ALLOW_FORM = `write it as 'GET,BIND cafetera/...' (methods, a space, a pattern; "*" is every method but BIND)`

/** @throws {UsageError} */
export function readAllow(text: string): RightData {
  const [, methods = '', pattern = ''] = /^\s*(\S+)\s+(\S+)\s*$/.exec(text) ?? []
  try {
    const { resource, to } = parseUri(pattern)
    if (methods === '' || to.length > 0) throw new Error(ALLOW_FORM)
    return readRight({ method: methods.split(','), resource }, `--allow '${text}'`).data
  } catch (error) {
    throw new UsageError(`--allow '${text}': ${ALLOW_FORM}`, { cause: error })
  }
}

/** `GET,BIND cafetera/... (ctx, seal; fresh 30 s)` */
export function showAllow({ method, resource, modes, fresh, public: isPublic, events }: RightData): string {
  const more = [
    ...(modes ? [modes.join(', ')] : []),
    ...(fresh === undefined ? [] : [`fresh ${fresh} s`]),
    ...(isPublic ? ['public'] : []),
    ...(events ? [`events ${events.join(',')}`] : []),
  ]
  return `${method.join(',')} ${showPath(resource)}${more.length > 0 ? ` (${more.join('; ')})` : ''}`
}

/** `cafetera/state` */
export function showPath(resource: Element[]): string {
  return formatUri({ resource }).replace(/^jstp:/, '')
}

/**
 * Hops in their order, one or several in each text: `192.168.1.20:33333` (tcp), `[::1]:8080:ws`, or a name.
 * @throws {UsageError}
 */
export function readWay(texts: string[]): Hop[] {
  try {
    return texts.flatMap((text) => parseUri(`${text}//x`).to)
  } catch (error) {
    if (!(error instanceof JstpError)) throw error
    throw new UsageError(
      `--at ${texts.join(' ')}: write it as HOST:PORT, with relays before it: RELAY:PORT,HOST:PORT`,
    )
  }
}

/** `192.168.1.20:33333:tcp` */
export function showWay(hops: Json): string {
  return formatUri({ to: hops as Hop[], resource: ['x'] }).slice('jstp:'.length, -'//x'.length)
}
