// One form for Bluetooth's UUIDs. People write dashes and short forms; noble gives 128 bits without dashes, 16 bits
// padded in service data and not padded elsewhere (0x0ffe comes as "ffe").

import { JstpError, STATUS } from '../../core/status.ts'

const BASE = '-0000-1000-8000-00805f9b34fb'

/** `ffe`, `0x0FFE`, `0000180f…` with or without dashes → 36 characters, lower case. Throws `JstpError` 400 on others. */
export function normaliseUuid(text: string): string {
  const hex = text.toLowerCase().replace(/^0x/, '').replaceAll('-', '')
  if (/^[0-9a-f]{1,8}$/.test(hex)) return hex.padStart(8, '0') + BASE
  const parts = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(hex)
  if (parts) return parts.slice(1).join('-')
  throw new JstpError(STATUS.BAD_DISPATCH, `"${text}" is no Bluetooth UUID: 4, 8 or 32 hexadecimal digits`)
}
